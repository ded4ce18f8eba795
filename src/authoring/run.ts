/**
 * Runs one message through its router and handlers and checks what they return.
 *
 * Upstream: the realm's batch loop in `src/sandbox`, and `testing.ts`. Nothing here waits: a handler
 * that returns a promise makes the whole run a promise, one that does not costs no promise at all.
 */
import { type ContentType, Message, RawMessage } from "../hl7/surface.ts";
import { Send, SetState } from "./effects.ts";
import { GraphError } from "./errors.ts";
import { HandlerRef } from "./handles.ts";
import { quoteName } from "./names.ts";
import type { HandlerFunction, Payload } from "./results.ts";
import { type Declarations, type RunContext, setRun } from "./session.ts";

export interface MessageInput {
  readonly router: string;
  /** Handlers to run instead of asking the router. */
  readonly handlers: readonly string[] | undefined;
  readonly text: string;
  readonly contentType: ContentType;
  readonly ingestTime: number;
  /** JSON of `LineageData`; undefined for a message that a partner sent. */
  readonly lineage: string | undefined;
  /** True to stop once the router has named the handlers. */
  readonly routeOnly: boolean;
}

export interface StateWrite {
  readonly namespace: string;
  readonly key: string;
  /** JSON text. */
  readonly value: string;
}

export interface HandlerRun {
  readonly handler: string;
  readonly sends: readonly { readonly to: string; readonly payload: string }[];
  readonly state: readonly StateWrite[];
  readonly error: string | undefined;
}

export interface MessageRun {
  readonly handlers: readonly string[];
  readonly outcomes: readonly HandlerRun[];
  readonly error: string | undefined;
}

/** What a run needs beside its message. */
export interface RunEnvironment {
  readonly declarations: Declarations;
  /** Names a send may go to. */
  readonly destinations: ReadonlySet<string>;
  /** State as this message must see it, earlier handlers' writes included. */
  readState(namespace: string, key: string): string | undefined;
  /** Called for each write of a handler that succeeded, before the next handler runs. */
  writeState(write: StateWrite): void;
}

/** Bounds of what one message may produce: sends, and UTF-16 units of all payloads together. */
export const sendsMax = 1_000;
export const payloadCharsMax = 64 * 1024 * 1024;

/** One message on its way through its router and handlers; errors of author code are values. */
export class MessageRunner {
  readonly #input: MessageInput;
  readonly #environment: RunEnvironment;
  readonly #outcomes: HandlerRun[] = [];
  readonly #onSettled: (run: MessageRun) => void;
  #names: readonly string[] = [];
  /** The parse that copies are made of; undefined once someone may have changed it. */
  #pristine: Message | undefined;
  #raw: RawMessage | undefined;
  #sends = 0;
  #payloadChars = 0;

  /** Index of the handler whose promise is awaited, from 0; -1 when none is. */
  #awaited = -1;
  #current = "";

  /** `onSettled` is called once, and only when `start()` or `abandon()` returned undefined. */
  constructor(
    input: MessageInput,
    environment: RunEnvironment,
    onSettled: (run: MessageRun) => void,
  ) {
    this.#input = input;
    this.#environment = environment;
    this.#onSettled = onSettled;
  }

  /** The handler that runs or is awaited; "" while the router runs. */
  get current(): string {
    return this.#current;
  }

  /** Returns the finished run, or undefined while a handler's promise is awaited. */
  start(): MessageRun | undefined {
    setRun(this.#context());
    try {
      this.#names = this.#input.handlers ?? this.#route();
    } catch (thrown) {
      setRun(undefined);
      return { handlers: [], outcomes: [], error: describeThrown(thrown) };
    }
    if (!this.#input.routeOnly) return this.#continue(0);
    setRun(undefined);
    return { handlers: this.#names, outcomes: [], error: undefined };
  }

  #context(): RunContext {
    const environment = this.#environment;
    return {
      ingestTime: this.#input.ingestTime,
      lineage: this.#input.lineage,
      readState: (namespace, key) => environment.readState(namespace, key),
    };
  }

  #route(): readonly string[] {
    const { routers, handlers } = this.#environment.declarations;
    const router = routers.get(this.#input.router);
    if (router === undefined) {
      throw new GraphError(
        "graph.router_unknown",
        `Cannot route: router ${quoteName(this.#input.router)} is not defined`,
      );
    }
    const message = this.#parse();
    const names = readRoute(router.run(message), handlers);
    if (message instanceof Message && message.encode() === this.#input.text) {
      this.#pristine = message;
    }
    return names;
  }

  /** Gives up the promise that is awaited; its handler gets `error` and the next one its turn. */
  abandon(error: string): MessageRun | undefined {
    const index = this.#awaited;
    this.#awaited = -1;
    this.#outcomes.push({ handler: this.#current, sends: [], state: [], error });
    return this.#continue(index + 1);
  }

  /** Runs the handlers from index `from` on. */
  #continue(from: number): MessageRun | undefined {
    for (let index = from; index < this.#names.length; index++) {
      const name = this.#current = this.#names[index] as string;
      try {
        const result = this.#handlerOf(name)(this.#payloadFor(index));
        if (result instanceof Promise) {
          this.#awaited = index;
          this.#await(result, index);
          return undefined;
        }
        this.#take(name, result);
      } catch (thrown) {
        this.#fail(name, thrown);
      }
    }
    setRun(undefined);
    return { handlers: this.#names, outcomes: this.#outcomes, error: undefined };
  }

  async #await(promise: Promise<unknown>, index: number): Promise<void> {
    const name = this.#names[index] as string;
    let thrown: unknown;
    let result: unknown;
    let isResolved = true;
    try {
      result = await promise;
    } catch (reason) {
      isResolved = false;
      thrown = reason;
    }
    // A promise that settles after it was given up changes nothing.
    if (this.#awaited !== index) return;
    this.#awaited = -1;
    try {
      if (!isResolved) throw thrown;
      this.#take(name, result);
    } catch (failure) {
      this.#fail(name, failure);
    }
    const run = this.#continue(index + 1);
    if (run !== undefined) this.#onSettled(run);
  }

  #handlerOf(name: string): HandlerFunction<Payload> {
    const handler = this.#environment.declarations.handlers.get(name);
    if (handler !== undefined) return handler.run;
    throw new GraphError(
      "graph.handler_unknown",
      `Cannot run handler ${quoteName(name)}: it is not defined`,
    );
  }

  /** Each handler gets a copy of its own; the last one may have the parse itself. */
  #payloadFor(index: number): Payload {
    if (this.#input.contentType !== "hl7v2") return this.#parse();
    const isLast = index === this.#names.length - 1;
    const pristine = this.#pristine ??= Message.parse(this.#input.text);
    if (!isLast) return pristine.copy();
    this.#pristine = undefined;
    return pristine;
  }

  #parse(): Payload {
    const { text, contentType } = this.#input;
    if (contentType === "hl7v2") return Message.parse(text);
    if (this.#raw === undefined) {
      this.#raw = new RawMessage(text, contentType);
      Object.freeze(this.#raw);
    }
    return this.#raw;
  }

  #take(handler: string, result: unknown): void {
    const { sends, state } = readEffects(result, this.#environment.destinations);
    this.#sends += sends.length;
    if (this.#sends > sendsMax) {
      throw tooLarge(`one message may make at most ${sendsMax} sends`);
    }
    for (const { payload } of sends) this.#payloadChars += payload.length;
    if (this.#payloadChars > payloadCharsMax) {
      throw tooLarge(`the payloads of one message may have at most ${payloadCharsMax} characters`);
    }
    for (const write of state) this.#environment.writeState(write);
    this.#outcomes.push({ handler, sends, state, error: undefined });
  }

  #fail(handler: string, thrown: unknown): void {
    this.#outcomes.push({ handler, sends: [], state: [], error: describeThrown(thrown) });
  }
}

/** Handler names in order, each once. */
function readRoute(result: unknown, handlers: ReadonlyMap<string, unknown>): readonly string[] {
  if (result === null) return [];
  const names = new Set<string>();
  for (const entry of Array.isArray(result) ? takeEntries(result) : [result]) {
    if (Array.isArray(result) && (entry === null || entry === undefined || entry === false)) {
      continue;
    }
    const name = HandlerRef.is(entry) ? entry.name : entry;
    if (typeof name !== "string") {
      throw invalidResult(`a router returns handlers, their names or null, not ${kindOf(entry)}`);
    }
    if (!handlers.has(name)) {
      throw new GraphError(
        "graph.handler_unknown",
        `Cannot route: handler ${quoteName(name)} is not defined`,
      );
    }
    names.add(name);
  }
  return [...names];
}

function readEffects(result: unknown, destinations: ReadonlySet<string>) {
  const sends: { to: string; payload: string }[] = [];
  const state: StateWrite[] = [];
  if (result === null) return { sends, state };
  for (const entry of Array.isArray(result) ? takeEntries(result) : [result]) {
    if (Array.isArray(result) && (entry === null || entry === undefined || entry === false)) {
      continue;
    }
    const sent = Send.dataOf(entry);
    if (sent !== undefined) {
      if (!destinations.has(sent.to)) throw unknownDestination(sent.to);
      sends.push(sent);
      continue;
    }
    const write = SetState.dataOf(entry);
    if (write === undefined) {
      throw invalidResult(
        `a handler returns send(…), setState(…), a list of them or null, not ${kindOf(entry)}`,
      );
    }
    state.push(write);
  }
  return { sends, state };
}

/** The entries of a list, read once, however the list answers. */
function takeEntries(list: readonly unknown[]): readonly unknown[] {
  const length = list.length;
  if (length > sendsMax * 2) throw tooLarge(`a result may have at most ${sendsMax * 2} entries`);
  const entries: unknown[] = [];
  for (let index = 0; index < length; index++) entries.push(list[index]);
  return entries;
}

function kindOf(value: unknown): string {
  if (value === undefined) return "undefined (is a return missing?)";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list within the list";
  if (value instanceof Promise) return "a promise";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function invalidResult(problem: string): GraphError {
  return new GraphError("graph.result_invalid", `Cannot take the result: ${problem}`);
}

function tooLarge(problem: string): GraphError {
  return new GraphError("graph.result_too_large", `Cannot take the result: ${problem}`);
}

function unknownDestination(name: string): GraphError {
  return new GraphError(
    "graph.destination_unknown",
    `Cannot send to ${quoteName(name)}: no outbound and no loopback has that name`,
  );
}

const describedCharsMax = 1_000;

/** `"<class>: <text>"` of anything thrown, still to be redacted. Never throws. */
export function describeThrown(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return `thrown ${typeof thrown}`;
    const name: unknown = thrown.name;
    const message: unknown = thrown.message;
    const shown = typeof name === "string" && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : "Error";
    return `${shown}: ${typeof message === "string" ? message.slice(0, describedCharsMax) : ""}`;
  } catch {
    return "Error: the thrown value cannot be read";
  }
}
