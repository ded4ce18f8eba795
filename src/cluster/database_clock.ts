/**
 * The database's wall clock, as this node last heard it and carries it on by its own monotonic clock.
 *
 * What nodes stamp for each other (due times, sessions, ages) is stamped by it: a node whose clock is
 * wrong, or is set, then differs from none. Source: spec pipeline-store-cluster §7.9.
 */
import type { Clock } from "../clock.ts";

export class DatabaseClock implements Clock {
  readonly #own: Clock;
  /** Milliseconds from monotonic time to the database's; undefined until it was heard. */
  #offsetMs: number | undefined;

  constructor(own: Clock) {
    this.#own = own;
  }

  now(): number {
    return this.#offsetMs === undefined ? this.#own.now() : this.#own.monotonic() + this.#offsetMs;
  }

  monotonic(): number {
    return this.#own.monotonic();
  }

  /**
   * Asks for something that tells the database's time with its answer.
   *
   * That time was read while the answer was waited for, nobody knows when. What is believed is moved
   * as little as that demands: a slow answer moves it less than a quick one, and mostly not at all.
   */
  async hear<A extends { readonly databaseMs: number }>(ask: () => Promise<A>): Promise<A> {
    const askedMs = this.#own.monotonic();
    const answer = await ask();
    const answeredMs = this.#own.monotonic();
    const leastMs = answer.databaseMs;
    const mostMs = leastMs + answeredMs - askedMs;
    const believedMs = this.#offsetMs === undefined
      ? (leastMs + mostMs) / 2
      : answeredMs + this.#offsetMs;
    this.#offsetMs = Math.min(Math.max(believedMs, leastMs), mostMs) - answeredMs;
    return answer;
  }
}
