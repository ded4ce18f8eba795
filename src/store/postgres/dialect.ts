/** What PostgreSQL brings to a store on a server. */
import type { Dialect, Parts, ServerConnection } from "../server/dialect.ts";
import { type ChangeStatement, changeStatements } from "../server/statement_names.ts";
import { Connection } from "./connection.ts";
import { describeFailure, isEnvironmental, sqlState } from "./failures.ts";
import { checks } from "./integrity.ts";
import { queries } from "./queries.ts";
import { registerSql } from "./registers/mod.ts";
import { openSchema } from "./schema.ts";
import { holdSession } from "./sessions.ts";
import { statements } from "./statements.ts";

/**
 * The writer's session: commits are durable when they are answered, plans go by the indexes and are
 * made once, and a transaction that is left alone, by a machine that failed, does not keep the
 * store's lock for longer than a short lease of the cluster.
 */
const writerSession = [
  "SET enable_seqscan TO off",
  "SET enable_hashjoin TO off",
  "SET enable_mergejoin TO off",
  "SET jit TO off",
  "SET plan_cache_mode TO force_generic_plan",
  "SET idle_in_transaction_session_timeout TO '5s'",
  "SELECT set_config('synchronous_commit', 'on', false) " +
  "WHERE current_setting('synchronous_commit') IN ('off', 'local')",
];

/** Reads see what is committed, and change nothing. */
const readerSession = ["SET default_transaction_read_only TO on", "SET jit TO off"];

/** How a transaction that relies on memory says that it must not. */
const DIVISION_BY_ZERO = "22012";

export const postgres: Dialect = {
  product: "PostgreSQL",
  statements,
  queries,
  registers: registerSql,
  checks,

  connect: (options, role) =>
    Connection.open(options, role === "writer" ? writerSession : readerSession),

  openSchema: (connection, { schema }) => openSchema(connection, schema),

  async tryLock(connection, { schema }) {
    const { rows: [row] } = await connection.ask(
      `SELECT pg_try_advisory_lock(hashtext('messagefoundry.store'),
                                   hashtext(coalesce($1, current_schema(), ''))) AS is_mine`,
      [schema ?? null],
    );
    return row?.is_mine === 1;
  },

  holdSession,

  async identify(connection: ServerConnection) {
    const { rows: [row] } = await connection.ask(
      `SELECT pid, backend_start::text AS started_at
         FROM pg_stat_activity
        WHERE pid = pg_backend_pid()`,
    );
    return row && { pid: Number(row.pid), startedAt: String(row.started_at) };
  },

  async endSession(connection, { pid, startedAt }) {
    await connection.ask(
      `SELECT pg_terminate_backend(pid)
         FROM pg_stat_activity
        WHERE pid = $1::integer AND backend_start::text = $2`,
      [pid, startedAt],
    );
  },

  // The server does so by itself; see the writer's session.
  endIdle: () => Promise.resolve(),

  join: joinParts,

  // The lease's row is read in each transaction, after the store's lock is held.
  leads: (epoch) => ({
    condition: "EXISTS (SELECT 1 FROM leader_lease " +
      "WHERE lease_key = 'leader' AND leader_epoch = $1::bigint)",
    values: [epoch],
  }),
  leadsNever: { condition: "false", values: [] },

  describeFailure,
  isEnvironmental,
  isRefusedTrust: (thrown) => sqlState(thrown) === DIVISION_BY_ZERO,
};

/** The server tells prepared statements apart by their first 63 characters. */
const codes = new Map(changeStatements.map((name, index) => [name, index.toString(36)]));

/** The parts touch different rows, so it does not matter that each sees the tables as they were. */
function joinParts(parts: Parts): ReturnType<Dialect["join"]> {
  const texts: string[] = [];
  const values: Parts[number]["values"][number][] = [];
  for (const { name, values: own } of parts) {
    const from = values.length;
    texts.push(statements[name].replace(/\$(\d+)/g, (_, at) => `$${from + Number(at)}`));
    values.push(...own);
  }
  const last = texts.pop()!;
  const others = texts.map((text, index) => `part_${index} AS (${text})`).join(",\n");
  const text = others === "" ? last : `WITH ${others}\n${last}`;
  return { name: nameOf(parts), text, values };
}

function nameOf(parts: Parts): string {
  const codeOf = (name: ChangeStatement) => codes.get(name)!;
  return `+${parts.map(({ name }) => codeOf(name)).join("+")}`;
}
