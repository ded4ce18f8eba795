/**
 * The engine's end inside the realm of author code: takes batches in, gives results out.
 *
 * The worker calls the functions below with primitives and gets primitives back, so no object of the
 * worker ever reaches author code. What runs author code runs through `go()`, which the worker calls
 * from a script under a time limit.
 */
import { readCodeSets, readEntries } from "../../authoring/code_sets.ts";
import { Send, SetState } from "../../authoring/effects.ts";
import { EnvRef } from "../../authoring/env.ts";
import { HandlerRef, InboundRef, OutboundRef, RouterRef } from "../../authoring/handles.ts";
import * as messagefoundry from "../../authoring/mod.ts";
import { authorPosition } from "../../authoring/position.ts";
import {
  describeThrown,
  type HandlerRun,
  type MessageRun,
  MessageRunner,
  type RunEnvironment,
  type StateWrite,
} from "../../authoring/run.ts";
import { ReferenceSource } from "../../authoring/references.ts";
import { TransportSpec } from "../../authoring/specs.ts";
import {
  closeLoad,
  currentSession,
  type Declarations,
  openSession,
  setRun,
} from "../../authoring/session.ts";
import type { ContentType } from "../../hl7/surface.ts";
import { BatchReader } from "../batch_text.ts";
import { destinationsOf, makeNameBook, type NameBook } from "../names.ts";
import type { CodeSetData, StateEntry, StateKey } from "../protocol.ts";
import { type StateDump, StateTable } from "../state_table.ts";
import { type Cell, type RawFunction, sameAsBefore, sameAsInput } from "../wire.ts";
import { consoleCallCount, installConsole } from "./console.ts";
import { installCrypto } from "./entropy.ts";
import { hardenRealm } from "./harden.ts";
import { installLimits, renewBudget } from "./limits.ts";

/** Name of the global that a script calls; author code gains nothing by calling it. */
export const goName = "__messagefoundry_go__";

let declarations: Declarations | undefined;
let table = new StateTable();
let destinations: ReadonlySet<string> = new Set();
let book: NameBook | undefined;
/** What the next `go()` does; undefined refuses it. */
let armed: (() => void) | undefined;
let batch: Batch | undefined;
let stashed: unknown;
let described = "";

/** Makes the realm ready for author modules. */
export function prepare(
  entropy: string,
  environment: string | undefined,
  codeSets: string,
  state: string,
): void {
  const sets = JSON.parse(codeSets) as readonly CodeSetData[];
  const session = openSession({
    codeSets: readCodeSets(sets.map(({ name, entries }) => [name, entries] as const)),
    environment,
  });
  declarations = session.declarations;
  table = StateTable.restore(JSON.parse(state) as StateDump);
  Object.defineProperty(globalThis, goName, { value: go });
  installConsole();
  installCrypto(entropy);
  installLimits();
}

/** Closes the realm; called after every engine module is evaluated and before any of the author's. */
export function harden(): void {
  hardenRealm([
    ...Object.values(messagefoundry),
    // Reached over their instances.
    ...[EnvRef, HandlerRef, InboundRef, OutboundRef, RouterRef, Send, SetState],
    ...[TransportSpec, ReferenceSource],
  ]);
}

/** Takes something an author's module threw, to be described under a time limit. */
export function stash(thrown: unknown): void {
  stashed = thrown;
  described = "";
  armed = () => {
    described = JSON.stringify({
      text: describeThrown(stashed),
      position: positionOf(stashed),
    });
  };
}

/** `{ text, position }` of what was stashed, or "". */
export function takeDescription(): string {
  stashed = undefined;
  return described;
}

/** Ends the load; returns the registry as JSON. */
export function finishLoad(outboundNames: string): string {
  closeLoad();
  const loaded = requireDeclarations();
  const others = JSON.parse(outboundNames) as readonly string[];
  const registry = {
    inbounds: [...loaded.inbounds.values()],
    outbounds: [...loaded.outbounds.values()],
    routers: [...loaded.routers.values()].map(rawFunction),
    handlers: [...loaded.handlers.values()].map(rawFunction),
    codeSets: [...loaded.codeSets],
    references: [...loaded.references.values()],
    referencesRead: [...loaded.referencesRead],
  };
  destinations = new Set(destinationsOf(registry, others));
  book = makeNameBook(registry, others);
  return JSON.stringify(registry);
}

/** A version of a reference set takes the place of the one before, between two batches. */
export function setReference(name: string, entries: string): void {
  const rows = JSON.parse(entries) as readonly (readonly [string, unknown])[];
  currentSession()?.references.set(name, readEntries(rows));
}

export function commitState(inbound: string, entries: string): void {
  table.commit(inbound, JSON.parse(entries) as readonly StateEntry[]);
}

export function forgetState(keys: string): void {
  table.forget(JSON.parse(keys) as readonly StateKey[]);
}

export function discardState(inbound: string): void {
  table.discard(inbound);
}

/** Begins a batch, laid out as `wire.ts` says. */
export function beginBatch(requests: string): void {
  batch = new Batch(requireBook(), requests);
}

/** Lets the next `go()` run the batch from where it stands. */
export function armBatch(): void {
  const current = batch;
  armed = () => current?.advance();
}

export function isDone(): boolean {
  return batch?.isDone ?? true;
}

/** Gives up the promise the batch waits for; arm and go again. */
export function abandon(error: string): void {
  const current = batch;
  armed = () => current?.abandon(error);
}

/** The handler that runs or is awaited, or "". */
export function currentHandler(): string {
  return batch?.current ?? "";
}

/** How many cells the finished batch comes out as. */
export function resultCount(): number {
  return batch?.out.length ?? 0;
}

export function result(index: number): Cell {
  return batch?.out[index] ?? "";
}

export function endBatch(): void {
  batch = undefined;
  setRun(undefined);
}

export { consoleCallCount };

function go(): void {
  const task = armed;
  armed = undefined;
  if (task === undefined) throw new TypeError("This function is the engine's");
  task();
}

/** The requests of a batch, one after the other; `wire.ts` says how both ends are laid out. */
class Batch implements RunEnvironment {
  readonly out: Cell[] = [];
  isDone = false;
  readonly declarations = requireDeclarations();
  readonly destinations = destinations;
  readonly #book: NameBook;
  readonly #requests: BatchReader;
  /** Of the message that runs. */
  #inbound = "";
  #text = "";
  #runner: MessageRunner | undefined;
  #startedAt = Date.now();
  readonly #onSettled = (run: MessageRun): void => {
    this.#record(run);
    this.advance();
  };

  constructor(book: NameBook, requests: string) {
    this.#book = book;
    this.#requests = new BatchReader(requests);
  }

  get current(): string {
    return this.#runner?.current ?? "";
  }

  readState(namespace: string, key: string): string | undefined {
    return table.read(this.#inbound, namespace, key);
  }

  writeState(write: StateWrite): void {
    table.write(this.#inbound, write);
  }

  advance(): void {
    while (!this.#requests.isAtEnd) {
      const run = this.#start();
      if (run === undefined) return;
      this.#record(run);
    }
    this.isDone = true;
  }

  abandon(error: string): void {
    const run = this.#runner?.abandon(error);
    if (run === undefined) return;
    this.#record(run);
    this.advance();
  }

  #start(): MessageRun | undefined {
    renewBudget();
    const requests = this.#requests;
    this.#inbound = this.#book.inbounds.nameOf(requests.next());
    const router = this.#book.routers.nameOf(requests.next());
    const contentType = this.#book.contentTypes.nameOf(requests.next()) as ContentType;
    const ingestTime = Number(requests.next());
    const choice = Number(requests.next());
    const handlers = choice < 2 ? undefined : this.#handlers((choice >> 1) - 1);
    const given = requests.next();
    const lineage = given === 0 ? undefined : String(given);
    const text = this.#text = String(requests.next());
    const routeOnly = choice % 2 === 1;
    const input = { router, handlers, text, contentType, ingestTime, lineage, routeOnly };
    this.#runner = new MessageRunner(input, this, this.#onSettled);
    return this.#runner.start();
  }

  #handlers(count: number): readonly string[] {
    const names: string[] = [];
    for (let i = 0; i < count; i++) {
      names.push(this.#book.handlers.nameOf(this.#requests.next()));
    }
    return names;
  }

  #record({ handlers, outcomes, error }: MessageRun): void {
    const now = Date.now();
    this.out.push(Math.max(0, now - this.#startedAt));
    // What is done between two messages takes no time of its own.
    this.#startedAt = now;
    if (error !== undefined) {
      this.out.push(error);
      return;
    }
    this.out.push(handlers.length);
    for (const handler of handlers) this.out.push(this.#book.handlers.codeOf(handler));
    this.out.push(outcomes.length);
    for (const outcome of outcomes) this.#recordOutcome(outcome);
  }

  #recordOutcome({ sends, state, error }: HandlerRun): void {
    if (error !== undefined) {
      this.out.push(error);
      return;
    }
    this.out.push(sends.length);
    let before: string | undefined;
    for (const { to, payload } of sends) {
      const isBefore = before !== undefined && payload === before;
      const cell = isBefore ? sameAsBefore : payload === this.#text ? sameAsInput : payload;
      this.out.push(this.#book.destinations.codeOf(to), cell);
      before = payload;
    }
    this.out.push(state.length);
    for (const { namespace, key, value } of state) this.out.push(namespace, key, value);
  }
}

function rawFunction(
  { name, run, position }: {
    name: string;
    run: (...values: never[]) => unknown;
    position: RawFunction["position"];
  },
): RawFunction {
  return { name, position, source: Function.prototype.toString.call(run) };
}

function positionOf(thrown: unknown): RawFunction["position"] {
  const stack: unknown = thrown instanceof Error ? thrown.stack : undefined;
  return typeof stack === "string" ? authorPosition(stack) : undefined;
}

function requireBook(): NameBook {
  if (book === undefined) throw new TypeError("The graph is not loaded");
  return book;
}

function requireDeclarations(): Declarations {
  if (declarations === undefined) throw new TypeError("The realm is not prepared");
  return declarations;
}
