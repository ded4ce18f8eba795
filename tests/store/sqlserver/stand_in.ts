/**
 * The SQL Server store on PostgreSQL: its own statements, joined and filled with values as for a SQL
 * Server, then translated word by word. What it shows is that they are meant right: that columns,
 * values and results are those that are wanted. It shows nothing of SQL Server itself.
 */
import { jsonList } from "../../../src/store/sqlserver/lists.ts";
import { migrations } from "../../../src/store/sqlserver/migrations/mod.ts";
import { SCHEMA_VERSION, schemaTexts, statementsOf } from "../../../src/store/sqlserver/schema.ts";
import { texts } from "../../../src/store/sqlserver/texts.ts";
import { postgres } from "../../../src/store/postgres/dialect.ts";
import { queries as postgresQueries } from "../../../src/store/postgres/queries.ts";
import { statements as postgresStatements } from "../../../src/store/postgres/statements.ts";
import type {
  Backend,
  Dialect,
  ServerConnection,
  ServerOptions,
  ServerResult,
  ServerValue,
} from "../../../src/store/server/dialect.ts";
import type { StatementName } from "../../../src/store/server/statement_names.ts";
import {
  ServerStore,
  type ServerStoreOptions,
  startWriter,
} from "../../../src/store/server/store.ts";
import { functions, type Step, translate } from "./translation.ts";

/**
 * Statements that rules do not carry over: they count rows with `@@ROWCOUNT`, read what was there
 * before with `deleted`, throw, or read the server's own tables.
 */
const untranslated = ["begin", "beginTrusting"] as const;

class Translated implements ServerConnection {
  readonly #inner: ServerConnection;
  readonly #steps = new Map<string, readonly Step[]>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(inner: ServerConnection) {
    this.#inner = inner;
  }

  get isLost(): boolean {
    return this.#inner.isLost;
  }

  get statements(): number {
    return this.#inner.statements;
  }

  set onLost(act: () => void) {
    this.#inner.onLost = act;
  }

  run(name: StatementName, ...values: readonly ServerValue[]): Promise<ServerResult> {
    const isOwn = (untranslated as readonly string[]).includes(name);
    if (isOwn) return this.#after(() => this.#inner.ask(postgresStatements[name], values, name));
    return this.ask(texts.statements[name], values);
  }

  ask(text: string, values: readonly ServerValue[] = []): Promise<ServerResult> {
    return this.#after(() => this.#ask(text, values));
  }

  async #ask(text: string, values: readonly ServerValue[]): Promise<ServerResult> {
    if (text === texts.queries.pages) return this.#inner.ask(postgresQueries.pages);
    let steps = this.#steps.get(text);
    if (steps === undefined) this.#steps.set(text, steps = translate(text));
    let last: ServerResult = { rows: [], count: 0 };
    let count = 0;
    for (const step of steps) {
      if (step.isElse && last.count > 0) continue;
      const { bound, rest } = fill(step.text, values);
      last = await this.#inner.ask(bound, rest, nameOf(bound));
      count += last.count;
    }
    return { rows: last.rows, count };
  }

  /** In PostgreSQL's own words. */
  said(text: string): Promise<ServerResult> {
    return this.#after(() => this.#inner.ask(text));
  }

  begin(): Promise<unknown> {
    return this.#after(() => this.#inner.begin());
  }

  commit(): Promise<unknown> {
    return this.#after(() => this.#inner.commit());
  }

  rollBack(): Promise<unknown> {
    return this.#after(() => this.#inner.rollBack());
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  destroy(): void {
    this.#inner.destroy();
  }

  /** What was asked together is done in order, also where one text is several statements. */
  #after<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(act);
    this.#tail = done.catch(() => {});
    return done;
  }
}

/** Prepared once, as the other store of this server does. */
const names = new Map<string, string>();

function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) names.set(text, name = `t${names.size}`);
  return name;
}

/** Values by what they are, as the other server gets them. */
function fill(text: string, values: readonly ServerValue[]) {
  const rest: ServerValue[] = [];
  const bound = text.replaceAll(/@p(\d+)\b/g, (_, at) => {
    const value = values[Number(at) - 1];
    if (value === undefined) throw new Error(`No value @p${at}`);
    if (value === null) return "NULL";
    if (typeof value === "boolean") return value ? "1" : "0";
    const isList = typeof value === "object";
    rest.push(isList ? jsonList(value) : value);
    return `$${rest.length}::${typeof value === "number" ? "bigint" : "text"}`;
  });
  return { bound, rest };
}

export const standIn: Dialect = {
  ...texts,
  product: "SQL Server's statements on PostgreSQL",
  connect: async (options, role) => new Translated(await postgres.connect(options, role)),
  openSchema: (connection, options) => makeSchema(connection as Translated, options),
  tryLock: () => Promise.resolve(true),
  identify: () => Promise.resolve<Backend | undefined>(undefined),
  endSession: () => Promise.resolve(),
  describeFailure: postgres.describeFailure,
  isEnvironmental: postgres.isEnvironmental,
  isRefusedTrust: postgres.isRefusedTrust,
};

async function makeSchema(
  connection: Translated,
  { schema }: ServerOptions,
): Promise<readonly string[]> {
  await connection.said(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
  const { rows: [row] } = await connection.said("SELECT to_regclass('store_meta')::text AS meta");
  if (row?.meta !== null) return [];
  const made = [schemaTexts.createMeta, ...migrations.flatMap(({ sql }) => statementsOf(sql))];
  const steps = made.flatMap((text) => translate(text).map((step) => step.text));
  await connection.said(`${functions}${steps.join(";\n")}`);
  await connection.ask(schemaTexts.insertMeta, ["stand-in"]);
  await connection.ask(schemaTexts.setVersion, [SCHEMA_VERSION]);
  return [];
}

export class StandInStore extends ServerStore {
  static async open(options: ServerStoreOptions): Promise<StandInStore> {
    const writer = new URL("./stand_in_worker.ts", import.meta.url);
    return new StandInStore(await startWriter(standIn, writer, options), options);
  }
}
