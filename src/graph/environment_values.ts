/**
 * The values behind `env("key")`: one TOML table for each environment, overlaid by variables.
 *
 * Keys count without regard to case. A variable `MEFOR_VALUE_<KEY>` wins, so secrets need no file.
 * Source: A `[environments]`; spec connectors-and-graph §4.3.
 */
import { resolve } from "node:path";
import { parse, TomlError } from "@std/toml";
import { type EnvironmentsSettings, isTable, numberFrom, tomlLines } from "../settings/mod.ts";
import type { EnvReference } from "../sandbox/protocol.ts";
import { type GraphProblem, problemAt, readFault, warningAt } from "./problems.ts";

export interface EnvironmentValues {
  /** The file the values come from, whether it exists or not; undefined without an environment. */
  readonly file: string | undefined;
  readonly fileExists: boolean;
  /** By lower-case key. */
  readonly values: ReadonlyMap<string, unknown>;
}

export interface EnvironmentSources {
  readonly settings: EnvironmentsSettings;
  /** Active environment; undefined offline, then only variables supply values. */
  readonly environment: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const PREFIX = "MEFOR_VALUE_";

/** Reads the file of the active environment and overlays the variables. */
export async function loadEnvironmentValues(
  { settings, environment, env }: EnvironmentSources,
): Promise<{ environment: EnvironmentValues; problems: readonly GraphProblem[] }> {
  const values = new Map<string, unknown>();
  const problems: GraphProblem[] = [];
  let file: string | undefined;
  let fileExists = false;
  if (environment !== undefined) {
    file = resolve(environmentsDir(settings), `${environment}.toml`);
    try {
      const text = await readIfThere(file);
      fileExists = text !== undefined;
      if (text !== undefined) readTable({ text, file, values, problems });
    } catch (thrown) {
      const fault = readFault(thrown);
      if (fault === undefined) throw thrown;
      fileExists = true;
      problems.push(problemAt({ file }, `Cannot read the value file: ${fault}`));
    }
  }
  for (const [variable, value] of Object.entries(env)) {
    // An empty variable is one that is not set: a blank host would be worse than a missing one.
    if (!variable.startsWith(PREFIX) || value === undefined || value === "") continue;
    values.set(variable.slice(PREFIX.length).toLowerCase(), value);
  }
  return { environment: { file, fileExists, values }, problems };
}

/** Returns the directory of the value files, absolute. */
export function environmentsDir({ baseDir, dir }: EnvironmentsSettings): string {
  return resolve(baseDir === "" ? "." : baseDir, dir);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

function readTable({ text, file, values, problems }: {
  text: string;
  file: string;
  values: Map<string, unknown>;
  problems: GraphProblem[];
}): void {
  let table: Record<string, unknown>;
  try {
    table = parse(text) as Record<string, unknown>;
  } catch (thrown) {
    if (!(thrown instanceof TomlError)) throw thrown;
    problems.push(problemAt({ file, line: thrown.line }, "The value file is not TOML"));
    return;
  }
  const lines = tomlLines(text);
  for (const [key, value] of Object.entries(table)) {
    const position = { file, line: lines.lineOf([key]) };
    const folded = key.toLowerCase();
    if (isTable(value) || value instanceof Date) {
      problems.push(warningAt(position, `Value "${key}" is not a plain value and is ignored`));
    } else {
      if (values.has(folded)) {
        problems.push(warningAt(position, `Value "${folded}" is given twice; the last counts`));
      }
      values.set(folded, value);
    }
  }
}

/** The kinds of value a setting can want; see `authoring/connectors/schema.ts`. */
export type WantedType = "string" | "integer" | "number" | "boolean" | "string_list" | "map";

export type Resolution =
  | { readonly ok: true; readonly value: unknown }
  /** What to tell after `env("key") `. */
  | { readonly ok: false; readonly reason: string };

/** Returns what a reference stands for, in the type its setting wants. */
export function resolveReference(
  reference: EnvReference,
  { values, wanted }: { values: ReadonlyMap<string, unknown>; wanted: WantedType | undefined },
): Resolution {
  const given = values.get(reference.env.toLowerCase()) ?? reference.default;
  if (given === undefined) return { ok: false, reason: "has no value in this environment" };
  const cast = reference.cast === undefined ? given : castTo(reference.cast, given);
  const value = cast === undefined || wanted === undefined ? cast : coerceTo(wanted, cast);
  if (value !== undefined) return { ok: true, value };
  const name = cast === undefined ? String(reference.cast) : TYPE_NAMES[wanted ?? "string"];
  return { ok: false, reason: `has a value that cannot be read as ${name}` };
}

const TYPE_NAMES: Readonly<Record<WantedType, string>> = {
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  string_list: "a list of texts",
  map: "a table",
};

const CASTS: Readonly<Record<string, WantedType>> = {
  int: "integer",
  float: "number",
  bool: "boolean",
  str: "string",
};

function castTo(cast: string, value: unknown): unknown {
  const wanted = CASTS[cast];
  return wanted === undefined ? undefined : coerceTo(wanted, value);
}

/** Returns `value` as the wanted type, or undefined when it is not one. */
export function coerceTo(wanted: WantedType, value: unknown): unknown {
  switch (wanted) {
    case "string":
      return isPlain(value) ? String(value) : undefined;
    case "integer":
    case "number": {
      const number = typeof value === "string" ? numberFrom(value.trim()) : value;
      if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
      return wanted === "number" || Number.isSafeInteger(number) ? number : undefined;
    }
    case "boolean":
      return typeof value === "boolean" ? value : WORDS.get(String(value).trim().toLowerCase());
    case "string_list":
      if (typeof value === "string") {
        return value.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
      }
      return Array.isArray(value) && value.every(isPlain) ? value.map(String) : undefined;
    case "map":
      return isTable(value) ? value : undefined;
  }
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["yes", true],
  ["on", true],
  ["false", false],
  ["0", false],
  ["no", false],
  ["off", false],
]);
