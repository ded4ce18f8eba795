/**
 * Tables that ship with the bundle: `codeSet("adt_events").get("A01")`.
 *
 * `graph/` parses the files; here they are read-only maps. A miss is `undefined`, `require()` throws
 * and so errors the message. Source: spec connectors-and-graph §4.4.
 */
import { GraphError } from "./errors.ts";
import { quoteName } from "./names.ts";
import { currentRun, currentSession } from "./session.ts";

/** Lookups accept `undefined`, so reads can be passed straight in. */
export interface Table<V> {
  readonly name: string;
  readonly size: number;
  get(key: string | undefined): V | undefined;
  /** @throws {GraphError} `graph.code_set_miss`, naming the table and never the key. */
  require(key: string | undefined): V;
  has(key: string | undefined): boolean;
  keys(): IterableIterator<string>;
}

export type CodeSetTables = ReadonlyMap<string, ReadonlyMap<string, unknown>>;

/** Makes the tables of one load; records are frozen. */
export function readCodeSets(
  sets: readonly (readonly [string, readonly (readonly [string, unknown])[]])[],
): CodeSetTables {
  const tables = new Map<string, ReadonlyMap<string, unknown>>();
  for (const [name, entries] of sets) {
    tables.set(name, readEntries(entries));
  }
  return tables;
}

/** Makes one table; records are frozen. */
export function readEntries(
  entries: readonly (readonly [string, unknown])[],
): ReadonlyMap<string, unknown> {
  return new Map(entries.map(([key, value]) => [key, freezeDeep(value)]));
}

/**
 * The code set `name` of this bundle: strings, or records when its file has several value columns.
 *
 * @throws {GraphError} `graph.code_set_unknown`; `graph.code_set_outside` when no graph is loaded.
 */
export function codeSet<V = string>(name: string): Table<V> {
  const session = currentSession();
  if (session === undefined || !(session.isLoading || currentRun() !== undefined)) {
    throw new GraphError(
      "graph.code_set_outside",
      `Cannot read code set ${quoteName(name)}: no graph is loading or running`,
    );
  }
  session.declarations.codeSets.add(name);
  if (!session.lateCodeSets) requireTable(name);
  return new CodeSetTable<V>(name);
}

class CodeSetTable<V> implements Table<V> {
  readonly #name: string;

  // Authors reach this class through its instances only, so the realm's freezing does not find it.
  static {
    Object.freeze(this.prototype);
    Object.freeze(this);
  }

  constructor(name: string) {
    this.#name = name;
    Object.freeze(this);
  }

  get name(): string {
    return this.#name;
  }

  get size(): number {
    return requireTable(this.#name).size;
  }

  get(key: string | undefined): V | undefined {
    const table = requireTable(this.#name);
    return key === undefined ? undefined : table.get(key) as V | undefined;
  }

  require(key: string | undefined): V {
    const table = requireTable(this.#name);
    if (key !== undefined && table.has(key)) return table.get(key) as V;
    throw new GraphError(
      "graph.code_set_miss",
      `Cannot translate: code set "${this.#name}" does not hold ${
        key === undefined ? "an absent value" : "the value"
      }`,
    );
  }

  has(key: string | undefined): boolean {
    const table = requireTable(this.#name);
    return key !== undefined && table.has(key);
  }

  keys(): IterableIterator<string> {
    return requireTable(this.#name).keys();
  }
}

function requireTable(name: string): ReadonlyMap<string, unknown> {
  const table = currentSession()?.codeSets.get(name);
  if (table !== undefined) return table;
  throw new GraphError(
    "graph.code_set_unknown",
    `Cannot read code set ${quoteName(name)}: the bundle has none of that name`,
    { hint: "Add codesets/<name>.csv or codesets/<name>.toml" },
  );
}

function freezeDeep(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) freezeDeep(inner);
  return Object.freeze(value);
}
