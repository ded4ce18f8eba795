/**
 * The four declarations: `inbound`, `outbound`, `router`, `handler`.
 *
 * Each is collected by the load under way, with its place in the source, and returns a handle. What
 * a compiler refuses is refused here again, for JavaScript has none.
 */
import type { ContentType, Message, RawMessage } from "../hl7/surface.ts";
import { checkSettings, type SettingDirection } from "./connectors/schema.ts";
import { GraphError } from "./errors.ts";
import { HandlerRef, InboundRef, OutboundRef, RouterRef, type SourceKind } from "./handles.ts";
import { toSnakeCase } from "./keys.ts";
import { nameProblem, quoteName } from "./names.ts";
import {
  type AckMode,
  checkInboundOptions,
  checkOutboundOptions,
  type InternalErrorPolicy,
  type Ordering,
} from "./options.ts";
import { callerPosition } from "./position.ts";
import type {
  HandlerFunction,
  HandlerResult,
  Payload,
  RouterFunction,
  RouterResult,
} from "./results.ts";
import { type ConnectionDeclaration, type Declarations, loading } from "./session.ts";
import { type InboundSpec, type OutboundSpec, plainValue, TransportSpec } from "./specs.ts";

/** Labels for operators; shown, never used for routing. */
export type Metadata = Readonly<Record<string, unknown>>;

interface CommonInboundOptions {
  readonly metadata?: Metadata;
  /** `"ingest"`: a message is acknowledged once it is stored. */
  readonly ackAfter?: "ingest";
  /** Days until bodies of its messages are purged, in place of `[retention]`; 0 keeps them. */
  readonly messagesDays?: number;
}

/** An inbound of HL7 v2: its router reads a `Message`. */
export interface Hl7InboundOptions extends CommonInboundOptions {
  readonly router: RouterRef<Message> | string;
  readonly contentType?: "hl7v2";
  readonly ackMode?: AckMode;
  /** Validates every message against the tables of its version before it is accepted. */
  readonly strict?: boolean;
  /** MSH-12 must equal it; needs `strict`. */
  readonly hl7Version?: string;
}

/** An inbound of anything else: its router reads a `RawMessage`. */
export interface RawInboundOptions extends CommonInboundOptions {
  readonly router: RouterRef<RawMessage> | string;
  readonly contentType: Exclude<ContentType, "hl7v2">;
  readonly ackMode?: "none";
  readonly strict?: never;
  readonly hl7Version?: never;
}

/** Options of a source that partners connect to. */
export interface ListenOptions {
  /** Address to bind; the service's `[inbound].bind_host` when absent. */
  readonly bindAddress?: string;
  /** Addresses and CIDR ranges that may connect; all when absent. */
  readonly sourceIpAllowlist?: readonly string[];
  /** Whether connects, refusals and losses are recorded; `[diagnostics]` when absent. */
  readonly captureConnectionErrors?: boolean;
}

interface NoListenOptions {
  readonly bindAddress?: never;
  readonly sourceIpAllowlist?: never;
  readonly captureConnectionErrors?: never;
}

/** What comes back in was validated and acknowledged where it came from. */
interface InertOptions {
  readonly ackMode?: "none";
  readonly strict?: never;
  readonly hl7Version?: never;
}

export type InboundOptions<K extends SourceKind = SourceKind> =
  & (Hl7InboundOptions | RawInboundOptions)
  & (K extends "listen" ? ListenOptions : NoListenOptions)
  & (K extends "inert" ? InertOptions : unknown);

/** Delay after attempt n: min(max, backoff · multiplier^(n-1)). */
export interface RetryOptions {
  /** null for ever. */
  readonly maxAttempts?: number | null;
  readonly backoffSeconds?: number;
  readonly backoffMultiplier?: number;
  readonly maxBackoffSeconds?: number;
}

/** When a lane counts as building up; either bound suffices, null switches one off. */
export interface BuildupOptions {
  readonly maxDepth?: number | null;
  readonly maxOldestSeconds?: number | null;
}

export interface OutboundOptions {
  readonly retry?: RetryOptions;
  readonly ordering?: Ordering;
  readonly internalError?: InternalErrorPolicy;
  readonly buildup?: BuildupOptions;
  /** Does everything but deliver. */
  readonly simulate?: boolean;
  /** Days until the body of a dead delivery is purged, in place of `[retention]`; 0 keeps it. */
  readonly deadLetterDays?: number;
  readonly metadata?: Metadata;
}

/**
 * Declares a connection that takes messages in and the router they go to.
 *
 * @throws {GraphError} when anything about it cannot be taken; the message says what.
 */
export function inbound<K extends SourceKind>(
  name: string,
  spec: InboundSpec<K>,
  options: InboundOptions<NoInfer<K>>,
): InboundRef<K> {
  const what = `declare inbound ${quoteName(name)}`;
  const declarations = loading(what);
  requireConnectionName(declarations, name, what);
  const { schema, settings } = requireSpec(spec, "in", what);
  const plain = plainOptions(options, what);
  refuse(checkInboundOptions(schema, plain), "graph.option_invalid", what);
  const declaration = { name, type: schema.type, settings, options: plain };
  return add(declarations.inbounds, declaration, new InboundRef<K>(name));
}

/**
 * Declares a connection that delivers messages.
 *
 * @throws {GraphError} when anything about it cannot be taken; the message says what.
 */
export function outbound(
  name: string,
  spec: OutboundSpec,
  options: OutboundOptions = {},
): OutboundRef {
  const what = `declare outbound ${quoteName(name)}`;
  const declarations = loading(what);
  requireConnectionName(declarations, name, what);
  const { schema, settings } = requireSpec(spec, "out", what);
  const plain = plainOptions(options, what);
  refuse(checkOutboundOptions(plain), "graph.option_invalid", what);
  const declaration = { name, type: schema.type, settings, options: plain };
  return add(declarations.outbounds, declaration, new OutboundRef(name));
}

/**
 * Declares a router: it reads a message and names the handlers that get it, or `null`.
 *
 * It must be synchronous and must not rely on the clock, on chance or on what it saw before.
 *
 * @throws {GraphError} when the name is taken or cannot be used.
 */
export function router<M extends Payload = Message>(
  name: string,
  route: (message: M) => RouterResult<M>,
): RouterRef<M> {
  const what = `declare router ${quoteName(name)}`;
  const declarations = loading(what);
  requireFunction(declarations.routers, { name, run: route, what });
  // The type of the payload is the inbound's promise: `inbound()` ties the two together.
  const run = route as unknown as RouterFunction<Payload>;
  declarations.routers.set(name, { name, run, position: callerPosition() });
  return new RouterRef<M>(name, route);
}

/**
 * Declares a handler: it reads a message, its own copy, and returns what is to be sent or set, or
 * `null`.
 *
 * It may be run again on the same message after a crash; only the committed run counts.
 *
 * @throws {GraphError} when the name is taken or cannot be used.
 */
export function handler<M extends Payload = Message>(
  name: string,
  handle: (message: M) => HandlerResult | Promise<HandlerResult>,
): HandlerRef<M> {
  const what = `declare handler ${quoteName(name)}`;
  const declarations = loading(what);
  requireFunction(declarations.handlers, { name, run: handle, what });
  const run = handle as unknown as HandlerFunction<Payload>;
  declarations.handlers.set(name, { name, run, position: callerPosition() });
  return new HandlerRef<M>(name, handle);
}

function add<R>(
  into: Map<string, ConnectionDeclaration>,
  declaration: Omit<ConnectionDeclaration, "position">,
  ref: R,
): R {
  into.set(declaration.name, { ...declaration, position: callerPosition() });
  return ref;
}

function requireConnectionName(declarations: Declarations, name: string, what: string): void {
  requireName(name, what);
  if (declarations.inbounds.has(name)) throw nameTaken(what, "an inbound");
  if (declarations.outbounds.has(name)) throw nameTaken(what, "an outbound");
}

function requireFunction(
  declared: ReadonlyMap<string, unknown>,
  { name, run, what }: { name: string; run: unknown; what: string },
): void {
  requireName(name, what);
  if (declared.has(name)) throw nameTaken(what, "another one");
  if (typeof run === "function") return;
  throw new GraphError("graph.function_missing", `Cannot ${what}: want a function beside its name`);
}

function requireName(name: unknown, what: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new GraphError("graph.name_invalid", `Cannot ${what}: ${problem}`);
  }
}

function nameTaken(what: string, by: string): GraphError {
  return new GraphError("graph.name_taken", `Cannot ${what}: ${by} has that name already`);
}

function requireSpec(spec: unknown, direction: SettingDirection, what: string) {
  const data = TransportSpec.dataOf(spec);
  if (data === undefined) {
    throw new GraphError(
      "graph.transport_missing",
      `Cannot ${what}: want a transport such as mllp({ … }) beside its name`,
    );
  }
  if (direction === "out" && data.schema.inboundOnly === true) {
    throw new GraphError(
      "graph.transport_inbound_only",
      `Cannot ${what}: nothing is delivered over transport "${data.schema.type}"`,
    );
  }
  const problems = checkSettings(data.schema, direction, data.settings);
  refuse(problems.map((problem) => problem.message), "graph.setting_invalid", what);
  return data;
}

/** Options in snake_case; handles become names. */
function plainOptions(options: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new GraphError("graph.option_invalid", `Cannot ${what}: want options as an object`);
  }
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value !== undefined) plain[toSnakeCase(key)] = plainOption(key, value, what);
  }
  return Object.freeze(plain);
}

function plainOption(key: string, value: unknown, what: string): unknown {
  if (key === "router") return routerName(value, what);
  const plain = plainValue(value);
  if (key !== "retry" && key !== "buildup") return plain;
  if (typeof plain !== "object" || plain === null || Array.isArray(plain)) return plain;
  const entries = Object.entries(plain).filter(([, inner]) => inner !== undefined);
  return Object.freeze(
    Object.fromEntries(entries.map(([inner, given]) => [toSnakeCase(inner), given])),
  );
}

function routerName(value: unknown, what: string): string {
  if (RouterRef.is(value)) return value.name;
  if (typeof value === "string") return value;
  throw new GraphError("graph.option_invalid", `Cannot ${what}: option "router" must be a router`);
}

function refuse(problems: readonly string[], code: string, what: string): void {
  if (problems.length > 0) throw new GraphError(code, `Cannot ${what}: ${problems.join("; ")}`);
}
