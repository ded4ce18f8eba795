/**
 * Chooses the run that stands for several of one profile and target. Pure.
 *
 * Upstream: `main.ts` with `--repeat`. Downstream: `report.ts`. On a machine that others use too, a
 * single run says little; the middle one of five says much.
 */
import type { RunResult } from "./run.ts";

/**
 * Returns the run in the middle, by rate in a closed loop and by CPU in an open one, where the rate
 * is given. A run without figures comes first: repeating must not hide that messages were lost.
 */
export function medianRun(results: readonly RunResult[]): RunResult {
  const failed = results.find(({ figures }) => figures === undefined);
  if (failed !== undefined) return failed;
  const sorted = results.toSorted((one, other) => measureOf(one) - measureOf(other));
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}

function measureOf({ profile, figures }: RunResult): number {
  const { sustainedPerSecond, cpuSecondsPerThousand } = figures!;
  return profile.ratePerSecond > 0 ? cpuSecondsPerThousand : sustainedPerSecond;
}
