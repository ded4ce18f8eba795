/**
 * The worker's end of what the engine posts: messages can be waited for without the event loop.
 *
 * Upstream: `worker_link.ts` posts into the port, and wakes the event loop only when the signal says
 * that nobody waits here. Downstream: `worker.ts`.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { listening, posts, type Setup, type ToWorker } from "./wire.ts";

// Taken before the walls go up, for they remove the global.
const { load, store, wait } = Atomics;

export class Inbox {
  readonly #port: Parameters<typeof receiveMessageOnPort>[0];
  readonly #signal: Int32Array<SharedArrayBuffer>;

  constructor({ port, signal }: Setup) {
    this.#port = port as unknown as Parameters<typeof receiveMessageOnPort>[0];
    this.#signal = signal;
  }

  /** True: whoever posts need not wake the event loop. Look once more after it was made false. */
  set isListening(isListening: boolean) {
    store(this.#signal, listening, isListening ? 1 : 0);
  }

  take(): ToWorker | undefined {
    return receiveMessageOnPort(this.#port)?.message as ToWorker | undefined;
  }

  /** Takes a message, and blocks the thread for at most `timeoutMs` until there is one. */
  takeWithin(timeoutMs: number): ToWorker | undefined {
    const seen = load(this.#signal, posts);
    const message = this.take();
    if (message !== undefined) return message;
    wait(this.#signal, posts, seen, timeoutMs);
    return this.take();
  }
}
