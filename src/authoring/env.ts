/**
 * `env("key")`: a value this instance supplies, written down where a setting stands.
 *
 * It is a reference, never the value: `graph/` resolves it on the engine's side when the connection
 * is built, and author code cannot read it. Source: spec connectors-and-graph §4.3.
 */
import { GraphError } from "./errors.ts";
import { requireMaker } from "./maker.ts";

/** How a value that comes as text is read. */
export type EnvCast = "int" | "float" | "bool" | "str";

export interface EnvOptions {
  /** Taken when the instance has no value for the key. */
  readonly default?: string | number | boolean;
  /** Settings carry their own type, so this is for free-form values. */
  readonly cast?: EnvCast;
}

/** The plain form, as in `connections.toml`. */
export interface EnvReferenceData {
  readonly env: string;
  readonly default?: string | number | boolean;
  readonly cast?: EnvCast;
}

const casts: ReadonlySet<unknown> = new Set(["int", "float", "bool", "str"]);

const maker = Symbol("messagefoundry");

/** A reference to an environment value; using it as text, number or JSON throws. */
export class EnvRef {
  readonly #data: EnvReferenceData;

  /** Not for authors: `env()` makes these. */
  constructor(by: symbol, data: EnvReferenceData) {
    requireMaker(by, maker);
    this.#data = data;
  }

  /** The plain form of `value` when it is a reference, else undefined. */
  static dataOf(value: unknown): EnvReferenceData | undefined {
    return typeof value === "object" && value !== null && #data in value ? value.#data : undefined;
  }

  [Symbol.toPrimitive](): never {
    throw usedAsValue(this.#data.env);
  }

  toString(): never {
    throw usedAsValue(this.#data.env);
  }

  valueOf(): never {
    throw usedAsValue(this.#data.env);
  }

  toJSON(): never {
    throw usedAsValue(this.#data.env);
  }
}

/**
 * Refers to the environment value `key`, which is read without regard to case.
 *
 * @throws {GraphError} `graph.env_invalid` for an empty key, an unknown cast or a bad default.
 */
export function env(key: string, options: EnvOptions = {}): EnvRef {
  const problem = referenceProblem(key, options);
  if (problem !== undefined) {
    throw new GraphError("graph.env_invalid", `Cannot refer to environment value: ${problem}`);
  }
  const data = {
    env: key,
    ...(options.default === undefined ? {} : { default: options.default }),
    ...(options.cast === undefined ? {} : { cast: options.cast }),
  };
  return new EnvRef(maker, Object.freeze(data));
}

function referenceProblem(key: unknown, options: unknown): string | undefined {
  if (typeof key !== "string" || key.trim() === "") {
    return "want its key, a string that is not blank";
  }
  if (typeof options !== "object" || options === null) return "want options as an object";
  const given = options as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (name !== "default" && name !== "cast") return `option "${name}" is unknown`;
  }
  if (given.cast !== undefined && !casts.has(given.cast)) {
    return '"cast" must be one of "int", "float", "bool", "str"';
  }
  const type = typeof given.default;
  if (type !== "undefined" && type !== "string" && type !== "number" && type !== "boolean") {
    return '"default" must be a string, a number, true or false';
  }
  return undefined;
}

function usedAsValue(key: string): GraphError {
  return new GraphError(
    "graph.env_as_value",
    `Cannot use env("${key}") as a value: it is a reference and stands in settings only`,
  );
}
