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

export type Stage = "ingress" | "routed" | "outbound";

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

/** What the store said of a lane. */
interface Answer {
  oldestAt: number | undefined;
  /** Milliseconds of the wall clock before which it is not asked again. */
  askAt: number;
  isAsked: boolean;
}

/** A requeued row may be older than those before it, so no answer is taken for longer. */
const ANSWER_MS_MAX = 30_000;
/** How soon it is asked again about a lane that is too old, or whose question failed. */
const ASK_AGAIN_MS = 5_000;

export class BuildupMonitor {
  readonly #options: BuildupOptions;
  readonly #answers = new Map<string, Answer>();
  #crossed: ReadonlyMap<string, QueueBuildup> = new Map();

  constructor(options: BuildupOptions) {
    this.#options = options;
  }

  /** Raises an event for each connection that is over a threshold now. Never throws or waits. */
  look(): void {
    const crossed = new Map<string, QueueBuildup>();
    const seen = new Set<string>();
    for (const gauge of this.#options.lanes()) {
      const { connection, depth, limits } = gauge;
      const oldestAgeMs = this.#ageOf(gauge, seen);
      const isDeep = limits.maxDepth !== null && depth >= limits.maxDepth;
      const isOld = limits.maxOldestMs !== null && oldestAgeMs !== undefined &&
        oldestAgeMs >= limits.maxOldestMs;
      if (depth === 0 || !isDeep && !isOld) continue;
      const other = crossed.get(connection);
      crossed.set(connection, {
        type: "queue_buildup",
        connection,
        depth: Math.max(depth, other?.depth ?? 0),
        oldestAgeMs: older(oldestAgeMs, other?.oldestAgeMs),
      });
    }
    for (const key of this.#answers.keys()) if (!seen.has(key)) this.#answers.delete(key);
    this.#crossed = crossed;
    for (const event of crossed.values()) this.#options.raise(event);
  }

  /** Whether it was over a threshold when last looked at. */
  isCrossed(connection: string): boolean {
    return this.#crossed.has(connection);
  }

  #ageOf(gauge: LaneGauge, seen: Set<string>): number | undefined {
    const { stage, connection, depth, limits: { maxOldestMs } } = gauge;
    if (depth === 0) return undefined;
    const now = this.#options.clock.now();
    if (gauge.oldestAt !== undefined) return Math.max(0, now - gauge.oldestAt / 1000);
    if (maxOldestMs === null) return undefined;
    const key = `${stage} ${connection}`;
    seen.add(key);
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = { oldestAt: undefined, askAt: now, isAsked: false };
      this.#answers.set(key, answer);
    }
    // The wall clock may have stepped back.
    const isDue = now >= answer.askAt || answer.askAt - now > ANSWER_MS_MAX;
    if (isDue && !answer.isAsked) void this.#ask(answer, { stage, connection, maxOldestMs });
    return answer.oldestAt === undefined ? undefined : Math.max(0, now - answer.oldestAt / 1000);
  }

  async #ask(
    answer: Answer,
    { stage, connection, maxOldestMs }: { stage: Stage; connection: string; maxOldestMs: number },
  ): Promise<void> {
    const { oldestOpen, clock, logger } = this.#options;
    answer.isAsked = true;
    try {
      answer.oldestAt = await oldestOpen(stage, connection);
      const now = clock.now();
      const crossesAt = answer.oldestAt === undefined ? now : answer.oldestAt / 1000 + maxOldestMs;
      answer.askAt = crossesAt > now
        ? Math.min(crossesAt, now + ANSWER_MS_MAX)
        : now + ASK_AGAIN_MS;
    } catch (thrown) {
      answer.askAt = clock.now() + ASK_AGAIN_MS;
      logger.debug("alert.age_unknown", { connection, stage, error: errorClass(thrown) });
    } finally {
      answer.isAsked = false;
    }
  }
}

function older(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
