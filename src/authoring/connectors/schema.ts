/**
 * What a transport's settings are: one table a transport type, and the two functions that read it.
 *
 * Upstream: the factories, `connections.toml` and the API, which all refuse what the table does not
 * hold. Downstream: `src/connectors`, which gets settings that passed here with defaults filled in.
 * Whether a file exists or a port is free does not belong here: that is known at build or at start.
 */

/** `in` reads from a partner, `out` delivers to one. */
export type SettingDirection = "in" | "out";

export type SettingType = "string" | "integer" | "number" | "boolean" | "string_list" | "map";

/** One setting; keys are snake_case, times in seconds, sizes in bytes. */
export interface SettingSpec {
  readonly key: string;
  readonly type: SettingType;
  readonly direction: SettingDirection | "both";
  readonly required?: boolean;
  /** Taken when the key is absent. A present `null` is not absent. */
  readonly default?: string | number | boolean | null;
  /** `null` is allowed and switches it off; for numbers so does 0. */
  readonly nullable?: boolean;
  /** Comes from an environment value only; shown as `***`. */
  readonly secret?: boolean;
  readonly enum?: readonly string[];
  /** Inclusive bounds of a number. */
  readonly min?: number;
  readonly max?: number;
  /** What to do instead, told when the key stands on the wrong side. */
  readonly elsewhere?: string;
  /** One line for the reference page. */
  readonly help: string;
}

/** What is wrong with one setting. The message names the key, never the value. */
export interface SettingProblem {
  readonly key: string;
  readonly message: string;
}

export type SettingValues = Readonly<Record<string, unknown>>;

/** One transport type and all its settings. */
export interface TransportSchema {
  readonly type: string;
  /** True when its source waits for partners to connect. */
  readonly listen: boolean;
  /** True when its source reads a shared resource again and again. */
  readonly poll: boolean;
  /** True when nothing can be delivered over it. */
  readonly inboundOnly?: boolean;
  readonly settings: readonly SettingSpec[];
  /** Rules between settings, or finer than a type. Sees references as they stand. */
  readonly rules?: (
    direction: SettingDirection,
    settings: SettingValues,
  ) => readonly SettingProblem[];
}

const referenceKeys: ReadonlySet<string> = new Set(["env", "default", "cast", "kind"]);

/** True for a value the environment supplies later: `{ env: "key", default?, cast? }`. */
export function isEnvironmentReference(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    typeof (value as { env?: unknown }).env === "string" &&
    Object.keys(value).every((key) => referenceKeys.has(key));
}

/**
 * Returns everything wrong with `settings` for one direction, in table order, then unknown keys.
 *
 * An environment reference counts as present and of the right type, so check again once resolved,
 * with `resolved: true`: only then may a secret be a plain value.
 */
export function checkSettings(
  schema: TransportSchema,
  direction: SettingDirection,
  settings: SettingValues,
  options: { readonly resolved?: boolean } = {},
): readonly SettingProblem[] {
  const resolved = options.resolved ?? false;
  const problems: SettingProblem[] = [];
  const known = new Set<string>();
  for (const spec of schema.settings) {
    known.add(spec.key);
    const message = checkOne(spec, settings[spec.key], { direction, resolved });
    if (message !== undefined) problems.push({ key: spec.key, message });
  }
  for (const key of Object.keys(settings)) {
    if (known.has(key)) continue;
    problems.push({ key, message: `Setting "${key}" is unknown to transport "${schema.type}"` });
  }
  if (problems.length === 0 && schema.rules !== undefined) {
    problems.push(...schema.rules(direction, settings));
  }
  return problems;
}

/** Returns `settings` with the default of every absent key of that direction. */
export function applyDefaults(
  schema: TransportSchema,
  direction: SettingDirection,
  settings: SettingValues,
): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...settings };
  for (const spec of schema.settings) {
    if (!takesDirection(spec, direction) || spec.default === undefined) continue;
    if (filled[spec.key] === undefined) filled[spec.key] = spec.default;
  }
  return filled;
}

function takesDirection(spec: SettingSpec, direction: SettingDirection): boolean {
  return spec.direction === "both" || spec.direction === direction;
}

function checkOne(
  spec: SettingSpec,
  value: unknown,
  { direction, resolved }: { direction: SettingDirection; resolved: boolean },
): string | undefined {
  const name = `Setting "${spec.key}"`;
  if (!takesDirection(spec, direction)) {
    if (value === undefined) return undefined;
    const side = spec.direction === "in" ? "inbound" : "outbound";
    return `${name} belongs to ${side} connections only${
      spec.elsewhere === undefined ? "" : `: ${spec.elsewhere}`
    }`;
  }
  if (value === undefined) return spec.required ? `${name} is required` : undefined;
  if (isEnvironmentReference(value)) return undefined;
  if (spec.secret && !resolved && value !== null) {
    return `${name} is a secret and must come from the environment: use env()`;
  }
  if (value === null) {
    return spec.nullable ? undefined : `${name} must be ${wanted(spec)}, not null`;
  }
  return isOfType(spec, value) ? checkRange(spec, value) : `${name} must be ${wanted(spec)}`;
}

function isOfType(spec: SettingSpec, value: unknown): boolean {
  switch (spec.type) {
    case "string":
      return typeof value === "string" && value.trim() !== "";
    case "integer":
      return Number.isSafeInteger(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "boolean":
      return typeof value === "boolean";
    case "string_list":
      return Array.isArray(value) && value.every((entry) => typeof entry === "string");
    case "map":
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

function checkRange(spec: SettingSpec, value: unknown): string | undefined {
  if (typeof value === "string") {
    return spec.enum === undefined || spec.enum.includes(value)
      ? undefined
      : `Setting "${spec.key}" must be ${wanted(spec)}`;
  }
  if (typeof value !== "number" || (value === 0 && spec.nullable)) return undefined;
  const tooSmall = spec.min !== undefined && value < spec.min;
  const tooLarge = spec.max !== undefined && value > spec.max;
  return tooSmall || tooLarge ? `Setting "${spec.key}" must be ${wanted(spec)}` : undefined;
}

function wanted(spec: SettingSpec): string {
  const off = spec.nullable ? `, or null${isNumeric(spec) ? " or 0" : ""} for none` : "";
  if (spec.enum !== undefined) {
    return `one of ${spec.enum.map((entry) => `"${entry}"`).join(", ")}${off}`;
  }
  const bounds = spec.min === undefined
    ? (spec.max === undefined ? "" : ` of at most ${spec.max}`)
    : (spec.max === undefined
      ? ` of at least ${spec.min}`
      : ` between ${spec.min} and ${spec.max}`);
  return `${typeNames[spec.type]}${bounds}${off}`;
}

function isNumeric(spec: SettingSpec): boolean {
  return spec.type === "integer" || spec.type === "number";
}

const typeNames: Readonly<Record<SettingType, string>> = {
  string: "a string that is not blank",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  string_list: "a list of strings",
  map: "a table",
};
