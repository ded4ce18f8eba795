/**
 * Time as a dependency: rules ask a `Clock`, so tests can own it.
 *
 * `now` orders nothing; it only stamps. Waits and deadlines use `monotonic`.
 */

export interface Clock {
  /** Wall clock, milliseconds since the epoch, may step. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never steps back. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Milliseconds a timer of this runtime can wait: one that is told a longer wait ends at once. */
export const timerMsMax = 2 ** 31 - 1;

/**
 * The moment that lies so far behind another, both in microseconds; at most the last one that a row
 * gives back as it was, in the year 2255.
 */
export function later(moment: number, us: number): number {
  return Math.min(moment + us, Number.MAX_SAFE_INTEGER);
}

/** The wall clock in microseconds, the unit in which rows are stamped. */
export function micros(clock: Clock): number {
  return Math.round(clock.now() * 1000);
}
