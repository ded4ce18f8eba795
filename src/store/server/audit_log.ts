/**
 * Appends to the audit log, in the transaction of what it tells of.
 *
 * The store's lock is held, so nobody else appends meanwhile: the newest hash is read once a
 * transaction and kept for the rows behind it.
 */
import { randomBytes } from "node:crypto";
import { AUDIT_GENESIS, type AuditFields, auditRowHash } from "../../crypto/audit_chain.ts";
import type { CellCipher } from "../../crypto/cells.ts";
import type { Run } from "./store_keys.ts";
import type { Transaction } from "./transaction.ts";

const KEY_BYTES = 32;
const KEY_SHAPE = /^[0-9a-f]{64}$/;

/**
 * Returns the chain's key; undefined without one, or without the store's key that opens it. Makes it
 * when the store has a key of its own to seal it with, and none yet.
 */
export async function openAuditKey(run: Run, cipher: CellCipher): Promise<Uint8Array | undefined> {
  const { rows: [row] } = await run("auditKey");
  if (row !== undefined) return readAuditKey(String(row.key), cipher);
  if (cipher.keyId === undefined) return undefined;
  const key = randomBytes(KEY_BYTES);
  await run("insertAuditKey", cipher.seal(key.toHex()));
  return key;
}

/** Opens the cell that holds the chain's key. */
export function readAuditKey(cell: string, cipher: CellCipher): Uint8Array | undefined {
  const opened = cipher.open(cell) ?? "";
  return KEY_SHAPE.test(opened) ? Uint8Array.fromHex(opened) : undefined;
}

/** What an append needs of the transaction it is part of. */
type AuditTransaction = Pick<Transaction, "all" | "first">;

export class AuditLog {
  readonly #key: Uint8Array | undefined;
  #newest: { readonly of: AuditTransaction; id: number; hash: string } | undefined;

  constructor(key: Uint8Array | undefined) {
    this.#key = key;
  }

  async append(tx: AuditTransaction, fields: AuditFields): Promise<void> {
    const newest = await this.#newestOf(tx);
    const { at, actor, action, channel, detail } = fields;
    newest.hash = auditRowHash(newest.hash, { at, actor, action, channel, detail }, this.#key);
    newest.id += 1;
    void tx.all(
      "appendAudit",
      ...[newest.id, at, actor, action, channel, detail],
      ...[this.#key === undefined ? 0 : 1, newest.hash],
    );
  }

  /** What was appended last is taken back. */
  forget(): void {
    this.#newest = undefined;
  }

  async #newestOf(tx: AuditTransaction) {
    if (this.#newest?.of === tx) return this.#newest;
    const row = await tx.first("newestAudit");
    const [id, hash] = row === undefined
      ? [0, AUDIT_GENESIS]
      : [Number(row.id), String(row.row_hash)];
    return this.#newest = { of: tx, id, hash };
  }
}
