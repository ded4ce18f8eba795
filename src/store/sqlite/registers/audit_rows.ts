/** The audit log of a store file, read past any engine: a check must not need one that runs. */
import { DatabaseSync } from "node:sqlite";
import type { CellKeys } from "../../../crypto/keys.ts";
import { cellCipherOf } from "../../../crypto/sealed_cells.ts";
import type { AuditRow } from "../../audit_row.ts";
import { describeFailure, StoreError } from "../../errors.ts";
import { readAuditKey } from "./audit_log.ts";

export interface AuditRows extends Disposable {
  /** Of the chain; undefined without one, or without the store's key that opens it. */
  readonly key: Uint8Array | undefined;
  /** Oldest first. */
  rows(): Iterable<AuditRow>;
}

/**
 * Opens the audit log of a store; writes nothing and makes no file.
 *
 * @throws {StoreError} `store.not_found`, `store.no_audit_log`, or what reading it says.
 */
export function openAuditRows(path: string, keys: CellKeys | undefined): AuditRows {
  const db = openReadOnly(path);
  try {
    const key = readAuditKey(db, cellCipherOf(keys));
    return { key, rows: () => rowsOf(db), [Symbol.dispose]: () => db.close() };
  } catch (cause) {
    db.close();
    throw new StoreError("store.no_audit_log", `Cannot read the audit log of "${path}"`, {
      cause,
      hint: "The store is older than its audit log: start the engine once, which migrates it",
    });
  }
}

function openReadOnly(path: string): DatabaseSync {
  try {
    Deno.statSync(path);
  } catch (cause) {
    throw new StoreError("store.not_found", `No store "${path}"`, {
      cause,
      hint: "Name it with --db, or run from the folder that [store] path counts from",
    });
  }
  try {
    return new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  } catch (cause) {
    const { code, message, hint } = describeFailure(cause);
    throw new StoreError(code, `${message}: "${path}"`, { cause, hint });
  }
}

function* rowsOf(db: DatabaseSync): Iterable<AuditRow> {
  const statement = db.prepare(`
    SELECT id, at, actor, action, channel_id, detail, keyed, row_hash
      FROM audit_log
     ORDER BY id`);
  for (const row of statement.iterate()) {
    yield {
      id: Number(row.id),
      at: Number(row.at),
      actor: String(row.actor),
      action: String(row.action),
      channel: textOrNull(row.channel_id),
      detail: textOrNull(row.detail),
      isKeyed: row.keyed === 1,
      hash: String(row.row_hash),
    };
  }
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value);
}
