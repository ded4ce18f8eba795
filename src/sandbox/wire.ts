/**
 * What the engine and the worker post to each other, and how a batch is laid out.
 *
 * Requests cross as one text, results as one flat array, for what they hold outlives the batch:
 * neither side has to make objects of them. Names cross as `names.ts` says.
 */
import { BatchWriter } from "./batch_text.ts";
import type { NameBook } from "./names.ts";
import type { SourceText } from "./module_ids.ts";
import type {
  CodeSetData,
  HandlerOutcome,
  HandlerSend,
  LoadProblem,
  ReferenceData,
  RunRequest,
  RunResult,
  StateEntry,
  StateKey,
} from "./protocol.ts";
import type { StateDump } from "./state_table.ts";

/** What a worker gets first; from then on `null` says that something is in the port. */
export interface Setup {
  readonly port: MessagePort;
  /** Two numbers, at the indexes below. */
  readonly signal: Int32Array<SharedArrayBuffer>;
}

/** 1 while the worker looks into the port by itself, so that its event loop need not be woken. */
export const listening = 0;
/** How many messages were posted while it was; waited for. */
export const posts = 1;

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
  readonly references: readonly ReferenceData[];
  /** Hex; the realm's random numbers grow from it. */
  readonly entropy: string;
  readonly timeoutMs: number;
}

export interface CommitMessage {
  readonly kind: "commit";
  readonly inbound: string;
  readonly entries: readonly StateEntry[];
}

export interface ForgetMessage {
  readonly kind: "forget";
  readonly keys: readonly StateKey[];
}

export interface DiscardMessage {
  readonly kind: "discard";
  readonly inbound: string;
}

/** One version of a reference set takes the place of the one before. */
export interface ReferenceMessage {
  readonly kind: "reference";
  readonly reference: ReferenceData;
}

export interface RunMessage {
  readonly kind: "run";
  readonly timeoutMs: number;
  /** See `packRequests()`. */
  readonly batch: string;
}

export type ToWorker =
  | LoadMessage
  | CommitMessage
  | ForgetMessage
  | DiscardMessage
  | ReferenceMessage
  | RunMessage;

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
    readonly cells: readonly Cell[];
    /** Calls of `console` so far; what they said is dropped. */
    readonly consoleCalls: number;
  }
  /** The batch ran out of time; the worker waits for a load. */
  | { readonly kind: "timedOut"; readonly handler: string };

/** What the results of a batch are made of. */
export type Cell = string | number;

/**
 * Lays requests out, each as `inbound, router, contentType, ingestTime, choice, handlers…, lineage,
 * text`. The lineage is 0 when there is none.
 *
 * The choice is twice the number of handlers named, plus 2 when they are named at all, plus 1 to
 * route only.
 */
export function packRequests(requests: readonly RunRequest[], book: NameBook): string {
  const writer = new BatchWriter();
  for (const request of requests) {
    const { inbound, router, handlers, text, contentType, ingestTime, routeOnly, lineage } =
      request;
    writer.add(book.inbounds.codeOf(inbound));
    writer.add(book.routers.codeOf(router));
    writer.add(book.contentTypes.codeOf(contentType));
    writer.add(ingestTime);
    writer.add((handlers === undefined ? 0 : handlers.length * 2 + 2) + (routeOnly ? 1 : 0));
    if (handlers !== undefined) {
      for (const handler of handlers) writer.add(book.handlers.codeOf(handler));
    }
    writer.add(lineage ?? 0);
    writer.add(text);
  }
  return writer.finish();
}

/** In the place of a payload: it equals the input text. */
export const sameAsInput = -1;
/** In the place of a payload: it equals the one before it. */
export const sameAsBefore = -2;

/**
 * Reads results, each laid out as `tookMs, error` or `tookMs, handlers, handler…, outcomes,
 * outcome…` with 0 or as many outcomes as handlers. An outcome is its error, or `sends, (to,
 * payload)…, writes, (namespace, key, value)…`. Errors are texts, counts are numbers.
 *
 * `redact` runs over every error text before it leaves this room.
 *
 * @throws {TypeError} when the cells are laid out in any other way.
 */
export function unpackResults(
  cells: readonly Cell[],
  book: NameBook,
  redact: (text: string) => string,
): readonly RunResult[] {
  const reader = new ResultReader(cells, book, redact);
  const results: RunResult[] = [];
  while (!reader.isAtEnd) results.push(reader.result());
  return results;
}

class ResultReader {
  readonly #cells: readonly Cell[];
  readonly #book: NameBook;
  readonly #redact: (text: string) => string;
  #at = 0;

  constructor(cells: readonly Cell[], book: NameBook, redact: (text: string) => string) {
    this.#cells = cells;
    this.#book = book;
    this.#redact = redact;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#cells.length;
  }

  result(): RunResult {
    const tookMs = this.#number();
    const first = this.#cells[this.#at++];
    if (typeof first === "string") {
      return { handlers: [], outcomes: [], error: this.#error(first), tookMs };
    }
    const handlers: string[] = [];
    for (let left = count(first); left > 0; left--) {
      handlers.push(this.#book.handlers.nameOf(this.#cells[this.#at++]));
    }
    const outcomes: HandlerOutcome[] = [];
    for (let left = this.#number(), index = 0; left > 0; left--, index++) {
      outcomes.push(this.#outcome(handlers[index] ?? ""));
    }
    return { handlers, outcomes, tookMs };
  }

  #outcome(handler: string): HandlerOutcome {
    const first = this.#cells[this.#at++];
    if (typeof first === "string") {
      return { handler, sends: [], state: [], error: this.#error(first) };
    }
    const sends: HandlerSend[] = [];
    let payload: string | undefined;
    for (let left = count(first); left > 0; left--) {
      const to = this.#book.destinations.nameOf(this.#cells[this.#at++]);
      const cell = this.#cells[this.#at++];
      if (typeof cell === "string") payload = cell;
      else if (cell === sameAsInput) payload = undefined;
      else if (cell !== sameAsBefore) throw misread();
      sends.push({ to, payload });
    }
    const state: StateEntry[] = [];
    for (let left = this.#number(); left > 0; left--) {
      state.push({ namespace: this.#text(), key: this.#text(), value: this.#text() });
    }
    return { handler, sends, state };
  }

  #error(text: string): string {
    return shorten(this.#redact(text));
  }

  #number(): number {
    return count(this.#cells[this.#at++]);
  }

  #text(): string {
    const cell = this.#cells[this.#at++];
    if (typeof cell === "string") return cell;
    throw misread();
  }
}

function count(cell: Cell | undefined): number {
  if (typeof cell === "number" && cell >= 0) return cell;
  throw misread();
}

function misread(): TypeError {
  return new TypeError("Results crossed that are not laid out as results");
}

const errorCharsMax = 200;

/** Error texts are at most this long. */
export function shorten(text: string): string {
  return text.length <= errorCharsMax ? text : text.slice(0, errorCharsMax - 1) + "…";
}
