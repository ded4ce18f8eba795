/**
 * The leader's look for rows that memory was not told of: what a former leader still stored after
 * its successor had counted, and whatever else came to the store by another way. Source: spec
 * pipeline-store-cluster §3.3 (reclaim sweep), I66.
 */
import { timerMsMax } from "../clock.ts";
import type { Term } from "../cluster/mod.ts";
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { TouchedLane } from "../store/intent_results.ts";

export interface SweepOptions {
  readonly term: Term;
  readonly pipeline: Pipeline;
  /** `[cluster] reclaim_interval_seconds`. */
  readonly intervalMs: number;
  readonly openLanes: () => Promise<readonly TouchedLane[]>;
  readonly logger: Logger;
}

/** Looks at every interval until it is disposed. */
export function startSweep(options: SweepOptions): Disposable {
  const timer = setInterval(
    () => void look(options),
    Math.min(options.intervalMs, timerMsMax),
  );
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function look({ term, pipeline, openLanes, logger }: SweepOptions): Promise<void> {
  if (!term.isCurrent) return;
  try {
    const lanes = pipeline.overlooked(await openLanes());
    if (lanes.length === 0 || !term.isCurrent) return;
    logger.info("cluster.reclaimed", { lanes: lanes.length });
    await pipeline.touched(lanes);
  } catch (thrown) {
    logger.warning("cluster.reclaim_failed", { error: errorClass(thrown) });
  }
}
