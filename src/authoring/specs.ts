/**
 * Transport specs: `mllp({ port: 2576 })`, `file({ directory: "/in" })`.
 *
 * The types of the settings are computed from the tables in `connectors/`, so what compiles is what
 * the run-time check takes. A spec knows its direction by its type: one with `host` goes out.
 */
import { fileSchema } from "./connectors/file.ts";
import { loopbackSchema } from "./connectors/loopback.ts";
import { mllpSchema } from "./connectors/mllp.ts";
import type { SettingDirection, SettingSpec, TransportSchema } from "./connectors/schema.ts";
import { EnvRef } from "./env.ts";
import { GraphError } from "./errors.ts";
import type { SourceKind } from "./handles.ts";
import { type CamelCase, toSnakeCase } from "./keys.ts";
import { requireMaker } from "./maker.ts";

/** A setting's value, or a reference to one. */
export type Setting<T> = T | EnvRef;

type ValueTypes = {
  string: string;
  integer: number;
  number: number;
  boolean: boolean;
  string_list: readonly string[];
  map: Readonly<Record<string, unknown>>;
};

type ValueOf<S extends SettingSpec> =
  | (S extends { secret: true } ? EnvRef
    : Setting<S extends { enum: readonly (infer E)[] } ? E : ValueTypes[S["type"]]>)
  | (S extends { nullable: true } ? null : never);

type AllOf<T extends TransportSchema> = T["settings"][number];
type OfDirection<T extends TransportSchema, D extends SettingDirection> = Extract<
  AllOf<T>,
  { direction: D | "both" }
>;
type Required<S extends SettingSpec> = Extract<S, { required: true }>;

/** The settings of one transport and direction, as authors write them. */
export type SettingsOf<T extends TransportSchema, D extends SettingDirection> =
  & { readonly [S in Required<OfDirection<T, D>> as CamelCase<S["key"]>]: ValueOf<S> }
  & {
    readonly [
      S in Exclude<OfDirection<T, D>, Required<OfDirection<T, D>>> as CamelCase<S["key"]>
    ]?: ValueOf<S>;
  }
  & { readonly [S in Exclude<AllOf<T>, OfDirection<T, D>> as CamelCase<S["key"]>]?: never };

/** Settings that suit either direction. */
type CommonSettings<T extends TransportSchema> =
  & { readonly [S in Required<SharedOf<T>> as CamelCase<S["key"]>]: ValueOf<S> }
  & {
    readonly [S in Exclude<SharedOf<T>, Required<SharedOf<T>>> as CamelCase<S["key"]>]?: ValueOf<S>;
  }
  & { readonly [S in Exclude<AllOf<T>, SharedOf<T>> as CamelCase<S["key"]>]?: never };
type SharedOf<T extends TransportSchema> = Extract<AllOf<T>, { direction: "both" }>;

const maker = Symbol("messagefoundry");

/** A transport and its settings. `D` says which way it goes, `K` what its source does. */
export class TransportSpec<D extends SettingDirection | "both", K extends SourceKind = SourceKind> {
  // Never read: they carry the type parameters, so a spec of the wrong side does not compile.
  readonly #direction: D | undefined;
  readonly #kind: K | undefined;
  readonly #schema: TransportSchema;
  readonly #settings: Readonly<Record<string, unknown>>;

  /** Not for authors: the factories make these. */
  constructor(by: symbol, schema: TransportSchema, settings: Readonly<Record<string, unknown>>) {
    requireMaker(by, maker);
    this.#schema = schema;
    this.#settings = settings;
    Object.freeze(this);
  }

  get type(): string {
    return this.#schema.type;
  }

  /** Keys are snake_case, environment references plain. */
  static dataOf(
    value: unknown,
  ): { schema: TransportSchema; settings: Readonly<Record<string, unknown>> } | undefined {
    return typeof value === "object" && value !== null && #schema in value
      ? { schema: value.#schema, settings: value.#settings }
      : undefined;
  }
}

export type InboundSpec<K extends SourceKind = SourceKind> = TransportSpec<"in" | "both", K>;
export type OutboundSpec = TransportSpec<"out" | "both", SourceKind>;

export type MllpInboundSettings = SettingsOf<typeof mllpSchema, "in">;
export type MllpOutboundSettings = SettingsOf<typeof mllpSchema, "out">;
export type FileInboundSettings = SettingsOf<typeof fileSchema, "in">;
export type FileOutboundSettings = SettingsOf<typeof fileSchema, "out">;

/**
 * HL7 v2 over MLLP: with `host` it delivers to a partner, without it listens.
 *
 * @throws {GraphError} `graph.setting_invalid` when the settings are no object or hold no such key.
 */
export function mllp(settings: MllpOutboundSettings): TransportSpec<"out", "listen">;
export function mllp(settings: MllpInboundSettings): TransportSpec<"in", "listen">;
export function mllp(settings: object): TransportSpec<SettingDirection, "listen"> {
  return new TransportSpec(maker, mllpSchema, readSettings(mllpSchema, settings));
}

/**
 * A directory: polled for messages as an inbound, given one file a message as an outbound.
 *
 * @throws {GraphError} `graph.setting_invalid` when the settings are no object or hold no such key.
 */
export function file(settings: CommonSettings<typeof fileSchema>): TransportSpec<"both", "poll">;
export function file(settings: FileOutboundSettings): TransportSpec<"out", "poll">;
export function file(settings: FileInboundSettings): TransportSpec<"in", "poll">;
export function file(settings: object): TransportSpec<SettingDirection | "both", "poll"> {
  return new TransportSpec(maker, fileSchema, readSettings(fileSchema, settings));
}

/**
 * No partner at all: an inbound that takes in what partners answer (`reingressTo` of an outbound)
 * and what handlers send to it.
 */
export function loopback(): TransportSpec<"in", "inert"> {
  return new TransportSpec(maker, loopbackSchema, Object.freeze({}));
}

function readSettings(
  schema: TransportSchema,
  settings: object,
): Readonly<Record<string, unknown>> {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new GraphError(
      "graph.setting_invalid",
      `Cannot make transport "${schema.type}": want its settings as an object`,
    );
  }
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    if (/[A-Z_]/.test(key) && toSnakeCase(key) === key) throw snakeCaseKey(schema, key);
    if (value !== undefined) plain[toSnakeCase(key)] = plainValue(value);
  }
  return Object.freeze(plain);
}

const depthMax = 20;

/**
 * Copies a value of settings or options as plain, frozen data, references in their plain form.
 *
 * @throws {GraphError} `graph.setting_invalid` for a function, a big integer, a cycle.
 */
export function plainValue(value: unknown, depth = 0): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" || value === undefined) return value;
  if (typeof value !== "object" || depth === depthMax) {
    const what = typeof value === "object" ? "something nested too deeply" : `a ${typeof value}`;
    throw new GraphError("graph.setting_invalid", `Cannot take settings: they hold ${what}`);
  }
  const reference = EnvRef.dataOf(value);
  if (reference !== undefined) return reference;
  if (Array.isArray(value)) {
    return Object.freeze(value.map((entry) => plainValue(entry, depth + 1)));
  }
  const entries = Object.entries(value).map(([key, inner]) => [key, plainValue(inner, depth + 1)]);
  return Object.freeze(Object.fromEntries(entries));
}

function snakeCaseKey(schema: TransportSchema, key: string): GraphError {
  return new GraphError(
    "graph.setting_invalid",
    `Cannot make transport "${schema.type}": setting "${key}" is written in camelCase here`,
  );
}
