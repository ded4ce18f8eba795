/**
 * What is kept of events in the store: one live instance for each event on each connection.
 *
 * Written behind, so that nobody who raises an event waits. The first of a kind is written at once,
 * what follows is gathered for some seconds; counts add up whatever is told to whom. A store that
 * fails gets the same counts again later. Waiting counts are as many as connections have kinds of
 * events, and no more.
 */
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import { type AlertEvent, type AlertType, keyOf, reasonOf, type Severity } from "./event.ts";

/** Events of one kind on one connection, to be added to their live instance. */
export interface Raised {
  readonly type: AlertType;
  readonly connection: string;
  /** Of the latest. */
  readonly severity: Severity;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
}

/** Adds to the live instances, or makes them, in one commit; rejects when nothing was written. */
export type WriteRaised = (raised: readonly Raised[]) => Promise<void>;

export interface InstanceLogOptions {
  readonly write: WriteRaised;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long events of a kind that was just written are gathered. */
  readonly gatherMs?: number;
}

const GATHER_MS = 5_000;
/** Instances one commit writes. */
const BATCH_MAX = 200;

export class InstanceLog implements AsyncDisposable {
  readonly #options: InstanceLogOptions & { readonly gatherMs: number };
  readonly #waiting = new Map<string, Raised>();
  /** When each kind was last written, milliseconds of the monotonic clock. */
  readonly #written = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: InstanceLogOptions) {
    this.#options = { gatherMs: GATHER_MS, ...options };
  }

  /** Counts one event; `at` is milliseconds since the epoch. */
  add(event: AlertEvent, { severity, at }: { severity: Severity; at: number }): void {
    const { type, connection } = event;
    const one = { type, connection, severity, reason: reasonOf(event), firstAt: at, lastAt: at };
    this.#merge({ ...one, count: 1 });
    const writtenAt = this.#written.get(keyOf(event)) ?? Number.NEGATIVE_INFINITY;
    const isFresh = this.#options.clock.monotonic() - writtenAt < this.#options.gatherMs;
    if (isFresh) this.#later();
    else this.#now();
  }

  /** Writes what waits, once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#writeAll();
  }

  /** Adds to what waits; `raised` is the later of the two unless it comes back from a failure. */
  #merge(raised: Raised, isOlder = false): void {
    const key = keyOf(raised);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#waiting.set(key, raised);
      return;
    }
    const latest = isOlder ? waiting : raised;
    this.#waiting.set(key, {
      ...latest,
      firstAt: Math.min(waiting.firstAt, raised.firstAt),
      lastAt: Math.max(waiting.lastAt, raised.lastAt),
      count: waiting.count + raised.count,
    });
  }

  #later(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#now();
    }, this.#options.gatherMs);
  }

  /** One write at a time; what comes meanwhile is written after it. */
  #now(): void {
    if (this.#isClosed || this.#running !== undefined) return;
    this.#running = this.#writeAll().then((isDone) => {
      this.#running = undefined;
      if (this.#waiting.size === 0) return;
      const { clock, gatherMs } = this.#options;
      const isNew = [...this.#waiting.keys()].some((key) =>
        clock.monotonic() - (this.#written.get(key) ?? Number.NEGATIVE_INFINITY) >= gatherMs
      );
      if (isDone && isNew) this.#now();
      else this.#later();
    });
  }

  /** Returns whether all of it was written; never rejects. */
  async #writeAll(): Promise<boolean> {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (let start = 0; start < all.length; start += BATCH_MAX) {
      const batch = all.slice(start, start + BATCH_MAX);
      try {
        await this.#options.write(batch);
        const now = this.#options.clock.monotonic();
        for (const raised of batch) this.#written.set(keyOf(raised), now);
      } catch (thrown) {
        for (const raised of all.slice(start)) this.#merge(raised, true);
        const { logger } = this.#options;
        logger.error("alert.not_stored", {
          error: errorClass(thrown),
          instances: all.length - start,
        });
        return false;
      }
    }
    return true;
  }
}
