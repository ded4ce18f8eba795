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

/** The wall clock in microseconds, the unit in which rows are stamped. */
export function micros(clock: Clock): number {
  return Math.round(clock.now() * 1000);
}
