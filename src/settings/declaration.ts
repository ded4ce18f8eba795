/**
 * What a settings key is: the one declaration that loader, types, docs and summary derive from.
 *
 * Keys are `snake_case` and carry their unit; the property a room reads is `camelCase`, and a key
 * in seconds becomes a property in milliseconds, converted once, here.
 */
import type { Secret } from "./secret.ts";

export type Unit = "seconds" | "minutes" | "hours" | "days" | "bytes" | "megabytes";

interface KeyBase {
  /** One line for the operator and for docs/reference/settings.md. */
  readonly help: string;
  /** False: accepted and checked, but nothing reads it yet; setting it warns. */
  readonly inEffect: boolean;
  /** The flag of `serve` that overrides it, as typed. */
  readonly flag?: string;
  readonly secret?: boolean;
}

export interface StringKey extends KeyBase {
  readonly type: "string";
  readonly default?: string;
  /** An address that lets in whoever knows it: people are shown its host only. */
  readonly isSecretAddress?: boolean;
}

export interface EnumKey extends KeyBase {
  readonly type: "enum";
  readonly values: readonly string[];
  readonly default?: string;
}

export interface NumberKey extends KeyBase {
  readonly type: "integer" | "number";
  readonly default?: number;
  readonly unit?: Unit;
  /** Inclusive, in the key's own unit. */
  readonly min?: number;
  readonly max?: number;
  /** The smallest value is excluded: `min` itself is refused. */
  readonly exclusiveMin?: boolean;
}

export interface BooleanKey extends KeyBase {
  readonly type: "boolean";
  readonly default?: boolean;
}

/** A list of strings; comma-separated in an environment variable. */
export interface ListKey extends KeyBase {
  readonly type: "list";
  readonly default?: readonly string[];
  readonly values?: readonly string[];
}

/** An array of tables; only the file can hold one. */
export interface TablesKey extends KeyBase {
  readonly type: "tables";
  readonly keys: Readonly<Record<string, ScalarKey>>;
}

export type ScalarKey = StringKey | EnumKey | NumberKey | BooleanKey | ListKey;
export type KeySpec = ScalarKey | TablesKey;
export type SectionKeys = Readonly<Record<string, KeySpec>>;

/** One `[section]` of the settings file. */
export interface SectionSpec {
  readonly name: string;
  readonly help: string;
  readonly keys: SectionKeys;
}

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
type StripSeconds<S extends string> = S extends `${infer Head}_seconds` ? Head : S;

/** The property of key `K`: `retry_backoff_seconds` → `retryBackoffMs`. */
export type PropertyName<K extends string, S> = S extends { readonly unit: "seconds" }
  ? `${Camel<StripSeconds<K>>}Ms`
  : Camel<K>;

type Unset<S> = S extends { readonly default: unknown } ? never : undefined;

/** What a room reads for a key: `undefined` where the key has no default and is not set. */
export type ValueOf<S> = S extends { readonly secret: true } ? Secret | undefined
  : S extends { readonly type: "tables"; readonly keys: infer K } ? readonly ValuesOf<K>[]
  : S extends { readonly type: "enum"; readonly values: readonly (infer V)[] } ? V | Unset<S>
  : S extends { readonly type: "string" } ? string | Unset<S>
  : S extends { readonly type: "integer" | "number" } ? number | Unset<S>
  : S extends { readonly type: "boolean" } ? boolean | Unset<S>
  : S extends { readonly type: "list" } ? readonly string[] | Unset<S>
  : never;

export type ValuesOf<K> = {
  readonly [P in keyof K & string as PropertyName<P, K[P]>]: ValueOf<K[P]>;
};

/** Returns the property name of a key; the runtime twin of {@link PropertyName}. */
export function propertyName(key: string, spec: KeySpec): string {
  const inSeconds = "unit" in spec && spec.unit === "seconds";
  const base = inSeconds ? key.replace(/_seconds$/, "") : key;
  return inSeconds ? `${camelName(base)}Ms` : camelName(base);
}

/** Returns a name of the file as the rooms spell it: `cert_monitor` is `certMonitor`. */
export function camelName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Returns the environment variable of a key: `MEFOR_STORE_PATH`. */
export function variableName(section: string, key: string): string {
  return `MEFOR_${section}_${key}`.toUpperCase();
}
