/**
 * The engine's end inside the realm of author code: takes batches in, gives results out.
 *
 * The worker calls the functions below with primitives and gets primitives back, so no object of the
 * worker ever reaches author code. What runs author code runs through `go()`, which the worker calls
 * from a script under a time limit.
 */
import { readCodeSets } from "../../authoring/code_sets.ts";
import { Send, SetState } from "../../authoring/effects.ts";
import { EnvRef } from "../../authoring/env.ts";
import { HandlerRef, InboundRef, OutboundRef, RouterRef } from "../../authoring/handles.ts";
import * as messagefoundry from "../../authoring/mod.ts";
import { authorPosition } from "../../authoring/position.ts";
import {
  describeThrown,
  type MessageRun,
  MessageRunner,
  type StateWrite,
} from "../../authoring/run.ts";
import { TransportSpec } from "../../authoring/specs.ts";
import { closeLoad, type Declarations, openSession, setRun } from "../../authoring/session.ts";
import type { ContentType } from "../../hl7/surface.ts";
import type { CodeSetData, StateEntry } from "../protocol.ts";
import { type StateDump, StateTable } from "../state_table.ts";
import type { RawFunction, WireOutcome, WireRequest, WireResult } from "../wire.ts";
import { consoleCallCount, installConsole } from "./console.ts";
import { installCrypto } from "./entropy.ts";
import { hardenRealm } from "./harden.ts";
import { installLimits, renewBudget } from "./limits.ts";

/** Name of the global that a script calls; author code gains nothing by calling it. */
export const goName = "__messagefoundry_go__";

let declarations: Declarations | undefined;
let table = new StateTable();
let destinations: ReadonlySet<string> = new Set();
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
    ...[EnvRef, HandlerRef, InboundRef, OutboundRef, RouterRef, Send, SetState, TransportSpec],
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
  destinations = new Set([
    ...loaded.outbounds.keys(),
    ...JSON.parse(outboundNames) as readonly string[],
  ]);
  return JSON.stringify({
    inbounds: [...loaded.inbounds.values()],
    outbounds: [...loaded.outbounds.values()],
    routers: [...loaded.routers.values()].map(rawFunction),
    handlers: [...loaded.handlers.values()].map(rawFunction),
    codeSets: [...loaded.codeSets],
  });
}

export function commitState(inbound: string, entries: string): void {
  table.commit(inbound, JSON.parse(entries) as readonly StateEntry[]);
}

export function discardState(inbound: string): void {
  table.discard(inbound);
}

/** Begins a batch; `addText()` then gives each request its text, in order. */
export function beginBatch(header: string): void {
  batch = new Batch(JSON.parse(header) as readonly WireRequest[]);
}

export function addText(text: string): void {
  batch?.texts.push(text);
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

/** How many strings the finished batch comes out as; `result(0)` is the JSON. */
export function resultCount(): number {
  return batch?.out.length ?? 0;
}

export function result(index: number): string {
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

class Batch {
  readonly texts: string[] = [];
  /** JSON of the results, then the payloads. */
  readonly out: string[] = [""];
  isDone = false;
  readonly #requests: readonly WireRequest[];
  readonly #results: WireResult[] = [];
  #runner: MessageRunner | undefined;
  #startedAt = 0;

  constructor(requests: readonly WireRequest[]) {
    this.#requests = requests;
  }

  get current(): string {
    return this.#runner?.current ?? "";
  }

  advance(): void {
    while (this.#results.length < this.#requests.length) {
      const run = this.#start(this.#results.length);
      if (run === undefined) return;
      this.#record(run);
    }
    this.out[0] = JSON.stringify(this.#results);
    this.isDone = true;
  }

  abandon(error: string): void {
    const run = this.#runner?.abandon(error);
    if (run === undefined) return;
    this.#record(run);
    this.advance();
  }

  #start(index: number): MessageRun | undefined {
    const [inbound, router, handlers, contentType, ingestTime, routeOnly] = this.#requests[
      index
    ] as WireRequest;
    renewBudget();
    this.#startedAt = Date.now();
    this.#runner = new MessageRunner(
      {
        router,
        handlers: handlers ?? undefined,
        text: this.texts[index] as string,
        contentType: contentType as ContentType,
        ingestTime,
        routeOnly: routeOnly === 1,
      },
      {
        declarations: requireDeclarations(),
        destinations,
        readState: (namespace, key) => table.read(inbound, namespace, key),
        writeState: (write) => table.write(inbound, write),
      },
      (run) => {
        this.#record(run);
        this.advance();
      },
    );
    return this.#runner.start();
  }

  #record(run: MessageRun): void {
    const input = this.texts[this.#results.length];
    const outcomes: WireOutcome[] = [];
    for (const { handler, sends, state, error } of run.outcomes) {
      const wired: (readonly [string, number])[] = [];
      for (const { to, payload } of sends) {
        wired.push([to, payload === input ? -1 : this.#payloadIndex(payload)]);
      }
      outcomes.push([handler, wired, state.map(wireState), error ?? null]);
    }
    const tookMs = Math.max(0, Date.now() - this.#startedAt);
    this.#results.push([run.handlers, outcomes, run.error ?? null, tookMs]);
  }

  /** One payload sent twice in a row crosses once. */
  #payloadIndex(payload: string): number {
    const last = this.out.length - 1;
    if (last > 0 && this.out[last] === payload) return last;
    return this.out.push(payload) - 1;
  }
}

function wireState({ namespace, key, value }: StateWrite): readonly [string, string, string] {
  return [namespace, key, value];
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

function requireDeclarations(): Declarations {
  if (declarations === undefined) throw new TypeError("The realm is not prepared");
  return declarations;
}
