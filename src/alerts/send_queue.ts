/**
 * What waits to be sent by one transport: bounded, in the background, in nobody's way.
 *
 * Whoever adds something never waits and is never thrown at. A full queue refuses the newest; what
 * fails is tried again a few times and then given up. Both are counted and logged. Each transport
 * has its own queue, so one that is dead does not hold up the other. Source: spec
 * pipeline-store-cluster §8, I74.
 */
import { backoffMs, type BackoffPolicy } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { LogFields, Logger } from "../logging/mod.ts";
import type { Transport } from "./event.ts";
import { SendError } from "./send_error.ts";

export interface SendQueueOptions<T> {
  readonly transport: Transport;
  /** @throws {SendError} when it is not known to have got through. */
  readonly send: (item: T, signal: AbortSignal) => Promise<void>;
  /** What the log says of an item that was given up. */
  readonly describe: (item: T) => LogFields;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly itemsMax?: number;
  readonly attemptsMax?: number;
  readonly backoff?: BackoffPolicy;
  /** How long the end waits for what is queued to leave. */
  readonly closeMs?: number;
}

const defaults = {
  itemsMax: 1_000,
  attemptsMax: 4,
  backoff: { backoffMs: 1_000, multiplier: 4, maxBackoffMs: 60_000 },
  closeMs: 2_000,
};
/** Time between two log lines that tell of drops. */
const TELL_MS = 60_000;

export class SendQueue<T> implements AsyncDisposable {
  readonly #options: SendQueueOptions<T> & typeof defaults;
  /** The first is being sent. */
  readonly #items: T[] = [];
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #isClosing = false;
  #cutShort = () => {};
  #sent = 0;
  #failed = 0;
  #dropped = 0;
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: SendQueueOptions<T>) {
    this.#options = { ...defaults, ...options };
  }

  get waiting(): number {
    return this.#items.length;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Given up after the last attempt. */
  get failed(): number {
    return this.#failed;
  }

  /** Not taken in, or left at the end. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Returns false when there is no room for it. */
  push(item: T): boolean {
    if (this.#isClosing || this.#items.length >= this.#options.itemsMax) {
      this.#drop(1);
      return false;
    }
    this.#items.push(item);
    this.#running ??= this.#run();
    return true;
  }

  /** Gives what is queued a bounded time to leave; nothing is tried twice any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#cutShort();
    const limit = setTimeout(() => this.#abort.abort(), this.#options.closeMs);
    await this.#running;
    clearTimeout(limit);
    this.#drop(this.#items.splice(0).length);
    this.#tellDrops();
  }

  async #run(): Promise<void> {
    // Whoever adds goes on first.
    await Promise.resolve();
    while (this.#items.length > 0 && !this.#abort.signal.aborted) {
      await this.#sendOne(this.#items[0]!);
      this.#items.shift();
    }
    this.#running = undefined;
  }

  /** Sends one, in as many attempts as it takes and as are allowed. */
  async #sendOne(item: T): Promise<void> {
    const { attemptsMax, backoff, send, transport, describe, logger } = this.#options;
    for (let attempt = 1;; attempt += 1) {
      try {
        await send(item, this.#abort.signal);
        this.#sent += 1;
        return;
      } catch (thrown) {
        const isFinal = thrown instanceof SendError && thrown.isFinal;
        if (!isFinal && attempt < attemptsMax && !this.#isClosing) {
          await this.#pause(backoffMs(backoff, attempt));
          continue;
        }
        this.#failed += 1;
        logger.error("alert.send_failed", {
          transport,
          ...describe(item),
          attempts: attempt,
          ...facts(thrown),
        });
        return;
      }
    }
  }

  #drop(items: number): void {
    this.#dropped += items;
    this.#untold += items;
    const now = this.#options.clock.monotonic();
    if (this.#isClosing || this.#untold === 0 || now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#tellDrops();
  }

  #tellDrops(): void {
    if (this.#untold === 0) return;
    const { logger, transport } = this.#options;
    const notices = this.#untold;
    this.#untold = 0;
    logger.warning("alert.dropped", { transport, notices, total: this.#dropped });
  }

  /** Waits; the end cuts it short. */
  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#cutShort = resolve;
    });
    clearTimeout(timer);
  }
}

/** Codes only: the words of the other side could be anything. */
function facts(thrown: unknown): LogFields {
  if (!(thrown instanceof SendError)) return { error: errorClass(thrown) };
  const error = thrown.cause === undefined ? undefined : errorClass(thrown.cause);
  return { code: thrown.code, status: thrown.status, reason: thrown.message, error };
}
