/**
 * A server that speaks TDS and has PostgreSQL behind it: what the SQL Server store says is translated
 * word by word. So the store runs as it is, from its thread to the bytes on the wire, and its
 * statements have to mean what they should: columns, values, results. It shows nothing of how a SQL
 * Server takes them.
 */
import { postgres } from "../../../src/store/postgres/dialect.ts";
import { sqlState } from "../../../src/store/postgres/failures.ts";
import { queries as postgresQueries } from "../../../src/store/postgres/queries.ts";
import { statements as postgresStatements } from "../../../src/store/postgres/statements.ts";
import type {
  ServerConnection,
  ServerRow,
  ServerValue,
} from "../../../src/store/server/dialect.ts";
import { fromStoredText, toStoredText } from "../../../src/store/server/text.ts";
import { sessionTexts } from "../../../src/store/sqlserver/dialect.ts";
import { queries } from "../../../src/store/sqlserver/queries.ts";
import { schemaTexts } from "../../../src/store/sqlserver/schema.ts";
import { NOT_MINE, statements } from "../../../src/store/sqlserver/statements.ts";
import { inSchema } from "../../../src/store/sqlserver/words.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import { type Act, type Answer, Refusal, type Session, type TdsScript } from "./tds_server.ts";
import type { Call } from "./tds_tokens.ts";
import { functions, type Step, translate } from "./translation.ts";

/**
 * What rules do not carry over: what counts rows by `@@ROWCOUNT` or reads what was there before, and
 * what asks for the server itself.
 */
const own = new Map<string, string>(
  ([
    [statements.begin, postgresStatements.begin],
    [statements.beginTrusting, postgresStatements.beginTrusting],
    [queries.pages, postgresQueries.pages],
    [
      sessionTexts.tryLock,
      "SELECT pg_try_advisory_lock(hashtext(coalesce($1::text, current_schema())))::int AS is_mine",
    ],
    [sessionTexts.identify, "SELECT pg_backend_pid() AS pid, 'now' AS started_at"],
    [sessionTexts.findSession, "SELECT pid FROM pg_stat_activity WHERE pid = $1 AND $2 = 'now'"],
    [
      sessionTexts.idleHolders,
      `SELECT a.pid, (extract(epoch FROM clock_timestamp() - a.state_change) * 1000)::bigint AS idle_ms
         FROM pg_stat_activity AS a
        WHERE a.pid <> pg_backend_pid() AND a.state = 'idle in transaction'
          AND EXISTS (SELECT FROM pg_locks AS l
                       WHERE l.pid = a.pid AND l.relation = to_regclass('store_meta'))`,
    ],
    [schemaTexts.lockSchema, "SELECT 1 AS is_mine FROM pg_advisory_xact_lock($1)"],
    [
      schemaTexts.server,
      "SELECT 15 AS version, 3 AS edition, 150 AS level, 1 AS versions_rows, 0 AS is_read_only, 0 AS delays",
    ],
  ] as const).map(([text, by]) => [inSchema(text, undefined), by]),
);

const idleHolders = inSchema(sessionTexts.idleHolders, undefined);

/** Numbers of a SQL Server for what PostgreSQL says. */
const numbers: Readonly<Record<string, number>> = {
  "23505": 2627,
  "22001": 2628,
  "40P01": 1205,
  "53100": 1105,
  "55P03": 1222,
};
const DIVISION_BY_ZERO = "22012";

/** Prepared once, as each of both stores does. */
const names = new Map<string, string>();

class TranslatedSession implements Session {
  readonly #inner: ServerConnection;
  readonly #seesOthers: boolean;
  readonly #steps = new Map<string, readonly Step[]>();
  #isInTransaction = false;

  constructor(inner: ServerConnection, seesOthers: boolean) {
    this.#inner = inner;
    this.#seesOthers = seesOthers;
  }

  async ask(call: Call): Promise<Answer> {
    // The library's settings of the session, and the store's.
    if (/^\s*set /i.test(call.text)) return await this.#set(call.text);
    try {
      return await this.#ask(call);
    } catch (thrown) {
      if (this.#isInTransaction) await this.#inner.rollBack();
      this.#isInTransaction = false;
      const state = sqlState(thrown);
      if (state === undefined) throw thrown;
      const number = state === DIVISION_BY_ZERO ? NOT_MINE : numbers[state];
      throw new Refusal(number ?? 50_000);
    }
  }

  async #set(text: string): Promise<Answer> {
    const [, lockMs] = /LOCK_TIMEOUT (\d+)/.exec(text) ?? [];
    if (lockMs !== undefined) await this.#inner.ask(`SET lock_timeout = ${lockMs}`);
    return { count: 0 };
  }

  async #ask({ text, values }: Call): Promise<Answer> {
    const [, pid] = /^BEGIN TRY EXEC \(N'KILL (\d+)'\)/.exec(text) ?? [];
    if (pid !== undefined) {
      return told(await this.#inner.ask(`SELECT pg_terminate_backend(${pid})`));
    }
    const given = values.map((one) => typeof one === "string" ? fromStoredText(one) : one);
    if (text === idleHolders && !this.#seesOthers) return { count: 0 };
    const special = own.get(text);
    if (special !== undefined) return told(await this.#inner.ask(special, given));
    let steps = this.#steps.get(text);
    if (steps === undefined) this.#steps.set(text, steps = translate(text));
    let last: { readonly rows: readonly ServerRow[]; readonly count: number } = {
      rows: [],
      count: 0,
    };
    let count = 0;
    for (const step of steps) {
      if (step.isElse && last.count > 0) continue;
      const { bound, rest } = fill(step.text, given);
      if (!names.has(bound)) names.set(bound, `t${names.size}`);
      last = await this.#inner.ask(bound, rest, names.get(bound));
      count += last.count;
    }
    return { ...told(last), count };
  }

  async act(act: Act): Promise<void> {
    this.#isInTransaction = act === "begin";
    if (act === "begin") await this.#inner.begin();
    else if (act === "commit") await this.#inner.commit();
    else await this.#inner.rollBack();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

function told({ rows, count }: { readonly rows: readonly ServerRow[]; readonly count: number }) {
  const stored = rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, cell]) =>
        [name, typeof cell === "string" ? toStoredText(cell) : cell] as const
      ),
    )
  );
  return { rows: stored, count };
}

/** Values by what they are: PostgreSQL wants to know. */
function fill(text: string, values: readonly ServerValue[]) {
  const rest: ServerValue[] = [];
  const bound = text.replaceAll(/@p(\d+)\b/g, (_, at) => {
    const value = values[Number(at) - 1];
    if (value === undefined) throw new Error(`No value @p${at}`);
    if (value === null) return "NULL";
    if (typeof value === "boolean") return value ? "1" : "0";
    rest.push(value);
    return `$${rest.length}::${typeof value === "number" ? "bigint" : "text"}`;
  });
  return { bound, rest };
}

/**
 * Each database a client names is a schema of the server.
 *
 * @param seesOthers Whether clients have the right to see the sessions of others.
 */
export function standIn(server: PostgresServer, { seesOthers = true } = {}): TdsScript {
  return {
    async open(drop, { database }) {
      const options = { ...server.options(), schema: database };
      const inner = await postgres.connect(options, "writer");
      inner.onLost = drop;
      // A SQL Server lets a transaction be for as long as its client is there.
      await inner.ask("SET idle_in_transaction_session_timeout = 0");
      await inner.begin();
      await inner.ask("SELECT pg_advisory_xact_lock(1)");
      await inner.ask(`CREATE SCHEMA IF NOT EXISTS "${database}"`);
      const { rows: [row] } = await inner.ask("SELECT to_regproc('string_escape')::text AS made");
      if (row?.made === null) await inner.ask(functions);
      await inner.commit();
      return new TranslatedSession(inner, seesOthers);
    },
  };
}
