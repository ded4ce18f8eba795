/**
 * How often one event on one connection is told of. Pure but for the clock, which never steps back.
 *
 * What comes too early is not lost: the latest of it is kept and told when its time has come, unless
 * it is over by then. In memory only: a restart tells anew. Source: spec pipeline-store-cluster §8.
 */
import type { Clock } from "../clock.ts";
import { type AlertEvent, keyOf, type Severity, type Transport } from "./event.ts";

/** One event on its way to people. */
export interface Notice {
  readonly event: AlertEvent;
  readonly severity: Severity;
  readonly transports: readonly Transport[];
  readonly cooldownMs: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface Told {
  /** Milliseconds of the monotonic clock. */
  at: number;
  held: Notice | undefined;
}

export class Throttle {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #cooldownMsMax: number;
  readonly #told = new Map<string, Told>();

  /** `cooldownMsMax`: no notice has a longer one; what is older is forgotten. */
  constructor(clock: Pick<Clock, "monotonic">, cooldownMsMax: number) {
    this.#clock = clock;
    this.#cooldownMsMax = cooldownMsMax;
  }

  /** Returns whether to tell it now; otherwise it is kept in the place of what was kept before. */
  offer(notice: Notice): boolean {
    const now = this.#clock.monotonic();
    const key = keyOf(notice.event);
    const told = this.#told.get(key);
    if (told !== undefined && now - told.at < notice.cooldownMs) {
      told.held = notice;
      return false;
    }
    this.#told.set(key, { at: now, held: undefined });
    return true;
  }

  /** What is kept of an event is not to be told any more. */
  dropHeld(event: AlertEvent): void {
    const told = this.#told.get(keyOf(event));
    if (told !== undefined) told.held = undefined;
  }

  /** Takes the kept notices whose time has come; what does not hold any more is dropped. */
  takeDue(stillHolds: (event: AlertEvent) => boolean): readonly Notice[] {
    const now = this.#clock.monotonic();
    const due: Notice[] = [];
    for (const [key, told] of this.#told) {
      const { held } = told;
      if (held === undefined) {
        if (now - told.at >= this.#cooldownMsMax) this.#told.delete(key);
      } else if (!stillHolds(held.event)) told.held = undefined;
      else if (now - told.at >= held.cooldownMs) {
        this.#told.set(key, { at: now, held: undefined });
        due.push(held);
      }
    }
    return due;
  }
}
