/**
 * The module "messagefoundry/testing": runs routers and handlers in an author's unit tests.
 *
 * Everything runs in the test's own process, with its rights and without the sandbox: author code
 * is trusted here as any code under test is. Import this module before the graph's modules, for it
 * lets them declare. A test file is a process of its own, so what several modules declare stays
 * together.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { buildMessage, runHandler } from "messagefoundry/testing";
 * import { admissions } from "./adt.ts";
 *
 * Deno.test("admissions translates the facility", async () => {
 *   const { sends, error } = await runHandler(admissions, buildMessage({ type: "ADT^A01" }), {
 *     codeSets: { adt_events: { A01: "admit" }, facility_mnemonics: { ACME: "ACMEHOSP" } },
 *   });
 *   assert.equal(error, undefined);
 *   assert.equal(sends[0]?.message.get("MSH-4"), "ACMEHOSP");
 * });
 * ```
 */
import { type ContentType, Message, RawMessage } from "../hl7/surface.ts";
import { readCodeSets, readEntries } from "./code_sets.ts";
import { GraphError } from "./errors.ts";
import { isGraphModule } from "./graph_files.ts";
import type { HandlerRef, RouterRef } from "./handles.ts";
import type { CapturedResponse, Correlation, LineageData } from "./lineage.ts";
import type { Json, Payload } from "./results.ts";
import { type MessageInput, type MessageRun, MessageRunner, type StateWrite } from "./run.ts";
import { openSession } from "./session.ts";

const session = openSession({ codeSets: new Map(), environment: undefined, lateCodeSets: true });

/** What stands around the run. */
export interface RunOptions {
  /** By name: key to value. A code set that is asked for and not here throws. */
  readonly codeSets?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By name: key to value, as the engine would have read them. One that is not here throws. */
  readonly references?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** For a message that came back in: what it was made of. */
  readonly correlation?: Partial<Correlation>;
  /** By outbound: the answer it captured for the message that `correlation` names. */
  readonly responses?: Readonly<Record<string, Partial<CapturedResponse>>>;
  /** By namespace: key to value, as earlier messages would have left it. */
  readonly state?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  /** What `currentEnvironment()` answers. */
  readonly environment?: string;
  /** Epoch seconds; 2024-01-01 when absent, so that tests repeat. */
  readonly ingestTime?: number;
  /** Outbounds that `connections.toml` declares. */
  readonly outbounds?: readonly string[];
}

/** One delivery. */
export interface SentMessage {
  readonly to: string;
  /** The text that would be delivered. */
  readonly payload: string;
  /** The payload as a message; throws when it is none. */
  readonly message: Message;
}

export interface HandlerResultInTest {
  readonly sends: readonly SentMessage[];
  /** In order; values parsed. */
  readonly state: readonly { readonly namespace: string; readonly key: string; value: Json }[];
  /** `"<class>: <text>"` when it failed; then nothing was sent or set. */
  readonly error: string | undefined;
}

export interface RouterResultInTest {
  /** Names, each once. */
  readonly handlers: readonly string[];
  readonly error: string | undefined;
}

/** Everything an inbound would do with one message. */
export interface InboundResult extends RouterResultInTest {
  readonly outcomes: readonly ({ readonly handler: string } & HandlerResultInTest)[];
}

/** What a bundle declares, by name. */
export interface LoadedBundle {
  readonly inbounds: readonly string[];
  readonly outbounds: readonly string[];
  readonly routers: readonly string[];
  readonly handlers: readonly string[];
}

const ingestTimeDefault = 1_704_067_200;

/**
 * Imports every module of `DIR/graph`, sorted by name; its handlers and routers can then be run by
 * name. `dir` may be a path or a `file:` URL.
 */
export async function loadBundle(dir: string | URL): Promise<LoadedBundle> {
  const base = typeof dir === "string" ? fileUrlOf(Deno.realPathSync(dir)) : dir;
  const graph = new URL("graph/", base.href.endsWith("/") ? base : `${base.href}/`);
  const names = [...Deno.readDirSync(graph)].map(({ name }) => name).filter(isGraphModule);
  for (const name of names.toSorted()) await import(new URL(encodeURIComponent(name), graph).href);
  const { inbounds, outbounds, routers, handlers } = session.declarations;
  return {
    inbounds: [...inbounds.keys()],
    outbounds: [...outbounds.keys()],
    routers: [...routers.keys()],
    handlers: [...handlers.keys()],
  };
}

/** Signs that mean something in a URL mean themselves in a path; author code gets no `node:url`. */
function fileUrlOf(path: string): URL {
  return new URL(`file://${path.replace(/[%?#\t\n\r]/g, encodeURIComponent)}`);
}

/** Runs one handler on its own copy of `message`; text is taken as HL7 v2. */
export async function runHandler<M extends Payload>(
  handler: HandlerRef<M> | string,
  message: M | string,
  options: RunOptions = {},
): Promise<HandlerResultInTest> {
  const name = typeof handler === "string" ? handler : handler.name;
  const { outcomes } = await run({ ...inputOf(message), handlers: [name] }, options);
  return readOutcome(outcomes[0]);
}

/** Asks one router. */
export async function runRouter<M extends Payload>(
  router: RouterRef<M> | string,
  message: M | string,
  options: RunOptions = {},
): Promise<RouterResultInTest> {
  const name = typeof router === "string" ? router : router.name;
  const input = { ...inputOf(message), router: name, routeOnly: true };
  const { handlers, error } = await run(input, options);
  return { handlers, error };
}

/** Runs the router of an inbound and then the handlers it names. */
export async function runInbound(
  name: string,
  message: Payload | string,
  options: RunOptions = {},
): Promise<InboundResult> {
  const inbound = session.declarations.inbounds.get(name);
  if (inbound === undefined) {
    throw new GraphError(
      "graph.inbound_unknown",
      `Cannot run inbound "${name}": it is not defined`,
    );
  }
  const router = String(inbound.options.router);
  const { handlers, error, outcomes } = await run({ ...inputOf(message), router }, options);
  return {
    handlers,
    error,
    outcomes: outcomes.map((outcome) => ({ handler: outcome.handler, ...readOutcome(outcome) })),
  };
}

export interface MessageParts {
  /** MSH-9: `ADT^A01`. */
  readonly type: string;
  /** MSH-10. */
  readonly controlId?: string;
  /** MSH-12. */
  readonly version?: string;
  /** MSH-3 to MSH-6. */
  readonly parties?: readonly [string, string, string, string];
  /** What follows MSH, one segment each: `PID|1||123^^^ACME^MR`. */
  readonly segments?: readonly string[];
}

/** Builds a message with an MSH of the usual delimiters; the same parts make the same text. */
export function buildMessage(parts: MessageParts): Message {
  const { type, controlId = "1", version = "2.5.1", segments = [] } = parts;
  const parties = parts.parties ?? ["EHR", "ACME", "ENGINE", "ACME"];
  const header = ["MSH", "^~\\&", ...parties, "20240101000000", "", type, controlId, "P", version];
  return Message.parse([header.join("|"), ...segments, ""].join("\r"));
}

function inputOf(message: Payload | string): MessageInput {
  const isText = typeof message === "string";
  return {
    router: "",
    handlers: undefined,
    text: isText ? message : message.encode(),
    contentType: isText ? "hl7v2" : message.contentType as ContentType,
    ingestTime: 0,
    lineage: undefined,
    routeOnly: false,
  };
}

/** Runs one after the other, for author code reads what one run set up. */
function run(input: MessageInput, options: RunOptions): Promise<MessageRun> {
  const result = lastRun.then(() => runNow(input, options));
  lastRun = result.catch(() => {});
  return result;
}

let lastRun: Promise<unknown> = Promise.resolve();

async function runNow(input: MessageInput, options: RunOptions): Promise<MessageRun> {
  session.codeSets = readCodeSets(
    Object.entries(options.codeSets ?? {}).map(([name, table]) => [name, Object.entries(table)]),
  );
  session.references = new Map(
    Object.entries(options.references ?? {}).map((
      [name, table],
    ) => [name, readEntries(Object.entries(table))]),
  );
  session.environment = options.environment;
  const written = new Map<string, string>();
  for (const [namespace, entries] of Object.entries(options.state ?? {})) {
    for (const [key, value] of Object.entries(entries)) {
      written.set(stateKey(namespace, key), JSON.stringify(value));
    }
  }
  const { promise, resolve } = Promise.withResolvers<MessageRun>();
  const runner = new MessageRunner(
    {
      ...input,
      ingestTime: options.ingestTime ?? ingestTimeDefault,
      lineage: lineageOf(options),
    },
    {
      declarations: session.declarations,
      destinations: new Set([
        ...session.declarations.outbounds.keys(),
        ...[...session.declarations.inbounds.values()]
          .filter(({ type }) => type === "loopback").map(({ name }) => name),
        ...options.outbounds ?? [],
      ]),
      readState: (namespace, key) => written.get(stateKey(namespace, key)),
      writeState: ({ namespace, key, value }: StateWrite) => {
        written.set(stateKey(namespace, key), value);
      },
    },
    resolve,
  );
  return runner.start() ?? await promise;
}

function lineageOf({ correlation, responses }: RunOptions): string | undefined {
  if (correlation === undefined && responses === undefined) return undefined;
  const { id = "origin", rootId = id, depth = 1, ...from } = correlation ?? {};
  const captured = Object.entries(responses ?? {}).map(([outbound, answer]) => ({
    outbound,
    outcome: "accepted" as const,
    ...answer,
  }));
  return JSON.stringify({ id, rootId, depth, ...from, responses: captured } satisfies LineageData);
}

function stateKey(namespace: string, key: string): string {
  return JSON.stringify([namespace, key]);
}

function readOutcome(outcome: MessageRun["outcomes"][number] | undefined): HandlerResultInTest {
  return {
    sends: (outcome?.sends ?? []).map(({ to, payload }) => ({
      to,
      payload,
      get message() {
        return Message.parse(payload);
      },
    })),
    state: (outcome?.state ?? []).map(({ namespace, key, value }) => ({
      namespace,
      key,
      value: JSON.parse(value) as Json,
    })),
    error: outcome?.error,
  };
}

export { Message, RawMessage };
