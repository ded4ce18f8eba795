/** The audit log of a store on a server, read past any engine: a check must not need one that runs. */
import type { AuditRow } from "../audit_row.ts";
import type { CellKeys } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import { StoreError } from "../errors.ts";
import { readAuditKey } from "./audit_log.ts";
import type { Dialect, ServerConnection, ServerOptions, ServerRow } from "./dialect.ts";

/** Rows read at a time. */
const PAGE_ROWS = 5_000;

export interface ServerAuditRows extends AsyncDisposable {
  /** Of the chain; undefined without one, or without the store's key that opens it. */
  readonly key: Uint8Array | undefined;
  /** Oldest first. */
  rows(): AsyncIterable<AuditRow>;
}

/**
 * Opens the audit log of a store; writes nothing.
 *
 * @throws {StoreError} `store.no_audit_log`, or what reaching the server says.
 */
export async function openServerAuditRows(
  dialect: Dialect,
  server: ServerOptions,
  keys: CellKeys | undefined,
): Promise<ServerAuditRows> {
  const connection = await connect(dialect, server);
  try {
    const { rows: [row] } = await connection.run("auditKey");
    const key = row === undefined ? undefined : readAuditKey(String(row.key), cellCipherOf(keys));
    const close = () => connection.close();
    return { key, rows: () => rowsOf(connection), [Symbol.asyncDispose]: close };
  } catch (cause) {
    await connection.close();
    throw new StoreError(
      "store.no_audit_log",
      `Cannot read the audit log in "${server.database}"`,
      {
        cause,
        hint: "There is no store in this database and schema, or it is older than its audit log",
      },
    );
  }
}

async function connect(dialect: Dialect, server: ServerOptions): Promise<ServerConnection> {
  try {
    return await dialect.connect(server, "reader");
  } catch (cause) {
    const { code, message, hint } = dialect.describeFailure(cause);
    throw new StoreError(code, message, { cause, hint });
  }
}

async function* rowsOf(connection: ServerConnection): AsyncIterable<AuditRow> {
  for (let after = 0;;) {
    const { rows } = await connection.run("auditAfter", after, PAGE_ROWS);
    for (const row of rows) yield toAuditRow(row);
    if (rows.length < PAGE_ROWS) return;
    after = Number(rows.at(-1)!.id);
  }
}

function toAuditRow(row: ServerRow): AuditRow {
  return {
    id: Number(row.id),
    at: Number(row.at),
    actor: String(row.actor),
    action: String(row.action),
    channel: row.channel_id === null ? null : String(row.channel_id),
    detail: row.detail === null ? null : String(row.detail),
    isKeyed: row.keyed === 1,
    hash: String(row.row_hash),
  };
}
