/**
 * Appends to the audit log, in the transaction of what it tells of.
 *
 * The newest hash is read each time, in the transaction that appends: `messagefoundry admin` appends
 * too, beside the engine.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { randomBytes } from "node:crypto";
import { AUDIT_GENESIS, type AuditFields, auditRowHash } from "../../../crypto/audit_chain.ts";
import type { CellCipher } from "../../../crypto/cells.ts";
import type { AuditRow } from "../../audit_row.ts";
import { textOf } from "../cell_text.ts";

const KEY_BYTES = 32;
const KEY_SHAPE = /^[0-9a-f]{64}$/;

export class AuditLog {
  readonly #db: DatabaseSync;
  readonly #key: Uint8Array | undefined;
  #insert: StatementSync | undefined;
  #newest: StatementSync | undefined;

  /**
   * Makes the chain's key when the store has a key of its own to seal it with, and none yet. With a
   * key that cannot be read the chain goes on without, and a check shows from which row on.
   */
  constructor(db: DatabaseSync, cipher: CellCipher) {
    this.#db = db;
    this.#key = hasAuditKey(db) ? readAuditKey(db, cipher) : makeKey(db, cipher);
  }

  append({ at, actor, action, channel, detail }: AuditFields): AuditRow {
    const fields = { at, actor, action, channel, detail };
    const isKeyed = this.#key !== undefined;
    const hash = auditRowHash(this.#readNewest(), fields, this.#key);
    this.#insert ??= this.#db.prepare(`
      INSERT INTO audit_log (at, actor, action, channel_id, detail, keyed, row_hash)
      VALUES (?, ?, ?, ?, ?, ?, ?)`);
    const { lastInsertRowid } = this.#insert.run(
      ...[at, actor, action, channel, detail],
      ...[isKeyed ? 1 : 0, hash],
    );
    return { ...fields, id: Number(lastInsertRowid), isKeyed, hash };
  }

  #readNewest(): string {
    this.#newest ??= this.#db.prepare("SELECT row_hash FROM audit_log ORDER BY id DESC LIMIT 1");
    const row = this.#newest.get();
    return row === undefined ? AUDIT_GENESIS : String(row.row_hash);
  }
}

/** The chain's key; undefined without one, or without the store's key that opens it. */
export function readAuditKey(db: DatabaseSync, cipher: CellCipher): Uint8Array | undefined {
  const row = db.prepare("SELECT CAST(key AS BLOB) AS key FROM audit_key WHERE id = 1").get();
  if (row === undefined) return undefined;
  const opened = cipher.open(textOf(row.key as Uint8Array) ?? "") ?? "";
  return KEY_SHAPE.test(opened) ? Uint8Array.fromHex(opened) : undefined;
}

export function hasAuditKey(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM audit_key WHERE id = 1").get() !== undefined;
}

function makeKey(db: DatabaseSync, cipher: CellCipher): Uint8Array | undefined {
  if (cipher.keyId === undefined) return undefined;
  const key = randomBytes(KEY_BYTES);
  db.prepare("INSERT INTO audit_key (id, key) VALUES (1, ?)").run(cipher.seal(key.toHex()));
  return key;
}
