/**
 * Strict validation off the engine's thread: a worker without permissions, started when the first
 * strict inbound asks, answers in order.
 *
 * A message it cannot come to an end with costs the worker and gets the fault; those behind it are
 * validated by the next worker, as if nothing had been.
 */
import { EngineError } from "../errors.ts";

export type StrictVerdict = { readonly ok: true } | { readonly ok: false; readonly error: string };

export interface StrictValidationOptions {
  /** How long one message may take before its worker is given up. Default 10 s. */
  readonly limitMs?: number;
  /** Module that runs in the worker. */
  readonly worker?: URL;
}

const LIMIT_MS = 10_000;

interface Waiting {
  readonly text: string;
  readonly hl7Version: string | undefined;
  readonly settle: (verdict: StrictVerdict) => void;
  readonly fail: (thrown: unknown) => void;
}

export class StrictValidation implements AsyncDisposable {
  readonly #limitMs: number;
  readonly #entry: URL;
  #worker: Worker | undefined;
  /** In the order they were posted: the worker is at the first. */
  readonly #waiting = new Map<number, Waiting>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #nextId = 1;
  #isStopped = false;

  constructor({ limitMs = LIMIT_MS, worker }: StrictValidationOptions = {}) {
    this.#limitMs = limitMs;
    this.#entry = worker ?? new URL("./strict_validation_worker.ts", import.meta.url);
  }

  /**
   * Resolves with the first fault found; a validator that fails at a message is its fault.
   * @throws {EngineError} `intake.validation_stopped`: nothing is known of the message.
   */
  validate(text: string, hl7Version: string | undefined): Promise<StrictVerdict> {
    if (this.#isStopped) return Promise.reject(stopped());
    const { promise, resolve, reject } = Promise.withResolvers<StrictVerdict>();
    const id = this.#nextId++;
    const waiting = { text, hl7Version, settle: resolve, fail: reject };
    this.#waiting.set(id, waiting);
    this.#post(id, waiting);
    if (this.#waiting.size === 1) this.#watch();
    return promise;
  }

  /** Ends the worker; whoever still waits is told that nothing is known. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { fail } of this.#waiting.values()) fail(stopped());
    this.#waiting.clear();
    this.#watch();
    return Promise.resolve();
  }

  #post(id: number, { text, hl7Version }: Waiting): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage({ id, text, hl7Version });
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, {
      type: "module",
      name: "strict validation",
      deno: { permissions: "none" },
    });
    worker.onmessage = ({ data }: MessageEvent<{ id: number; verdict: StrictVerdict }>) => {
      const waiting = this.#waiting.get(data.id);
      if (!waiting) return;
      this.#waiting.delete(data.id);
      this.#watch();
      waiting.settle(data.verdict);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.#replace("validation failed");
    };
    return worker;
  }

  /** Times the message the worker is at. */
  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#waiting.size === 0
      ? undefined
      : setTimeout(() => this.#replace("validation took too long"), this.#limitMs);
  }

  /** Gives the worker up, and the message it was at; the others go to a new one. */
  #replace(error: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    const [guilty] = this.#waiting;
    if (!guilty) return;
    const [id, { settle }] = guilty;
    this.#waiting.delete(id);
    for (const [other, waiting] of this.#waiting) this.#post(other, waiting);
    this.#watch();
    settle({ ok: false, error });
  }
}

function stopped(): EngineError {
  return new EngineError("intake.validation_stopped", "Cannot validate: the engine stops");
}
