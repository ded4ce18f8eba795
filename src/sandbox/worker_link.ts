/**
 * The engine's end of one worker: posts, waits with a deadline, and knows a dead one by its silence.
 *
 * A worker that closed itself says nothing, one that spins cannot be stopped, and both look alike:
 * who does not answer in time is given up.
 */
import { systemClock } from "../clock.ts";
import { workerUrl } from "./engine_sources.ts";
import { type FromWorker, listening, posts, type Setup, type ToWorker } from "./wire.ts";

/** The worker died, or did not answer in time and counts as dead. */
export class WorkerGone extends Error {
  /** False when it was merely silent: its thread may still be spinning. */
  readonly hasEnded: boolean;

  constructor(hasEnded: boolean) {
    super(hasEnded ? "The sandbox worker died" : "The sandbox worker does not answer");
    this.hasEnded = hasEnded;
  }
}

interface Waiting {
  readonly resolve: (answer: FromWorker) => void;
  readonly reject: (gone: WorkerGone) => void;
  /** On the monotonic clock, milliseconds. */
  readonly deadline: number;
}

export class WorkerLink {
  readonly #worker: Worker;
  /** Messages go through a port of their own, for the worker can look into that while it waits. */
  readonly #port: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(8));
  #waiting: Waiting | undefined;
  /** One timer outlives many questions: setting one for each costs as much as a small batch. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = 0;
  #isGone = false;

  constructor() {
    const options = { type: "module", name: "sandbox", deno: { permissions: "none" } } as const;
    this.#worker = new Worker(workerUrl, options);
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => this.#settle(event.data);
    this.#worker.onmessageerror = () => this.#end(true);
    this.#worker.onerror = (event) => {
      // Unprevented it would end the engine. The text may hold a message's content: not looked at.
      event.preventDefault();
      this.#end(true);
    };
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const setup: Setup = { port: port2, signal: this.#signal };
    this.#worker.postMessage(setup, [port2]);
  }

  /** Posts without waiting; in order with everything else that is posted. */
  post(message: ToWorker): void {
    if (this.#isGone) return;
    this.#port.postMessage(message);
    if (Atomics.load(this.#signal, listening) === 1) {
      Atomics.add(this.#signal, posts, 1);
      Atomics.notify(this.#signal, posts);
    } else {
      this.#worker.postMessage(null);
    }
  }

  /**
   * Posts and waits for the answer; one at a time.
   *
   * @throws {WorkerGone}
   */
  ask(message: ToWorker, deadlineMs: number): Promise<FromWorker> {
    if (this.#isGone) return Promise.reject(new WorkerGone(true));
    if (this.#waiting !== undefined) throw new TypeError("The worker is busy");
    return new Promise((resolve, reject) => {
      const deadline = systemClock.monotonic() + deadlineMs;
      this.#waiting = { resolve, reject, deadline };
      if (this.#timer === undefined || deadline < this.#timerAt) this.#watch(deadline);
      this.post(message);
    });
  }

  /** Gives the worker up. Whatever waits for it is told so. */
  close(): void {
    this.#end(true);
  }

  #settle(answer: FromWorker): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    waiting.resolve(answer);
  }

  /** Looks again at `at`; a question answered meanwhile needs no look, a later one another. */
  #watch(at: number): void {
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting === undefined) return;
      if (this.#waiting.deadline > systemClock.monotonic()) this.#watch(this.#waiting.deadline);
      else this.#end(false);
    }, at - systemClock.monotonic());
    Deno.unrefTimer(timer);
    this.#timer = timer;
    this.#timerAt = at;
  }

  #end(hasEnded: boolean): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#worker.terminate();
    this.#port.close();
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(new WorkerGone(hasEnded));
  }
}
