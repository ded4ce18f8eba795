/**
 * Brings up what only the leader does and takes it down again, in order.
 *
 * Gates close by themselves: whatever runs under a `Term` asks it before it acts. Here only follows
 * what has to be done about it. Source: spec pipeline-store-cluster §7.5–7.6, I67.
 */
import type { Clock } from "../clock.ts";
import { EngineError, errorClass } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import type { LeaseKeeper } from "./lease_keeper.ts";
import { Term } from "./term.ts";

/** What a leader does, from the engine's side. */
export interface Duties {
  /**
   * Brings everything up; resolves when it runs. When it rejects the node gives leadership back,
   * after `rest()`. It should end early when the term does.
   */
  lead(term: Term): Promise<void>;
  /** Takes everything down, also what was brought up in part; resolves when nothing acts. */
  rest(): Promise<void>;
}

export interface SupervisorOptions {
  readonly keeper: LeaseKeeper;
  readonly duties: Duties;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: string;
  readonly heartbeatMs: number;
  /** How long the lease outlives the fence. */
  readonly marginMs: number;
  /** A term began or ended. */
  readonly onTurn: () => void;
}

export type Role = "standby" | "promoting" | "primary" | "demoting";

/** How often the clocks are asked; a fence tells of itself, a suspended machine does not. */
const LOOK_MS = 250;
const STAND_BACK_MS_MAX = 60_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  #term: Term | undefined;
  #role: Role = "standby";
  /** Promotions in a row that failed. */
  #failures = 0;
  #doubtSinceMs: number | undefined;
  #isEnding = false;
  #wake = Promise.withResolvers<void>();
  #looking: ReturnType<typeof setInterval> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get role(): Role {
    return this.#role;
  }

  /** The term under way. */
  get term(): Term | undefined {
    return this.#term;
  }

  start(): void {
    this.#looking = setInterval(() => this.look(), LOOK_MS);
    this.#running = this.#run();
  }

  /** Ends the term that may no longer run; wakes whoever waits for one. */
  look(): void {
    const term = this.#term;
    if (term !== undefined && !term.signal.aborted) {
      const reason = this.#reasonToEnd(term);
      if (reason !== undefined) term.end(reason);
    }
    this.#wake.resolve();
  }

  /** Takes everything down and begins no other term. Does not give the lease back. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#term?.end("stopping");
    this.#wake.resolve();
    await this.#running;
    clearInterval(this.#looking);
  }

  #reasonToEnd(term: Term): string | undefined {
    const { keeper, clock, marginMs } = this.#options;
    const { posture } = keeper;
    if (keeper.epoch !== term.epoch) return "lost";
    if (posture === "leading") {
      this.#doubtSinceMs = undefined;
      return undefined;
    }
    if (posture !== "doubtful") return posture === "fenced" ? "fenced" : "stepped down";
    // The gates are closed meanwhile. A renewal is a matter of milliseconds, a restart is not.
    this.#doubtSinceMs ??= clock.monotonic();
    keeper.nudge();
    return clock.monotonic() - this.#doubtSinceMs > marginMs / 4 ? "fenced" : undefined;
  }

  async #run(): Promise<void> {
    while (!this.#isEnding) {
      const { keeper } = this.#options;
      const { epoch } = keeper;
      if (keeper.isLeader && epoch !== undefined) await this.#serve(epoch);
      else await this.#sleep();
    }
  }

  async #serve(epoch: number): Promise<void> {
    const { keeper, logger, nodeId, clock, heartbeatMs } = this.#options;
    const begunMs = clock.monotonic();
    const term = this.#term = new Term(
      epoch,
      () => keeper.epoch === epoch && keeper.isLeader,
    );
    term.signal.addEventListener("abort", () => this.#wake.resolve(), { once: true });
    this.#turn("promoting");
    logger.info("cluster.acquired", { node: nodeId, epoch });
    try {
      await this.#options.duties.lead(term);
      this.#failures = 0;
      if (!term.signal.aborted) {
        this.#turn("primary");
        const tookMs = Math.round(clock.monotonic() - begunMs);
        logger.info("cluster.promoted", { node: nodeId, epoch, ms: tookMs });
      }
      while (!term.signal.aborted) await this.#sleep();
    } catch (thrown) {
      // A term that ended takes its promotion with it; that is no fault of the node.
      if (!term.signal.aborted) {
        term.end("promotion failed");
        const standBackMs = Math.min(STAND_BACK_MS_MAX, heartbeatMs * 2 ** this.#failures++);
        logger.error("cluster.promotion_failed", {
          ...{ node: nodeId, epoch, error: errorClass(thrown), stand_back_ms: standBackMs },
          code: thrown instanceof EngineError ? thrown.code : undefined,
        });
        await this.#rest(term);
        keeper.stepDown(standBackMs);
        return;
      }
    }
    await this.#rest(term);
  }

  async #rest(term: Term): Promise<void> {
    const { logger, nodeId, clock, duties, keeper } = this.#options;
    const begunMs = clock.monotonic();
    this.#turn("demoting");
    try {
      await duties.rest();
    } catch (thrown) {
      logger.error("cluster.demotion_failed", { node: nodeId, error: errorClass(thrown) });
    }
    // What this node believes of its lease is wrong, whatever the next renewal says.
    if (term.isFollowed) keeper.stepDown(0);
    this.#term = undefined;
    this.#doubtSinceMs = undefined;
    this.#turn("standby");
    logger.info("cluster.demoted", {
      ...{ node: nodeId, epoch: term.epoch, reason: String(term.signal.reason) },
      ms: Math.round(clock.monotonic() - begunMs),
    });
  }

  #turn(role: Role): void {
    this.#role = role;
    this.#options.onTurn();
  }

  async #sleep(): Promise<void> {
    this.#wake = Promise.withResolvers<void>();
    await this.#wake.promise;
  }
}
