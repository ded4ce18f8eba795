/** The clock of the machine, moved by whoever holds it. */
import { type Clock, systemClock } from "../../src/clock.ts";

export class ShiftedClock implements Clock {
  #shiftMs = 0;
  #monotonicMs = 0;

  now(): number {
    return systemClock.now() + this.#shiftMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#monotonicMs;
  }

  /** Time passes. */
  pass({ minutes = 0, seconds = 0, hours = 0 }): void {
    const ms = ((hours * 60 + minutes) * 60 + seconds) * 1000;
    this.#shiftMs += ms;
    this.#monotonicMs += ms;
  }

  /** Somebody sets the wall clock; no time passes. */
  step({ minutes }: { readonly minutes: number }): void {
    this.#shiftMs += minutes * 60_000;
  }
}
