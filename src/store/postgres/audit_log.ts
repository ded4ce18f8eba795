/**
 * Appends to the audit log, in the transaction of what it tells of.
 *
 * The store's lock is held, so nobody else appends meanwhile: the newest hash is read once a
 * transaction and kept for the rows behind it.
 */
import { randomBytes } from "node:crypto";
import { AUDIT_GENESIS, type AuditFields, auditRowHash } from "../../crypto/audit_chain.ts";
import type { CellCipher } from "../../crypto/cells.ts";
import type { PgRow, PgValue } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

const KEY_BYTES = 32;
const KEY_SHAPE = /^[0-9a-f]{64}$/;

type Ask = (
  text: string,
  values?: readonly PgValue[],
) => Promise<{ readonly rows: readonly PgRow[] }>;

/**
 * Returns the chain's key; undefined without one, or without the store's key that opens it. Makes it
 * when the store has a key of its own to seal it with, and none yet.
 */
export async function openAuditKey(ask: Ask, cipher: CellCipher): Promise<Uint8Array | undefined> {
  const { rows: [row] } = await ask("SELECT key FROM audit_key WHERE id = 1");
  if (row !== undefined) return readAuditKey(String(row.key), cipher);
  if (cipher.keyId === undefined) return undefined;
  const key = randomBytes(KEY_BYTES);
  await ask("INSERT INTO audit_key (id, key) VALUES (1, $1)", [cipher.seal(key.toHex())]);
  return key;
}

/** Opens the cell that holds the chain's key. */
export function readAuditKey(cell: string, cipher: CellCipher): Uint8Array | undefined {
  const opened = cipher.open(cell) ?? "";
  return KEY_SHAPE.test(opened) ? Uint8Array.fromHex(opened) : undefined;
}

/** What an append needs of the transaction it is part of. */
type AuditTransaction = Pick<Transaction, "ask">;

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
    void tx.ask(
      `INSERT INTO audit_log (id, at, actor, action, channel_id, detail, keyed, row_hash)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        ...[newest.id, at, actor, action, channel, detail],
        ...[this.#key === undefined ? 0 : 1, newest.hash],
      ],
      "appendAudit",
    );
  }

  /** What was appended last is taken back. */
  forget(): void {
    this.#newest = undefined;
  }

  async #newestOf(tx: AuditTransaction) {
    if (this.#newest?.of === tx) return this.#newest;
    const { rows: [row] } = await tx.ask(
      "SELECT id, row_hash FROM audit_log ORDER BY id DESC LIMIT 1",
      [],
      "newestAudit",
    );
    const [id, hash] = row === undefined
      ? [0, AUDIT_GENESIS]
      : [Number(row.id), String(row.row_hash)];
    return this.#newest = { of: tx, id, hash };
  }
}
