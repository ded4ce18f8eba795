/**
 * Tables that the engine reads from outside and keeps: `reference("provider_npi").get(id)`.
 *
 * Declared while a module loads, read while a message runs. What is read is a snapshot the engine
 * holds, whole and the same for all messages of a batch; no file or database is touched for it.
 * Source: spec connectors-and-graph §4.6, pipeline-store-cluster §6.
 */
import { databaseRefSchema } from "./connectors/database_ref.ts";
import { checkSettings } from "./connectors/schema.ts";
import { GraphError } from "./errors.ts";
import { toSnakeCase } from "./keys.ts";
import { requireMaker } from "./maker.ts";
import { NamedTable, type Table, type TableKind } from "./named_table.ts";
import { nameProblem, quoteName } from "./names.ts";
import { callerPosition, type Position } from "./position.ts";
import { currentRun, currentSession, loading } from "./session.ts";
import { plainValue, type Setting, type SettingsOf } from "./specs.ts";

export interface FileRefSettings {
  /** The file: `.csv`, `.toml` or `.json`. */
  readonly path: Setting<string>;
  /** Character set of the file; `utf-8` when absent. */
  readonly encoding?: Setting<string>;
}

export type DatabaseRefSettings = SettingsOf<typeof databaseRefSchema, "in">;

export interface ReferenceOptions {
  readonly source: ReferenceSource;
  /** Seconds between two reads of the source; the service's `[reference]` interval when absent. */
  readonly refreshSeconds?: number;
  /** Reserved. */
  readonly maxStalenessSeconds?: number;
}

/** A reference as declared; keys are snake_case, environment references are plain. */
export interface ReferenceDeclaration {
  readonly name: string;
  readonly source: Readonly<Record<string, unknown>>;
  /** Undefined: the service's own interval. */
  readonly refreshSeconds: number | undefined;
  readonly position: Position | undefined;
}

const maker = Symbol("messagefoundry");

/** Where the rows of a reference set come from. */
export class ReferenceSource {
  readonly #settings: Readonly<Record<string, unknown>>;

  /** Not for authors: `fileRef()` and `databaseRef()` make these. */
  constructor(by: symbol, settings: Readonly<Record<string, unknown>>) {
    requireMaker(by, maker);
    this.#settings = settings;
    Object.freeze(this);
  }

  static dataOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
    return typeof value === "object" && value !== null && #settings in value
      ? value.#settings
      : undefined;
  }
}

/**
 * A file that something else writes: rows as in a code set.
 *
 * @throws {GraphError} `graph.reference_invalid`
 */
export function fileRef(settings: FileRefSettings): ReferenceSource {
  const what = "read a reference from a file";
  if (typeof settings !== "object" || settings === null) {
    throw invalid(what, "want its settings as an object");
  }
  for (const key of Object.keys(settings)) {
    if (key !== "path" && key !== "encoding") throw invalid(what, `setting "${key}" is unknown`);
  }
  const { path, encoding } = settings;
  requireText(what, "path", path);
  if (encoding !== undefined) requireText(what, "encoding", encoding);
  return new ReferenceSource(
    maker,
    Object.freeze({
      kind: "file",
      path: plainValue(path),
      encoding: encoding === undefined ? "utf-8" : plainValue(encoding),
    }),
  );
}

/**
 * The rows of a query, which the engine runs at its own pace and never while a message runs.
 *
 * @throws {GraphError} `graph.reference_invalid`
 */
export function databaseRef(settings: DatabaseRefSettings): ReferenceSource {
  const what = "read a reference from a database";
  if (typeof settings !== "object" || settings === null) {
    throw invalid(what, "want its settings as an object");
  }
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    const known = toSnakeCase(key);
    if (!databaseKeys.has(known) || (known === key && /_/.test(key))) {
      throw invalid(what, `setting "${key}" is unknown`);
    }
    if (value !== undefined) plain[known] = plainValue(value);
  }
  const [problem] = checkSettings(databaseRefSchema, "in", plain);
  if (problem !== undefined) {
    const { message } = problem;
    throw invalid(what, `${message.charAt(0).toLowerCase()}${message.slice(1)}`);
  }
  return new ReferenceSource(maker, Object.freeze({ kind: "database", ...plain }));
}

const databaseKeys: ReadonlySet<string> = new Set(databaseRefSchema.settings.map(({ key }) => key));

/**
 * Declares a reference set, or reads one declared elsewhere when there are no options.
 *
 * @throws {GraphError} `graph.reference_invalid`, `graph.name_taken`, `graph.name_invalid`;
 * `graph.outside_load` for a declaration that is made while a message runs.
 */
export function reference<V = string>(name: string, options?: ReferenceOptions): Table<V> {
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new GraphError("graph.name_invalid", `Cannot take a reference: ${problem}`);
  }
  if (options !== undefined) declare(name, options);
  else currentSession()?.declarations.referencesRead.add(name);
  return new NamedTable<V>(referenceKind, name);
}

const optionKeys: ReadonlySet<string> = new Set([
  "source",
  "refreshSeconds",
  "maxStalenessSeconds",
]);

function declare(name: string, options: ReferenceOptions): void {
  const what = `declare reference ${quoteName(name)}`;
  const { references } = loading(what);
  if (references.has(name)) {
    throw new GraphError("graph.name_taken", `Cannot ${what}: another one has that name already`);
  }
  if (typeof options !== "object" || options === null) throw invalid(what, "want its source");
  for (const key of Object.keys(options)) {
    if (!optionKeys.has(key)) throw invalid(what, `option "${key}" is unknown`);
  }
  const { refreshSeconds, maxStalenessSeconds = 0 } = options;
  const source = ReferenceSource.dataOf(options.source);
  if (source === undefined) {
    throw invalid(what, 'option "source" must be fileRef({ … }) or databaseRef({ … })');
  }
  if (refreshSeconds !== undefined && !isSeconds(refreshSeconds)) {
    throw invalid(what, 'option "refreshSeconds" must be a number of at least 0');
  }
  if (!isSeconds(maxStalenessSeconds)) {
    throw invalid(what, 'option "maxStalenessSeconds" must be a number of at least 0');
  }
  if (maxStalenessSeconds > 0) {
    // A bound that nobody keeps is worse than none.
    throw invalid(what, 'option "maxStalenessSeconds" is reserved; 0 is off');
  }
  references.set(name, { name, source, refreshSeconds, position: callerPosition() });
}

function isSeconds(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function requireText(what: string, key: string, value: unknown): void {
  const isText = typeof value === "string" ? value.trim() !== "" : typeof value === "object";
  if (!isText || value === null) {
    throw invalid(what, `setting "${key}" must be a text that is not blank`);
  }
}

function invalid(what: string, problem: string): GraphError {
  return new GraphError("graph.reference_invalid", `Cannot ${what}: ${problem}`);
}

const referenceKind: TableKind = Object.freeze({
  title: "reference",
  miss: "graph.reference_miss",
  rows: requireSnapshot,
});

function requireSnapshot(name: string): ReadonlyMap<string, unknown> {
  if (currentRun() === undefined) {
    throw new GraphError(
      "graph.reference_outside",
      `Cannot read reference ${quoteName(name)}: it is read while a message runs`,
      { hint: "Read it inside a router or handler, not at the top level of a module" },
    );
  }
  const session = currentSession();
  const snapshot = session?.references.get(name);
  if (snapshot !== undefined) return snapshot;
  if (session?.declarations.references.has(name) !== true) {
    throw new GraphError(
      "graph.reference_unknown",
      `Cannot read reference ${quoteName(name)}: no module declares it`,
    );
  }
  throw new GraphError(
    "graph.reference_unsynced",
    `Cannot read reference ${quoteName(name)}: nothing of it was read yet`,
    { hint: "Look in the log for reference.sync_failed of that name" },
  );
}
