/**
 * A stand-in for the sandbox: author code is a pure function of the message, everything around it
 * is as in `src/sandbox/sandbox.ts`: calls that wait are taken together, results come in order,
 * state writes are seen by later messages of their inbound before they are committed.
 */
import type { GraphRunner } from "../../src/pipeline/routing.ts";
import type { RunRequest, RunResult, StateEntry } from "../../src/sandbox/protocol.ts";
import { StateTable } from "../../src/sandbox/state_table.ts";

/** What author code may do: read the state its inbound sees. */
export type Author = (
  request: RunRequest,
  read: (namespace: string, key: string) => string | undefined,
) => RunResult;

export interface FakeRunnerOptions {
  readonly author: Author;
  /** How long the next batch takes, milliseconds. */
  readonly batchMs?: () => number;
  /** The sandbox is not to be had for the next batch. */
  readonly batchFails?: () => boolean;
  /** What the store holds when the process begins. */
  readonly state?: readonly StateEntry[];
}

interface Slot {
  readonly request: RunRequest;
  readonly settle: (result: RunResult) => void;
  readonly fail: (thrown: unknown) => void;
}

const BATCH_MAX = 64;

export class FakeRunner implements GraphRunner {
  readonly state = new StateTable();
  /** Messages of each batch, as they ran. */
  readonly batches: (readonly RunRequest[])[] = [];
  readonly #options: FakeRunnerOptions;
  readonly #queue: Slot[] = [];
  #isRunning = false;

  constructor(options: FakeRunnerOptions) {
    this.#options = options;
    for (const entry of options.state ?? []) this.state.commit("", [entry]);
  }

  run(requests: readonly RunRequest[]): Promise<readonly RunResult[]> {
    return new Promise((resolve, reject) => {
      const results = new Array<RunResult>(requests.length);
      let missing = requests.length;
      for (const [index, request] of requests.entries()) {
        const settle = (result: RunResult) => {
          results[index] = result;
          if (--missing === 0) resolve(results);
        };
        this.#queue.push({ request, settle, fail: reject });
      }
      if (!this.#isRunning) this.#next();
    });
  }

  commitState(inbound: string, entries: readonly StateEntry[]): void {
    this.state.commit(inbound, entries);
  }

  discardState(inbound: string): void {
    this.state.discard(inbound);
  }

  #next(): void {
    const slots = this.#queue.splice(0, BATCH_MAX);
    this.#isRunning = slots.length > 0;
    if (!this.#isRunning) return;
    const { batchMs = () => 1, batchFails = () => false } = this.#options;
    this.batches.push(slots.map(({ request }) => request));
    const results = slots.map(({ request }) => this.#runOne(request));
    const fails = batchFails();
    setTimeout(() => {
      for (const [index, slot] of slots.entries()) {
        if (fails) slot.fail(new Error("Cannot run author code"));
        else slot.settle(results[index]!);
      }
      this.#next();
    }, batchMs());
  }

  #runOne(request: RunRequest): RunResult {
    const { inbound } = request;
    const read = (namespace: string, key: string) => this.state.read(inbound, namespace, key);
    const result = this.#options.author(request, read);
    for (const { state } of result.outcomes) {
      for (const entry of state) this.state.write(inbound, entry);
    }
    return result;
  }
}
