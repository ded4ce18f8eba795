/**
 * Reference sets: resolved for one instance, and how the text of a source becomes rows.
 *
 * Reading the source and keeping what was read is `maintenance/`. Source: spec connectors-and-graph
 * §4.6, pipeline-store-cluster §6.
 */
import { resolve } from "node:path";
import { GraphError } from "../authoring/errors.ts";
import { quoteName } from "../authoring/names.ts";
import { codecFor } from "../hl7/mod.ts";
import type { DeclaredReference, ReferenceData } from "../sandbox/protocol.ts";
import { isTable, type ReferenceSettings } from "../settings/mod.ts";
import { type Entry, readTable } from "./code_sets.ts";
import { resolveDatabaseReference } from "./database_references.ts";
import { type EnvironmentValues, resolveReference } from "./environment_values.ts";
import type { FileReference, ReferenceDefinition, ReferenceFormat } from "./graph.ts";
import { type GraphProblem, problemAt, warningAt } from "./problems.ts";
import { isReference } from "./resolve.ts";

export interface ReferenceContext {
  readonly settings: Pick<ReferenceSettings, "refreshIntervalMs">;
  readonly environment: EnvironmentValues;
  /** `MEFOR_ALLOW_INSECURE_TLS=1`. */
  readonly allowInsecureTls?: boolean;
}

/** Resolves every set; one with a problem is left out. */
export function resolveReferences(
  declared: readonly DeclaredReference[],
  { settings, environment, allowInsecureTls = false }: ReferenceContext,
): {
  readonly references: ReadonlyMap<string, ReferenceDefinition>;
  readonly problems: readonly GraphProblem[];
} {
  const problems: GraphProblem[] = [];
  const references = new Map<string, ReferenceDefinition>();
  for (const { name, source, refreshSeconds, position } of declared) {
    const tell = (message: string) => {
      problems.push(problemAt(position, `Reference ${quoteName(name)}: ${message}`));
    };
    const warn = (message: string) => {
      problems.push(warningAt(position, `Reference ${quoteName(name)}: ${message}`));
    };
    const refreshMs = refreshSeconds === undefined
      ? settings.refreshIntervalMs
      : refreshSeconds * 1000;
    const any = { name, refreshMs, position };
    const definition = source.kind === "database"
      ? resolveDatabaseReference(source, { any, environment, allowInsecureTls, tell, warn })
      : resolveFileReference(source, { any, environment, tell });
    if (definition !== undefined) references.set(name, Object.freeze(definition));
  }
  return { references, problems };
}

function resolveFileReference(
  source: Readonly<Record<string, unknown>>,
  { any, environment, tell }: {
    readonly any: Pick<FileReference, "name" | "refreshMs" | "position">;
    readonly environment: EnvironmentValues;
    readonly tell: (message: string) => void;
  },
): FileReference | undefined {
  const path = textOf(source, { key: "path", environment, tell });
  const encoding = textOf(source, { key: "encoding", environment, tell });
  if (path === undefined || encoding === undefined) return undefined;
  const format = formatOf(path);
  if (format === undefined) {
    tell('setting "path" must name a .csv, .toml or .json file');
    return undefined;
  }
  try {
    codecFor(encoding);
  } catch {
    tell('setting "encoding" is not a character set this engine reads');
    return undefined;
  }
  return { ...any, kind: "file", path: resolve(path), format, encoding };
}

/**
 * Reads the sources whose path stands in the graph; one that cannot be read is left out, and asking
 * for it fails as it would in an engine that could not.
 */
export async function readLiteralReferences(
  declared: readonly DeclaredReference[],
): Promise<readonly ReferenceData[]> {
  const environment = { file: undefined, fileExists: false, values: new Map() };
  const settings = { refreshIntervalMs: 0 };
  const { references } = resolveReferences(declared, { settings, environment });
  const filled: ReferenceData[] = [];
  for (const definition of references.values()) {
    // No command opens a connection on its own.
    if (definition.kind !== "file") continue;
    try {
      const rows = readReference(await Deno.readFile(definition.path), definition);
      filled.push({ name: definition.name, entries: JSON.stringify(rows) });
    } catch {
      continue;
    }
  }
  return filled;
}

function textOf(
  source: Readonly<Record<string, unknown>>,
  { key, environment, tell }: {
    readonly key: string;
    readonly environment: EnvironmentValues;
    readonly tell: (message: string) => void;
  },
): string | undefined {
  const value = source[key];
  if (!isReference(value)) return String(value);
  const { values } = environment;
  const resolution = resolveReference(value, { values, wanted: "string" });
  if (!resolution.ok) {
    tell(`setting "${key}": environment value "${value.env}" ${resolution.reason}`);
    return undefined;
  }
  if (typeof resolution.value === "string" && resolution.value.trim() !== "") {
    return resolution.value;
  }
  tell(`setting "${key}": environment value "${value.env}" is blank`);
  return undefined;
}

function formatOf(path: string): ReferenceFormat | undefined {
  const end = /\.(csv|toml|json)$/i.exec(path)?.[1];
  return end?.toLowerCase() as ReferenceFormat | undefined;
}

/**
 * Reads the rows of a source. All of them or none: half a table would look like a whole one.
 *
 * @throws {GraphError} `graph.reference_unreadable`, naming line and reason, never a key or value.
 */
export function readReference(
  bytes: Uint8Array,
  { format, encoding }: Pick<FileReference, "format" | "encoding">,
): readonly Entry[] {
  let text: string;
  try {
    text = codecFor(encoding).decode(bytes).replace(/^\ufeff/, "");
  } catch {
    throw unreadableReference(`it is not text in "${encoding}"`);
  }
  let first: string | undefined;
  const tell = (line: number | undefined, reason: string) => {
    first ??= line === undefined ? reason : `line ${line}: ${reason}`;
  };
  const { entries } = format === "json" ? readJson(text, tell) : readTable(text, format, tell);
  if (first === undefined) return entries;
  throw unreadableReference(first);
}

/** A source whose content is no table; `reason` quotes neither key nor value. */
export function unreadableReference(reason: string): GraphError {
  return new GraphError("graph.reference_unreadable", `Cannot read the source: ${reason}`);
}

/** An object: key to text, number, true, false, or an object of those. */
function readJson(
  text: string,
  tell: (line: number | undefined, reason: string) => void,
): { readonly entries: readonly Entry[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own words quote the text.
    tell(undefined, "the file is not JSON");
    return { entries: [] };
  }
  if (!isTable(value)) {
    tell(undefined, "the file must hold an object, key to value");
    return { entries: [] };
  }
  const entries = Object.entries(value);
  const isPlain = (cell: unknown) =>
    typeof cell === "string" || typeof cell === "number" || typeof cell === "boolean";
  const isSound = entries.every(([, cell]) =>
    isPlain(cell) || (isTable(cell) && Object.values(cell).every(isPlain))
  );
  if (!isSound) {
    tell(undefined, "an entry is a text, a number, true, false, or an object of those");
  }
  return { entries };
}
