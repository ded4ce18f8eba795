/** What SQL Server brings to a store on a server. */
import type { ConnectionRole, Dialect, ServerOptions, ServerRow } from "../server/dialect.ts";
import { Connection } from "./connection.ts";
import { describeFailure, errorNumber, isEnvironmental } from "./failures.ts";
import { openSchema } from "./schema.ts";
import { NOT_MINE } from "./statements.ts";
import { texts } from "./texts.ts";

/** Locks are not waited for as long as a statement may take: the server then says what it was. */
const LOCK_MARGIN_MS = 1_000;

/**
 * A session's settings: changed rows are counted, whatever the server's default is; a lock that is not
 * given in time is an error; of a deadlock the writer is not the victim.
 */
export function sessionOf(role: ConnectionRole, { commandTimeoutMs }: ServerOptions): string {
  const lockMs = Math.max(LOCK_MARGIN_MS, commandTimeoutMs - LOCK_MARGIN_MS);
  const priority = role === "writer" ? "HIGH" : "LOW";
  return `SET NOCOUNT OFF; SET XACT_ABORT ON; SET LOCK_TIMEOUT ${lockMs}; ` +
    `SET DEADLOCK_PRIORITY ${priority}`;
}

/** What is said beside the statements of the store; all of it is checked with them. */
export const sessionTexts = {
  /** Of the session, so that it ends with the connection. */
  tryLock: `
    DECLARE @got int,
            @name nvarchar(255) = N'messagefoundry.store.' + COALESCE(@p1, SCHEMA_NAME());
    EXEC @got = sp_getapplock @Resource = @name, @LockMode = 'Exclusive', @LockOwner = 'Session',
         @LockTimeout = 0;
    SELECT CASE WHEN @got >= 0 THEN 1 ELSE 0 END AS is_mine`,
  identify: `
    SELECT CAST(s.session_id AS int) AS pid, CONVERT(nvarchar(40), s.login_time, 126) AS started_at
      FROM sys.dm_exec_sessions AS s
     WHERE s.session_id = @@SPID`,
  /** Finds nothing for who may not see the sessions of others. */
  findSession: `
    SELECT CAST(s.session_id AS int) AS pid
      FROM sys.dm_exec_sessions AS s
     WHERE s.session_id = @p1 AND CONVERT(nvarchar(40), s.login_time, 126) = @p2`,
  /**
   * Sessions that hold the store's lock, or a lock beside it, and are asked for nothing, with how long
   * so. The server itself lets them be for as long as it takes their clients for alive.
   */
  idleHolders: `
    IF HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') = 1
    SELECT CAST(s.session_id AS int) AS pid,
           DATEDIFF_BIG(MILLISECOND, s.last_request_end_time, GETDATE()) AS idle_ms
      FROM sys.dm_exec_sessions AS s
     WHERE s.session_id <> @@SPID AND s.status = N'sleeping' AND s.open_transaction_count > 0
       AND EXISTS (SELECT 1 FROM sys.dm_tran_locks AS l
                    WHERE l.request_session_id = s.session_id
                      AND l.resource_type = N'OBJECT' AND l.resource_database_id = DB_ID()
                      AND l.resource_associated_entity_id = OBJECT_ID(N'mefor.store_meta'))`,
} as const;

/** A writer in the middle of a transaction says more at once; one that does not is gone. */
const IDLE_MS = 1_000;

/** A session is ended by its number, which no statement takes as a value. */
export function killOf(pid: number): string {
  if (!Number.isSafeInteger(pid)) throw new TypeError("Not a session");
  return `BEGIN TRY EXEC (N'KILL ${pid}') END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS refused END CATCH`;
}

export const sqlserver: Dialect = {
  ...texts,

  connect: (options, role) => Connection.open(options, sessionOf(role, options)),

  openSchema,

  async tryLock(connection, { schema }) {
    const { rows: [row] } = await connection.ask(sessionTexts.tryLock, [schema ?? null]);
    return row?.is_mine === 1;
  },

  // Nobody asks: keys are not changed on this backend.
  holdSession: () => Promise.resolve(),

  async identify(connection) {
    const { rows: [row] } = await connection.ask(sessionTexts.identify);
    return row && { pid: Number(row.pid), startedAt: String(row.started_at) };
  },

  async endSession(connection, { pid, startedAt }) {
    const { rows: [row] } = await connection.ask(sessionTexts.findSession, [pid, startedAt]);
    // Without the right to do so it ends when the server notices; until then its lock is waited for.
    if (row !== undefined) await connection.ask(killOf(Number(row.pid)));
  },

  async endIdle(connection) {
    // Who was just at it is looked at once more.
    for (let looks = 2; looks > 0; looks -= 1) {
      const { rows } = await connection.ask(sessionTexts.idleHolders);
      const isGone = (row: ServerRow) => Number(row.idle_ms) >= IDLE_MS;
      for (const { pid } of rows.filter(isGone)) await connection.ask(killOf(Number(pid)));
      if (rows.every(isGone)) return;
      await new Promise((go) => setTimeout(go, IDLE_MS));
    }
  },

  describeFailure,
  isEnvironmental,
  isRefusedTrust: (thrown) => errorNumber(thrown) === NOT_MINE || errorNumber(thrown) === DIVISION,
};

/** How the condition of a fence fails that nobody waits for. */
const DIVISION = 8_134;
