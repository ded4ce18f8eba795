/** The audit log of a store file, read past any engine: a check must not need one that runs. */
import { DatabaseSync } from "node:sqlite";
import type { CellKeys } from "../../../crypto/keys.ts";
import { cellCipherOf } from "../../../crypto/sealed_cells.ts";
import type { AuditRow } from "../../audit_row.ts";
import { describeFailure, StoreError } from "../../errors.ts";
import { textOf } from "../cell_text.ts";
import type { SqlRow } from "../session.ts";
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
    return { key, rows: () => rowsOf(db, path), [Symbol.dispose]: () => db.close() };
  } catch (cause) {
    db.close();
    const failure = failureOf(cause, path);
    if (failure.code !== "store.failed") throw failure;
    throw new StoreError("store.no_audit_log", `Cannot read the audit log of "${path}"`, {
      cause,
      hint: "The store is older than its audit log: start the engine once, which migrates it",
    });
  }
}

function openReadOnly(path: string): DatabaseSync {
  if (!isFile(path)) {
    throw new StoreError("store.not_found", `No store "${path}"`, {
      hint: "Name it with --db, or run from the folder that [store] path counts from",
    });
  }
  try {
    return new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  } catch (cause) {
    throw failureOf(cause, path);
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw new StoreError("store.open_failed", `Cannot open the store file: "${path}"`, {
      cause,
      hint: "Run it as the user that the engine runs as, or as root",
    });
  }
}

/**
 * A page at a time, for `iterate()` of this runtime ends at a page that cannot be read as if no row
 * were left.
 */
function* rowsOf(db: DatabaseSync, path: string): Iterable<AuditRow> {
  const sql = (where: string) => `
    SELECT id, at, CAST(actor AS BLOB) AS actor, CAST(action AS BLOB) AS action,
           CAST(channel_id AS BLOB) AS channel_id, CAST(detail AS BLOB) AS detail, keyed, row_hash
      FROM audit_log ${where}
     ORDER BY id
     LIMIT ${PAGE_ROWS}`;
  const [first, next] = [db.prepare(sql("")), db.prepare(sql("WHERE id > ?"))];
  let last: number | undefined;
  for (;;) {
    const page = readPage(
      () => (last === undefined ? first.all() : next.all(last)) as SqlRow[],
      path,
    );
    yield* page;
    if (page.length < PAGE_ROWS) return;
    last = page.at(-1)!.id;
  }
}

const PAGE_ROWS = 1_000;

function readPage(read: () => readonly SqlRow[], path: string): readonly AuditRow[] {
  try {
    return read().map((row) => ({
      id: Number(row.id),
      at: Number(row.at),
      actor: textOf(row.actor)!,
      action: textOf(row.action)!,
      channel: textOf(row.channel_id) ?? null,
      detail: textOf(row.detail) ?? null,
      isKeyed: row.keyed === 1,
      hash: String(row.row_hash),
    }));
  } catch (cause) {
    throw failureOf(cause, path);
  }
}

function failureOf(cause: unknown, path: string): StoreError {
  const { code, message, hint } = describeFailure(cause);
  return new StoreError(code, `${message}: "${path}"`, { cause, hint });
}
