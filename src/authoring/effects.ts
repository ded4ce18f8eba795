/**
 * What a handler asks for: a delivery or a state write. Nothing happens when one is made; the
 * engine carries them out, all or none, when the handler's result is committed.
 */
import { encodeCarriage } from "../hl7/carriage.ts";
import { Message, RawMessage } from "../hl7/surface.ts";
import { EnvRef } from "./env.ts";
import { GraphError } from "./errors.ts";
import { InboundRef, OutboundRef } from "./handles.ts";
import { requireMaker } from "./maker.ts";
import { nameProblem, quoteName } from "./names.ts";
import type { Body, Json } from "./results.ts";

/**
 * Characters and UTF-8 bytes of a state key (namespace and key each), and bytes of its JSON value. An
 * index of PostgreSQL takes 2,704 bytes of both keys.
 */
export const stateKeyCharsMax = 512;
export const stateKeyBytesMax = 1_280;
export const stateValueBytesMax = 65_536;

/** Authors reach these classes over their instances; without this key they make none. */
const maker = Symbol("messagefoundry");

/** One delivery, its payload as it was when `send()` was called. */
export class Send {
  readonly #to: string;
  readonly #payload: string;

  /** Not for authors: `send()` makes these. */
  constructor(by: symbol, to: string, payload: string) {
    requireMaker(by, maker);
    this.#to = to;
    this.#payload = payload;
    Object.freeze(this);
  }

  get to(): string {
    return this.#to;
  }

  static dataOf(value: unknown): { to: string; payload: string } | undefined {
    return typeof value === "object" && value !== null && #payload in value
      ? { to: value.#to, payload: value.#payload }
      : undefined;
  }
}

/** One state write: an upsert. */
export class SetState {
  readonly #namespace: string;
  readonly #key: string;
  readonly #value: string;

  /** Not for authors: `setState()` makes these. */
  constructor(by: symbol, namespace: string, key: string, value: string) {
    requireMaker(by, maker);
    this.#namespace = namespace;
    this.#key = key;
    this.#value = value;
    Object.freeze(this);
  }

  static dataOf(value: unknown): { namespace: string; key: string; value: string } | undefined {
    return typeof value === "object" && value !== null && #namespace in value
      ? { namespace: value.#namespace, key: value.#key, value: value.#value }
      : undefined;
  }
}

/**
 * Delivers `body` to an outbound, or has a loopback take it in as a message of its own. The body is
 * encoded here and now: changing the message afterwards does not change what was sent.
 *
 * @throws {GraphError} `graph.destination_invalid`, `graph.payload_invalid`
 */
export function send(to: OutboundRef | InboundRef<"inert"> | string, body: Body): Send {
  const isHandle = OutboundRef.is(to) || InboundRef.is(to);
  const name = isHandle ? to.name : to;
  // The name of a handle was checked when it was declared.
  const problem = isHandle ? undefined : nameProblem(name);
  if (problem !== undefined) {
    throw new GraphError(
      "graph.destination_invalid",
      `Cannot send: want an outbound, a loopback or its name (${problem})`,
    );
  }
  return new Send(maker, name, encodeBody(name, body));
}

/**
 * Writes a value into transform state, where later messages read it with `state()`.
 *
 * @throws {GraphError} `graph.state_invalid` for an empty name, one with half a character, a value that
 * is not JSON, or more than 512 characters or 1,280 bytes of name or 64 KiB of value.
 */
export function setState(namespace: string, key: string, value: Json): SetState {
  requireStateName("namespace", namespace);
  requireStateName("key", key);
  return new SetState(maker, namespace, key, encodeStateValue(value));
}

/** @throws {GraphError} `graph.state_invalid` */
export function requireStateName(what: "namespace" | "key", name: unknown): void {
  const problem = typeof name !== "string" || name === ""
    ? "must be a string that is not empty"
    : name.length > stateKeyCharsMax
    ? `must have at most ${stateKeyCharsMax} characters`
    : utf8Length(name) > stateKeyBytesMax
    ? `must have at most ${stateKeyBytesMax} bytes`
    // No database keeps half a character: two such names would be one.
    : !name.isWellFormed()
    ? "ends or begins within a character"
    : undefined;
  if (problem !== undefined) throw stateProblem(`the ${what} ${problem}`);
}

function encodeStateValue(value: Json): string {
  const problem = jsonProblem(value);
  if (problem !== undefined) throw stateProblem(`the value ${problem}`);
  const text: unknown = JSON.stringify(value);
  if (typeof text !== "string") throw stateProblem("the value must be JSON");
  if (utf8Length(text) > stateValueBytesMax) {
    throw stateProblem(`the value must have at most ${stateValueBytesMax} bytes as JSON`);
  }
  return text;
}

function stateProblem(problem: string): GraphError {
  return new GraphError("graph.state_invalid", `Cannot set state: ${problem}`);
}

function encodeBody(to: string, body: unknown): string {
  const { text, problem } = tryEncode(body);
  // A body may be a forgery, so what it encodes to is looked at as well.
  if (problem === undefined && typeof text === "string") return text;
  throw new GraphError(
    "graph.payload_invalid",
    `Cannot send to ${quoteName(to)}: the payload ${problem ?? wantedBody}`,
  );
}

const wantedBody = "must be a message, text, bytes, an object or an array";

function tryEncode(body: unknown): { text?: unknown; problem?: string | undefined } {
  if (typeof body === "string") return { text: body };
  if (body instanceof Message || body instanceof RawMessage) return { text: body.encode() };
  if (body instanceof Uint8Array) return { text: encodeCarriage(body) };
  if (typeof body !== "object" || body === null) return { problem: wantedBody };
  const problem = jsonProblem(body);
  return problem === undefined ? { text: JSON.stringify(body) } : { problem };
}

const jsonDepthMax = 100;

/**
 * Returns why `value` would not come back from JSON as it is, or undefined. `undefined` entries of
 * an object are allowed: they are left out.
 */
function jsonProblem(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : "must not hold a number that is not finite";
    case "object":
      break;
    default:
      return `must be JSON and not hold a ${typeof value}`;
  }
  if (value === null) return undefined;
  if (depth >= jsonDepthMax) return "is nested too deeply, or holds itself";
  if (EnvRef.dataOf(value) !== undefined) return "must not hold an env() reference";
  if (Array.isArray(value)) return firstProblem(value, depth);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return "must be JSON and hold plain objects only";
  }
  return firstProblem(Object.values(value).filter((entry) => entry !== undefined), depth);
}

function firstProblem(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const problem = jsonProblem(value, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) bytes += unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
