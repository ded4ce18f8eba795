/**
 * What the engine and the worker post to each other, and how a batch is laid out.
 *
 * A batch is one array of strings each way: JSON for what is small, then the texts as they are. An
 * array of strings is what crosses cheapest.
 */
import type { SourceText } from "./module_ids.ts";
import type {
  CodeSetData,
  HandlerOutcome,
  HandlerSend,
  LoadProblem,
  RunRequest,
  RunResult,
  StateEntry,
} from "./protocol.ts";
import type { StateDump } from "./state_table.ts";

/** Begins a realm anew, in a worker that is new or whose last batch ran out of time. */
export interface LoadMessage {
  readonly kind: "load";
  /** The engine's files; `entries` and what they import are the author's. */
  readonly engine: readonly SourceText[];
  readonly author: readonly SourceText[];
  /** Ids of the author's modules to evaluate, in order. */
  readonly entries: readonly string[];
  /** Ids of author's files that are there but cannot be read. */
  readonly broken: readonly string[];
  readonly codeSets: readonly CodeSetData[];
  readonly environment: string | undefined;
  /** Outbounds that `connections.toml` adds to the modules' own. */
  readonly outboundNames: readonly string[];
  readonly state: StateDump;
  /** Hex; the realm's random numbers grow from it. */
  readonly entropy: string;
  readonly timeoutMs: number;
}

export interface CommitMessage {
  readonly kind: "commit";
  readonly inbound: string;
  readonly entries: readonly StateEntry[];
}

export interface DiscardMessage {
  readonly kind: "discard";
  readonly inbound: string;
}

export interface RunMessage {
  readonly kind: "run";
  readonly timeoutMs: number;
  /** Header, then one text a request. */
  readonly texts: readonly string[];
}

export type ToWorker = LoadMessage | CommitMessage | DiscardMessage | RunMessage;

/** A function as the realm describes it. */
export interface RawFunction {
  readonly name: string;
  readonly position: { readonly file: string; readonly line: number } | undefined;
  /** Its source text, for the names it mentions. */
  readonly source: string;
}

export type FromWorker =
  | {
    readonly kind: "loaded";
    /** JSON of the registry, functions as `RawFunction`. */
    readonly registry: string;
    readonly problems: readonly LoadProblem[];
  }
  /** Nothing usable came to be: the load ran out of time. */
  | { readonly kind: "unloaded"; readonly problems: readonly LoadProblem[] }
  | {
    readonly kind: "ran";
    /** JSON of `WireResult[]`, then the payloads. */
    readonly texts: readonly string[];
    /** Calls of `console` so far; what they said is dropped. */
    readonly consoleCalls: number;
  }
  /** The batch ran out of time; the worker waits for a load. */
  | { readonly kind: "timedOut"; readonly handler: string };

/** `[inbound, router, handlers, contentType, ingestTime, 1 to route only]` */
export type WireRequest = readonly [
  string,
  string,
  readonly string[] | null,
  string,
  number,
  0 | 1,
];

/** `[handler, [[to, payload index], …], [[namespace, key, value], …], error]`; index -1: the input. */
export type WireOutcome = readonly [
  string,
  readonly (readonly [string, number])[],
  readonly (readonly [string, string, string])[],
  string | null,
];

/** `[handlers, outcomes, error, milliseconds]` */
export type WireResult = readonly [
  readonly string[],
  readonly WireOutcome[],
  string | null,
  number,
];

export function packRequests(requests: readonly RunRequest[]): readonly string[] {
  const header: WireRequest[] = [];
  const texts: string[] = [""];
  for (const request of requests) {
    const { inbound, router, handlers = null, contentType, ingestTime } = request;
    const routeOnly = request.routeOnly === true ? 1 : 0;
    header.push([inbound, router, handlers, contentType, ingestTime, routeOnly]);
    texts.push(request.text);
  }
  texts[0] = JSON.stringify(header);
  return texts;
}

/** `redact` runs over every error text before it leaves this room. */
export function unpackResults(
  texts: readonly string[],
  redact: (text: string) => string,
): readonly RunResult[] {
  const results = JSON.parse(texts[0] ?? "[]") as readonly WireResult[];
  return results.map(([handlers, outcomes, error, tookMs]) => ({
    handlers,
    outcomes: outcomes.map((outcome) => unpackOutcome(outcome, texts, redact)),
    ...(error === null ? {} : { error: shorten(redact(error)) }),
    tookMs,
  }));
}

const errorCharsMax = 200;

/** Error texts are at most this long. */
export function shorten(text: string): string {
  return text.length <= errorCharsMax ? text : text.slice(0, errorCharsMax - 1) + "…";
}

function unpackOutcome(
  [handler, sends, state, error]: WireOutcome,
  texts: readonly string[],
  redact: (text: string) => string,
): HandlerOutcome {
  return {
    handler,
    sends: sends.map(([to, index]): HandlerSend => ({ to, payload: texts[index] })),
    state: state.map(([namespace, key, value]) => ({ namespace, key, value })),
    ...(error === null ? {} : { error: shorten(redact(error)) }),
  };
}
