/**
 * Time that only moves when a test says so: `setTimeout` of the whole process and a `Clock`, both
 * on one virtual axis. Between two timers every promise that can settle does.
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../../src/clock.ts";

interface Timer {
  readonly id: number;
  readonly due: number;
  readonly run: () => void;
  /** Belongs to the test, not to the engine that a crash ends. */
  readonly isOurs: boolean;
}

/** Where the wall clock stands when virtual time begins, milliseconds since the epoch. */
export const WALL_START_MS = 1_760_000_000_000;

export class VirtualTime implements Disposable {
  readonly #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
  };
  readonly #timers = new Map<number, Timer>();
  #nextId = 1;
  #now = 0;
  #wall = WALL_START_MS;

  /** Takes the process's timers over until disposed. */
  constructor() {
    const set = (run: () => void, ms = 0) => this.#add(run, ms, false);
    globalThis.setTimeout = set as unknown as typeof globalThis.setTimeout;
    globalThis.clearTimeout = ((id?: number) => {
      if (id !== undefined) this.#timers.delete(id);
    }) as typeof globalThis.clearTimeout;
  }

  readonly clock: Clock = {
    now: () => this.#wall + this.#now,
    monotonic: () => this.#now,
  };

  /** Milliseconds since virtual time began. */
  get now(): number {
    return this.#now;
  }

  /** Timers of the engine that wait. */
  get pending(): number {
    return [...this.#timers.values()].filter(({ isOurs }) => !isOurs).length;
  }

  /** Steps the wall clock, as an operator or NTP does; monotonic time does not notice. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }

  /** Schedules an act of the test itself, `ms` from now. */
  schedule(ms: number, run: () => void): void {
    this.#add(run, ms, true);
  }

  /** The process is gone: none of its timers ever fires. */
  forgetEngine(): void {
    for (const [id, { isOurs }] of this.#timers) if (!isOurs) this.#timers.delete(id);
  }

  /** Lets everything settle that needs no time. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => resolve()));
  }

  /** Runs timers until `isDone` or until `limitMs` passed; returns whether it got done. */
  async run(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.#now + limitMs;
    for (;;) {
      await this.settle();
      if (isDone()) return true;
      const timer = this.#earliest();
      if (!timer || timer.due > end) {
        this.#now = Math.max(this.#now, end);
        return isDone();
      }
      this.#timers.delete(timer.id);
      this.#now = Math.max(this.#now, timer.due);
      timer.run();
    }
  }

  /** Lets `ms` pass. */
  async pass(ms: number): Promise<void> {
    await this.run(() => false, ms);
    await this.settle();
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#real.setTimeout;
    globalThis.clearTimeout = this.#real.clearTimeout;
    this.#timers.clear();
  }

  #add(run: () => void, ms: number, isOurs: boolean): number {
    const id = this.#nextId++;
    // As the runtime does: whole milliseconds, and more than 31 bits of them fire at once.
    const wait = ms > 2 ** 31 - 1 ? 1 : Math.max(0, Math.trunc(ms));
    this.#timers.set(id, { id, due: this.#now + wait, run, isOurs });
    return id;
  }

  #earliest(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (!first || timer.due < first.due) first = timer;
    }
    return first;
  }
}
