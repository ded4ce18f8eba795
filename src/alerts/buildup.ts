/**
 * Looks at every lane once a second and says which hold too much for too long.
 *
 * Depth and age are what memory knows of a lane. Where memory does not hold the oldest row, the store
 * is asked: not before its last answer can have grown old enough, so a deep lane is not asked about
 * every second. Source: spec pipeline-store-cluster §8, C12, I73.
 */
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import type { QueueBuildup } from "./event.ts";

export type Stage = "ingress" | "routed" | "response" | "outbound";

/** When a lane is too much. */
export interface BuildupLimits {
  /** Null is off. */
  readonly maxDepth: number | null;
  readonly maxOldestMs: number | null;
}

/** One lane as memory knows it. Two lanes of one connection are one to whoever is told. */
export interface LaneGauge {
  readonly stage: Stage;
  readonly connection: string;
  /** Rows waiting or in flight. */
  readonly depth: number;
  /** Epoch microseconds of the oldest of them; undefined when memory does not hold it. */
  readonly oldestAt: number | undefined;
  readonly limits: BuildupLimits;
}

export interface BuildupOptions {
  /** Every lane that nobody paused. */
  readonly lanes: () => Iterable<LaneGauge>;
  /** Epoch microseconds of the oldest open row in the store. */
  readonly oldestOpen: (stage: Stage, connection: string) => Promise<number | undefined>;
  readonly raise: (event: QueueBuildup) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is known of the oldest row of a lane, from memory a moment ago or from the store. */
interface Known {
  /** Epoch microseconds. */
  oldestAt: number | undefined;
  /** Milliseconds of the monotonic clock at which it became that. */
  seenAt: number;
  /** How old it was when this was learned. */
  ageMs: number;
  /** Milliseconds of the wall clock: the store is not asked before. */
  askAt: number;
  isAsked: boolean;
}

/** A requeued row may be older than those before it, so nothing is taken for known for longer. */
const KNOWN_MS_MAX = 30_000;
/** How soon the store is asked again about a lane that is too old, or after it failed. */
const ASK_AGAIN_MS = 5_000;

export class BuildupMonitor {
  readonly #options: BuildupOptions;
  /** By lane. */
  readonly #known = new Map<string, Known>();
  #crossed = new Map<string, QueueBuildup>();

  constructor(options: BuildupOptions) {
    this.#options = options;
  }

  /** Raises an event for each connection that is over a threshold now. Never throws or waits. */
  look(): void {
    this.#crossed = new Map();
    const seen = new Set<string>();
    for (const gauge of this.#options.lanes()) {
      if (gauge.depth === 0) continue;
      seen.add(laneOf(gauge));
      this.#judge(gauge, this.#ageOf(gauge));
    }
    for (const lane of this.#known.keys()) if (!seen.has(lane)) this.#known.delete(lane);
    for (const event of this.#crossed.values()) this.#options.raise(event);
  }

  /** Whether it was over a threshold when last looked at. */
  isCrossed(connection: string): boolean {
    return this.#crossed.has(connection);
  }

  /** Notes a lane that is over a threshold; returns the event it is part of. */
  #judge(gauge: LaneGauge, oldestAgeMs: number | undefined): QueueBuildup | undefined {
    const { connection, depth, limits: { maxDepth, maxOldestMs } } = gauge;
    const isDeep = maxDepth !== null && depth >= maxDepth;
    const isOld = maxOldestMs !== null && oldestAgeMs !== undefined && oldestAgeMs >= maxOldestMs;
    if (!isDeep && !isOld) return undefined;
    const other = this.#crossed.get(connection);
    const event: QueueBuildup = {
      type: "queue_buildup",
      connection,
      depth: Math.max(depth, other?.depth ?? 0),
      oldestAgeMs: older(oldestAgeMs, other?.oldestAgeMs),
    };
    this.#crossed.set(connection, event);
    return event;
  }

  /**
   * How old the oldest row is. What was known before the threshold was reached does not say that it
   * was reached, for the row may be gone; what was over it stays so until the store says otherwise.
   */
  #ageOf(gauge: LaneGauge): number | undefined {
    const { limits: { maxOldestMs }, oldestAt } = gauge;
    const now = this.#options.clock.now();
    const lane = laneOf(gauge);
    let known = this.#known.get(lane);
    if (known === undefined) {
      known = { oldestAt: undefined, seenAt: 0, ageMs: 0, askAt: now, isAsked: false };
      this.#known.set(lane, known);
    }
    if (oldestAt !== undefined) {
      this.#learn(known, { oldestAt, maxOldestMs });
      return known.ageMs;
    }
    if (maxOldestMs === null) return undefined;
    // The wall clock may have stepped back.
    const isDue = now >= known.askAt || known.askAt - now > KNOWN_MS_MAX;
    if (isDue && !known.isAsked) void this.#ask(known, { gauge, maxOldestMs });
    if (known.oldestAt === undefined) return undefined;
    const ageMs = this.#ageNow(known);
    const isSure = ageMs < maxOldestMs || known.ageMs >= maxOldestMs;
    return isSure ? ageMs : undefined;
  }

  /** By the wall clock, or by the time since it was first seen where that clock has stepped back. */
  #ageNow({ oldestAt = 0, seenAt }: Known): number {
    const { clock } = this.#options;
    return Math.max(clock.now() - oldestAt / 1000, clock.monotonic() - seenAt);
  }

  #learn(
    known: Known,
    { oldestAt, maxOldestMs }: { oldestAt: number | undefined; maxOldestMs: number | null },
  ): void {
    const { clock } = this.#options;
    const now = clock.now();
    if (known.oldestAt !== oldestAt) known.seenAt = clock.monotonic();
    known.oldestAt = oldestAt;
    // A lane that is not empty and has no row is between two moments.
    known.ageMs = oldestAt === undefined ? 0 : this.#ageNow(known);
    const leftMs = oldestAt === undefined ? 0 : (maxOldestMs ?? 0) - known.ageMs;
    const isOver = oldestAt !== undefined && leftMs <= 0;
    known.askAt = now + (isOver ? ASK_AGAIN_MS : Math.min(leftMs, KNOWN_MS_MAX));
  }

  async #ask(
    known: Known,
    { gauge, maxOldestMs }: { gauge: LaneGauge; maxOldestMs: number },
  ): Promise<void> {
    const { oldestOpen, clock, logger, raise } = this.#options;
    const { stage, connection } = gauge;
    known.isAsked = true;
    try {
      const oldestAt = await oldestOpen(stage, connection);
      this.#learn(known, { oldestAt, maxOldestMs });
      const isTold = this.#crossed.has(connection);
      if (oldestAt === undefined || isTold) return;
      // Not a second later: whoever waits for the store has waited already.
      const event = this.#judge(gauge, known.ageMs);
      if (event !== undefined) raise(event);
    } catch (thrown) {
      known.askAt = clock.now() + ASK_AGAIN_MS;
      logger.debug("alert.age_unknown", { connection, stage, error: errorClass(thrown) });
    } finally {
      known.isAsked = false;
    }
  }
}

function laneOf({ stage, connection }: LaneGauge): string {
  return `${stage} ${connection}`;
}

function older(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
