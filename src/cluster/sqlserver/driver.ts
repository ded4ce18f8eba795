/** How the cluster's connections reach SQL Server: by the store's way, with their own bounds. */
import type { ServerConnection, ServerOptions } from "../../store/server/dialect.ts";
import { Connection } from "../../store/sqlserver/connection.ts";
import { endsConnection, errorNumber } from "../../store/sqlserver/failures.ts";
import type { Driver, Line } from "../server/connection.ts";

export interface SqlServerLine extends Line {
  readonly connection: ServerConnection;
}

/**
 * The server's own bound: no statement of a connection that is gone waits for a lock, or holds one,
 * for longer. Of a deadlock the cluster is not the victim.
 */
export function sessionOf(timeoutMs: number): string {
  return "SET NOCOUNT OFF; SET XACT_ABORT ON; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; " +
    `SET LOCK_TIMEOUT ${Math.ceil(timeoutMs)}; SET DEADLOCK_PRIORITY HIGH`;
}

/** @param timeoutMs For connecting, and for a statement. */
export function sqlServerDriver(server: ServerOptions, timeoutMs: number): Driver<SqlServerLine> {
  const options = {
    ...server,
    connectTimeoutMs: Math.ceil(timeoutMs),
    commandTimeoutMs: Math.ceil(timeoutMs),
  };
  return {
    async open(onGone) {
      const connection = await Connection.open(options, sessionOf(timeoutMs));
      connection.onLost = onGone;
      return {
        connection,
        ask: async (text, values) => (await connection.ask(text, values)).rows,
        drop: () => connection.destroy(),
        end: () => connection.close(),
      };
    },
    refusalOf(thrown) {
      const number = errorNumber(thrown);
      return number === undefined || endsConnection(thrown) ? undefined : `error ${number}`;
    },
  };
}
