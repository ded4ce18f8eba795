/** Turns what a flag, a variable or the file holds into the declared type, or says what it wants. */
import { type KeySpec, propertyName, type ScalarKey, type TablesKey } from "./declaration.ts";
import { nearest } from "./nearest.ts";
import { Secret } from "./secret.ts";

/** `text`: flags and variables, everything is written out. `toml`: values carry their type. */
export type RawForm = "text" | "toml";

export type Coerced =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** One thing wrong with a raw value. */
export type Fault =
  /** What was wanted, to follow "wants", and what stands there instead. */
  | { readonly path: FaultPath; readonly wants: string; readonly raw: unknown }
  | { readonly path: FaultPath; readonly unknownKey: string; readonly near: string | undefined };

/** The place inside an array of tables, `[1, "severity"]`; empty for the value itself. */
export type FaultPath = readonly (string | number)[];

/** Reads one raw value as `spec` declares it; numbers in seconds become milliseconds. */
export function coerce(spec: KeySpec, raw: unknown, form: RawForm): Coerced {
  switch (spec.type) {
    case "string":
      if (typeof raw !== "string") return refuse(spec, raw);
      return accept(spec.secret ? new Secret(raw) : raw);
    case "enum":
      return typeof raw === "string" && spec.values.includes(raw) ? accept(raw) : refuse(spec, raw);
    case "boolean":
      return booleanOf(spec, raw, form);
    case "integer":
    case "number":
      return numberOf(spec, raw, form);
    case "list":
      return listOf(spec, raw, form);
    case "tables":
      return form === "text"
        ? refuseFor("the settings file: an array of tables cannot come from a variable", raw)
        : tablesOf(spec, raw);
  }
}

/** Returns the default in the form rooms read it, or undefined when there is none. */
export function defaultOf(spec: KeySpec): unknown {
  if (spec.type === "tables") return Object.freeze([]);
  if (spec.default === undefined) return undefined;
  if (spec.type === "list") return Object.freeze([...spec.default]);
  return spec.type === "number" || spec.type === "integer"
    ? inside(spec, spec.default)
    : spec.default;
}

/** Says what a key takes, for errors and for the reference: `a whole number from 1 to 65535`. */
export function wanted(spec: KeySpec): string {
  switch (spec.type) {
    case "string":
      return "text";
    case "enum":
      return `one of ${spec.values.map((value) => `"${value}"`).join(", ")}`;
    case "boolean":
      return "true or false";
    case "integer":
    case "number":
      return `${spec.type === "integer" ? "a whole number" : "a number"}${range(spec)}`;
    case "list":
      return spec.values === undefined
        ? "a list of texts"
        : `a list of ${spec.values.map((value) => `"${value}"`).join(", ")}`;
    case "tables":
      return "an array of tables";
  }
}

function range(spec: KeySpec & { type: "integer" | "number" }): string {
  const unit = spec.unit === undefined ? "" : ` ${spec.unit}`;
  const { min, max } = spec;
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}${unit}`;
  if (min !== undefined) {
    return spec.exclusiveMin ? ` above ${min}${unit}` : ` of at least ${min}${unit}`;
  }
  return unit && ` of${unit}`;
}

function accept(value: unknown): Coerced {
  return { ok: true, value };
}

function refuse(spec: KeySpec, raw: unknown): Coerced {
  return refuseFor(wanted(spec), raw);
}

function refuseFor(wants: string, raw: unknown): Coerced {
  return { ok: false, faults: [{ path: [], wants, raw }] };
}

const WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  on: true,
  false: false,
  "0": false,
  no: false,
  off: false,
};

function booleanOf(spec: KeySpec, raw: unknown, form: RawForm): Coerced {
  if (typeof raw === "boolean") return accept(raw);
  const word = form === "text" && typeof raw === "string" ? raw.trim().toLowerCase() : "";
  return Object.hasOwn(WORDS, word) ? accept(WORDS[word]) : refuse(spec, raw);
}

function numberOf(
  spec: KeySpec & { type: "integer" | "number" },
  raw: unknown,
  form: RawForm,
): Coerced {
  const value = form === "text" && typeof raw === "string" ? numberFrom(raw.trim()) : raw;
  if (typeof value !== "number" || !Number.isFinite(value)) return refuse(spec, raw);
  if (spec.type === "integer" && !Number.isSafeInteger(value)) return refuse(spec, raw);
  if (spec.min !== undefined && (spec.exclusiveMin ? value <= spec.min : value < spec.min)) {
    return refuse(spec, raw);
  }
  if (spec.max !== undefined && value > spec.max) return refuse(spec, raw);
  return accept(inside(spec, value));
}

/** Returns the number a text spells in decimal, or undefined. */
export function numberFrom(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Converts seconds at the edge. */
function inside(spec: KeySpec, value: number): number {
  return "unit" in spec && spec.unit === "seconds" ? value * 1000 : value;
}

function listOf(
  spec: KeySpec & { type: "list" },
  raw: unknown,
  form: RawForm,
): Coerced {
  const list = form === "text" && typeof raw === "string" ? raw.split(",") : raw;
  if (!Array.isArray(list)) return refuse(spec, raw);
  const texts: string[] = [];
  for (const entry of list as unknown[]) {
    if (typeof entry !== "string") return refuse(spec, raw);
    const text = entry.trim();
    if (text === "") continue;
    if (spec.values !== undefined && !spec.values.includes(text)) return refuse(spec, raw);
    texts.push(text);
  }
  return accept(Object.freeze(texts));
}

function tablesOf(spec: TablesKey, raw: unknown): Coerced {
  if (!Array.isArray(raw)) return refuse(spec, raw);
  const tables: unknown[] = [];
  const faults: Fault[] = [];
  for (const [index, table] of (raw as unknown[]).entries()) {
    const row = isTable(table) ? tableOf(spec.keys, table) : refuse(spec, table);
    if (row.ok) tables.push(row.value);
    else faults.push(...row.faults.map((fault) => ({ ...fault, path: [index, ...fault.path] })));
  }
  return faults.length > 0 ? { ok: false, faults } : accept(Object.freeze(tables));
}

function tableOf(
  keys: Readonly<Record<string, ScalarKey>>,
  table: Readonly<Record<string, unknown>>,
): Coerced {
  const values: Record<string, unknown> = {};
  const faults: Fault[] = Object.keys(table)
    .filter((key) => !Object.hasOwn(keys, key))
    .map((key) => ({ path: [key], unknownKey: key, near: nearest(key, Object.keys(keys)) }));
  for (const [key, spec] of Object.entries(keys)) {
    const value = table[key] === undefined
      ? accept(defaultOf(spec))
      : coerce(spec, table[key], "toml");
    if (value.ok) values[propertyName(key, spec)] = value.value;
    else faults.push(...value.faults.map((fault) => ({ ...fault, path: [key, ...fault.path] })));
  }
  return faults.length > 0 ? { ok: false, faults } : accept(Object.freeze(values));
}

/** Reads as: the value is a TOML table (and neither a list nor a date). */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}
