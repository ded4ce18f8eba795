/**
 * Whether a lane may run, and when it looks again: who blocks it, the time it sleeps until, how
 * long it keeps off a store that failed.
 */
import { type Clock, micros, timerMsMax } from "../../clock.ts";

export interface LaneRestOptions {
  readonly clock: Clock;
  /** The longest a row of the lane backs off. */
  readonly maxBackoffMs: number;
  /** Whether this node may act at this moment; a lane that may not looks again before long. */
  readonly mayAct: () => boolean;
  /** The time the lane slept until has come. */
  readonly onDue: () => void;
}

const PARK_FIRST_MS = 1_000;
const PARK_MAX_MS = 60_000;
/** Leadership in doubt is settled sooner, or the lane is stopped. */
const GATE_MS = 100;
/** By how much wall clock and monotonic clock may part while a row backs off. */
const CLOCK_SLACK_MS = 1_000;

export class LaneRest {
  readonly #options: LaneRestOptions;
  #paused = false;
  #stopped = false;
  #haltedFor: string | undefined;
  /** Something happened while the lane ran: it looks again before it rests. */
  #woken = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #parkMs = PARK_FIRST_MS;
  /** Microseconds: what the next claim takes for now, once, after the clock has stepped back. */
  #notBefore = 0;

  constructor(options: LaneRestOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get haltedFor(): string | undefined {
    return this.#haltedFor;
  }

  /** Nothing new may begin. */
  get isBlocked(): boolean {
    return this.#paused || this.#stopped || this.#haltedFor !== undefined;
  }

  get isAsleep(): boolean {
    return this.#timer !== undefined;
  }

  get isWoken(): boolean {
    return this.#woken;
  }

  pause(): void {
    this.#paused = true;
    this.endSleep();
  }

  /** Ends pause and halt; returns whether the lane was halted. */
  resume(): boolean {
    const wasHalted = this.#haltedFor !== undefined;
    this.#paused = false;
    this.#haltedFor = undefined;
    this.endSleep();
    return wasHalted;
  }

  /** For good: a stopped lane arms no timer any more. */
  stop(): void {
    this.#stopped = true;
    this.endSleep();
  }

  halt(reason: string): void {
    this.#haltedFor = reason;
  }

  /** True while the lane may go on; what woke it until now is seen in the turn that begins. */
  nextTurn(): boolean {
    if (this.isBlocked) return false;
    this.#woken = false;
    if (!this.#options.mayAct()) {
      this.#sleep(GATE_MS);
      return false;
    }
    return true;
  }

  lookAgain(): void {
    this.#woken = true;
  }

  /** Ends the sleep; `onDue` is not called for it. */
  endSleep(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Arms the timer for a head that backs off, in milliseconds of the monotonic clock; true when
   * there is nothing to do until then.
   */
  sleepUntilDue(dueAt: number): boolean {
    const waitMs = dueAt - this.#options.clock.monotonic();
    if (waitMs <= 0) return false;
    this.#sleep(waitMs);
    return true;
  }

  /** Rests until a row in the store is due, in microseconds of the wall clock. */
  sleepUntilStored(dueAt: number): void {
    const { clock, maxBackoffMs } = this.#options;
    const waitMs = (dueAt - micros(clock)) / 1000;
    if (waitMs <= maxBackoffMs + CLOCK_SLACK_MS) return this.#sleep(waitMs);
    // No row backs off that long: it was stamped before the clock stepped back.
    this.#notBefore = dueAt;
    this.#woken = true;
  }

  /** The time a claim is made at, microseconds. */
  claimAt(): number {
    const at = Math.max(micros(this.#options.clock), this.#notBefore);
    this.#notBefore = 0;
    return at;
  }

  /** The store failed: keeps off it, each time for longer. */
  park(): void {
    this.#sleep(this.#parkMs);
    this.#parkMs = Math.min(PARK_MAX_MS, this.#parkMs * 2);
  }

  /** The store works: its next failure is met with the first, short wait. */
  storeAnswered(): void {
    this.#parkMs = PARK_FIRST_MS;
  }

  #sleep(waitMs: number): void {
    this.endSleep();
    if (this.#stopped) return;
    // What the store said is not due yet may be by now.
    // A longer wait is gone about in several.
    const sleepMs = Math.min(timerMsMax, Math.max(0, Math.ceil(waitMs)));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#options.onDue();
    }, sleepMs);
  }
}
