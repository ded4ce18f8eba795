/**
 * Strict validation off the engine's thread: a worker without permissions, started when the first
 * strict inbound asks, answers in order.
 */

export type StrictVerdict = { readonly ok: true } | { readonly ok: false; readonly error: string };

/** How long one message may take before the worker is given up. */
const LIMIT_MS = 10_000;

interface Waiting {
  readonly settle: (verdict: StrictVerdict) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class StrictValidation implements AsyncDisposable {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  /** Resolves with the first fault found; a validator that fails is a fault of the message. */
  validate(text: string, hl7Version: string | undefined): Promise<StrictVerdict> {
    const worker = this.#worker ??= this.#start();
    const id = this.#nextId++;
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#giveUp("validation took too long"), LIMIT_MS);
      this.#waiting.set(id, { settle, timer });
      worker.postMessage({ id, text, hl7Version });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp("validation stopped");
    return Promise.resolve();
  }

  #start(): Worker {
    const worker = new Worker(new URL("./strict_validation_worker.ts", import.meta.url), {
      type: "module",
      name: "strict validation",
      deno: { permissions: "none" },
    });
    worker.onmessage = ({ data }: MessageEvent<{ id: number; verdict: StrictVerdict }>) => {
      const waiting = this.#waiting.get(data.id);
      if (!waiting) return;
      this.#waiting.delete(data.id);
      clearTimeout(waiting.timer);
      waiting.settle(data.verdict);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#giveUp("validation failed");
    };
    return worker;
  }

  /** Ends the worker; the next message starts a new one. */
  #giveUp(error: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { settle, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      settle({ ok: false, error });
    }
    this.#waiting.clear();
  }
}
