/**
 * Runs the lease's state machine: carries its asks to the database, one at a time and each with a
 * bound, and tells when what it says may have changed.
 *
 * Upstream: `cluster.ts`. Downstream: a `LeaseStore`. What a node does as leader stands elsewhere.
 */
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import {
  type Ask,
  askTimeoutMs,
  type Holder,
  type LeaseStore,
  type LeaseTimings,
} from "./lease.ts";
import { type Instant, LeaseMachine, type Posture } from "./lease_machine.ts";
import type { LeaseView } from "./lease.ts";

export interface LeaseKeeperOptions {
  readonly me: Holder;
  readonly timings: LeaseTimings;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The posture may have changed, for a reason of this node's or of the database's. */
  readonly onChange: () => void;
}

/** Timers take no longer wait. */
const WAIT_MS_MAX = 60_000;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #machine: LeaseMachine;
  readonly #askTimeoutMs: number;
  #wake = Promise.withResolvers<void>();
  #fenceTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #isSilent = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#machine = new LeaseMachine(options.me, options.timings);
    this.#askTimeoutMs = askTimeoutMs(options.timings);
  }

  /** Whether this node may act as leader now; computed from the clocks at each call. */
  get isLeader(): boolean {
    return this.#machine.isLeader(this.#now());
  }

  get posture(): Posture {
    return this.#machine.posture(this.#now());
  }

  get epoch(): number | undefined {
    return this.#machine.epoch;
  }

  /** The lease as the database last told it. */
  get view(): LeaseView | undefined {
    return this.#machine.view;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The lease may have changed: ask now. */
  nudge(): void {
    this.#machine.nudge();
    this.#wake.resolve();
  }

  /** Leads no more at once, gives the lease back and leaves it to others for a while. */
  stepDown(standBackMs: number): void {
    this.#machine.stepDown(this.#now(), standBackMs);
    this.#changed();
    this.#wake.resolve();
  }

  /** Leads no more at once, gives the lease back, if the database can be reached, and ends. */
  async end(): Promise<void> {
    this.#machine.end();
    this.#changed();
    this.#wake.resolve();
    await this.#running;
    clearTimeout(this.#fenceTimer);
  }

  async #run(): Promise<void> {
    for (;;) {
      const step = this.#machine.next(this.#now());
      if (step.kind === "end") return;
      if (step.kind === "ask") await this.#ask(step.ask);
      else await this.#wait(step.untilMs);
    }
  }

  async #ask(ask: Ask): Promise<void> {
    const { store, logger, me } = this.#options;
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    tooLate.catch(() => {});
    const giveUp = new AbortController();
    const timer = setTimeout(() => {
      giveUp.abort();
      reject(new Error("No answer in time"));
    }, this.#askTimeoutMs);
    this.#machine.issued(ask, this.#now());
    try {
      const answer = await Promise.race([store.ask(ask, giveUp.signal), tooLate]);
      this.#machine.answered(ask, answer, this.#now());
      if (this.#isSilent) logger.info("cluster.lease_reached", { node: me.nodeId });
      this.#isSilent = false;
    } catch (thrown) {
      this.#machine.failed(ask, this.#now());
      if (!this.#isSilent) {
        logger.warning("cluster.lease_unreachable", {
          node: me.nodeId,
          ask: ask.kind,
          error: errorClass(thrown),
          code: (thrown as { code?: string }).code,
        });
      }
      this.#isSilent = true;
    } finally {
      clearTimeout(timer);
    }
    this.#watchFence();
    this.#changed();
  }

  /** The fence closes by itself; who acts is to hear of it then. */
  #watchFence(): void {
    clearTimeout(this.#fenceTimer);
    const fenceAtMs = this.#machine.fenceAtMs;
    if (fenceAtMs === undefined) return;
    const inMs = fenceAtMs - this.#options.clock.monotonic();
    this.#fenceTimer = setTimeout(() => this.#changed(), Math.max(0, Math.ceil(inMs)) + 1);
  }

  #changed(): void {
    this.#options.onChange();
  }

  async #wait(untilMs: number): Promise<void> {
    const waitMs = Math.min(WAIT_MS_MAX, untilMs - this.#options.clock.monotonic());
    if (waitMs <= 0) return;
    this.#wake = Promise.withResolvers<void>();
    const timer = setTimeout(this.#wake.resolve, Math.ceil(waitMs));
    await this.#wake.promise;
    clearTimeout(timer);
  }

  #now(): Instant {
    const { clock } = this.#options;
    return { monoMs: clock.monotonic(), wallMs: clock.now() };
  }
}
