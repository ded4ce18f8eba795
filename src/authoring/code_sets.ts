/**
 * Tables that ship with the bundle: `codeSet("adt_events").get("A01")`.
 *
 * `graph/` parses the files; here they are read-only maps. A miss is `undefined`, `require()` throws
 * and so errors the message. Source: spec connectors-and-graph §4.4.
 */
import { GraphError } from "./errors.ts";
import { NamedTable, type Table, type TableKind } from "./named_table.ts";
import { quoteName } from "./names.ts";
import { currentRun, currentSession } from "./session.ts";

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
  return new NamedTable<V>(codeSetKind, name);
}

const codeSetKind: TableKind = Object.freeze({
  title: "code set",
  miss: "graph.code_set_miss",
  rows: requireTable,
});

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
