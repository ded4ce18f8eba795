/**
 * What one node knows of the leadership lease, and what it may conclude: a state machine without
 * time, timers or network of its own.
 *
 * The rule that keeps two nodes from leading at once: the database dates a lease after the ask for
 * it was issued, so it ends no earlier than `issued + ttl`. A holder stops at `issued + fence`, by
 * its own monotonic clock, computed at each call; a stalled process cannot serve an old "yes".
 * Source: spec pipeline-store-cluster §7.2–7.3, I60, I61.
 */
import {
  type Answer,
  type Ask,
  type Holder,
  isSameHolder,
  type LeaseTimings,
  type LeaseView,
  NO_EPOCH,
} from "./lease.ts";

/** One moment by both clocks of a node, milliseconds. */
export interface Instant {
  readonly monoMs: number;
  readonly wallMs: number;
}

/** What is to be done: an ask to execute, or nothing before a moment of the monotonic clock. */
export type Step =
  | { readonly kind: "ask"; readonly ask: Ask }
  | { readonly kind: "wait"; readonly untilMs: number }
  /** Released for good. */
  | { readonly kind: "end" };

/**
 * `leading`: acts. `doubtful`: the wall clock ran ahead, as after a suspended machine, so nothing
 * is done until a renewal says that the lease is still ours. `fenced`: holds a lease it may no
 * longer rely on. `standby`: holds none.
 */
export type Posture = "leading" | "doubtful" | "fenced" | "standby";

interface Held {
  readonly epoch: number;
  /** When the last granted ask was issued. */
  readonly issued: Instant;
  /** Monotonic: not leading before, for it was fenced and must not flap. */
  readonly notBeforeMs: number;
}

/** A late look costs little, and an early one finds the lease still running. */
const LOOK_SLACK_MS = 2;
const RETRY_MS_MAX = 1_000;

export class LeaseMachine {
  readonly #me: Holder;
  readonly #timings: LeaseTimings;
  #held: Held | undefined;
  #view: LeaseView | undefined;
  #asked: { readonly ask: Ask; readonly at: Instant } | undefined;
  /** Monotonic time of the next ask. */
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Somebody said that the lease can be had while an ask was under way. */
  #isNudged = false;
  /** Asks in a row without an answer. */
  #failures = 0;
  #isSteppingDown = false;
  /** Monotonic: no lease is taken before, for this node gave up leading. */
  #standBackMs = Number.NEGATIVE_INFINITY;
  #isEnding = false;

  constructor(me: Holder, timings: LeaseTimings) {
    this.#me = me;
    this.#timings = timings;
  }

  /** Of the lease that is held; undefined on a standby. */
  get epoch(): number | undefined {
    return this.#held?.epoch;
  }

  /** What the database last said. */
  get view(): LeaseView | undefined {
    return this.#view;
  }

  isLeader(now: Instant): boolean {
    return this.posture(now) === "leading";
  }

  posture(now: Instant): Posture {
    const held = this.#held;
    if (held === undefined || this.#isEnding || this.#isSteppingDown) return "standby";
    const { fenceMs } = this.#timings;
    if (now.monoMs - held.issued.monoMs > fenceMs) return "fenced";
    if (now.monoMs < held.notBeforeMs) return "fenced";
    // Monotonic time may stand still while a virtual machine is suspended.
    return now.wallMs - held.issued.wallMs > fenceMs ? "doubtful" : "leading";
  }

  /** Monotonic time at which the fence closes; undefined on a standby. */
  get fenceAtMs(): number | undefined {
    return this.#held && this.#held.issued.monoMs + this.#timings.fenceMs;
  }

  /** What to do at `now`. An ask is to be told of by `issued()` before it leaves. */
  next(now: Instant): Step {
    if (this.#asked !== undefined) return { kind: "wait", untilMs: Number.POSITIVE_INFINITY };
    if (this.#isSteppingDown || this.#isEnding) {
      const epoch = this.#releasable();
      if (epoch !== undefined) return { kind: "ask", ask: { kind: "release", epoch } };
      this.#isSteppingDown = false;
      if (this.#isEnding) return { kind: "end" };
    }
    // A renewal tells whether the time that the wall clock shows really passed.
    const untilMs = this.posture(now) === "doubtful" ? now.monoMs : this.#nextMs;
    if (now.monoMs < untilMs) return { kind: "wait", untilMs };
    if (this.#held) return { kind: "ask", ask: { kind: "renew", epoch: this.#held.epoch } };
    const mayTake = now.monoMs >= this.#standBackMs;
    const expectedEpoch = mayTake && this.#view ? this.#view.epoch : NO_EPOCH;
    return { kind: "ask", ask: { kind: "acquire", expectedEpoch } };
  }

  /** An ask leaves this node at `at`: what it grants counts from here. */
  issued(ask: Ask, at: Instant): void {
    this.#asked = { ask, at };
  }

  /** The answer to the ask that is under way. That to any other is ignored. */
  answered(ask: Ask, { granted, view }: Answer, now: Instant): void {
    if (this.#asked?.ask !== ask) return;
    const issued = this.#asked.at;
    this.#asked = undefined;
    this.#failures = 0;
    this.#view = view;
    if (granted && ask.kind !== "release") this.#hold(view.epoch, { issued, now });
    else {this.#stand(view, {
        now,
        hasTried: ask.kind === "acquire" && ask.expectedEpoch === view.epoch,
      });}
  }

  /** The ask that is under way has no answer, and may still be executed at any time. */
  failed(ask: Ask, now: Instant): void {
    if (this.#asked?.ask !== ask) return;
    this.#asked = undefined;
    if (ask.kind === "release") {
      // It ends by itself, if later.
      this.#held = undefined;
      this.#view = undefined;
    }
    const { heartbeatMs } = this.#timings;
    const retryMs = Math.min(RETRY_MS_MAX, heartbeatMs / 4) * 2 ** this.#failures;
    this.#failures = Math.min(this.#failures + 1, 4);
    this.#nextMs = now.monoMs + Math.min(retryMs, heartbeatMs);
  }

  /** Somebody says that the lease may have changed: ask now. */
  nudge(): void {
    this.#nextMs = Number.NEGATIVE_INFINITY;
    this.#isNudged = this.#asked !== undefined;
  }

  /** Gives the lease back and leaves it to others for `standBackMs`; leads no more at once. */
  stepDown(now: Instant, standBackMs: number): void {
    this.#isSteppingDown = true;
    this.#standBackMs = now.monoMs + standBackMs;
  }

  /** Gives the lease back for good; leads no more at once. */
  end(): void {
    this.#isEnding = true;
  }

  #hold(epoch: number, { issued, now }: { issued: Instant; now: Instant }): void {
    const { heartbeatMs, fenceMs } = this.#timings;
    const former = this.#held;
    const wasFenced = former !== undefined && now.monoMs - former.issued.monoMs > fenceMs;
    const notBeforeMs = wasFenced
      ? now.monoMs + heartbeatMs
      : former?.notBeforeMs ?? Number.NEGATIVE_INFINITY;
    this.#held = { epoch, issued, notBeforeMs };
    this.#nextMs = issued.monoMs + heartbeatMs;
  }

  /** Somebody else holds the lease, or nobody. */
  #stand(view: LeaseView, { now, hasTried }: { now: Instant; hasTried: boolean }): void {
    this.#held = undefined;
    const { heartbeatMs } = this.#timings;
    const canBeHad = view.remainingMs <= 0 || isSameHolder(view.holder, this.#me);
    const untilMs = canBeHad
      ? now.monoMs + (hasTried ? LOOK_SLACK_MS : 0)
      : now.monoMs + Math.min(heartbeatMs, view.remainingMs + LOOK_SLACK_MS);
    this.#nextMs = Math.max(this.#isNudged ? now.monoMs : untilMs, this.#standBackMs);
    this.#isNudged = false;
  }

  /** The epoch to give back; undefined when the database holds nothing of mine that I know of. */
  #releasable(): number | undefined {
    if (this.#held !== undefined) return this.#held.epoch;
    const view = this.#view;
    if (view === undefined || !isSameHolder(view.holder, this.#me)) return undefined;
    return view.remainingMs > 0 ? view.epoch : undefined;
  }
}
