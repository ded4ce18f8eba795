/** Rates and latencies of the run while it lasts. Pure. */
import type { ConnectionFigures } from "./engine_view.ts";

/** Middle and slow end of some latencies, milliseconds; undefined before the first. */
export interface Latency {
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
}

/** One line of the table. */
export interface TableRow extends ConnectionFigures, Latency {
  /** Messages or deliveries a second, over the last few seconds. */
  readonly perSecond: number;
}

const KEPT = 1_000;
const RATE_WINDOW_MS = 5_000;

/** Latencies by connection; the newest thousand of each count. */
export class Latencies {
  readonly #byName = new Map<string, number[]>();

  add(name: string, ms: number): void {
    const kept = this.#byName.get(name);
    if (kept === undefined) this.#byName.set(name, [ms]);
    else {
      kept.push(ms);
      if (kept.length > 2 * KEPT) kept.splice(0, KEPT);
    }
  }

  of(name: string): Latency {
    const sorted = (this.#byName.get(name) ?? []).slice(-KEPT).sort((a, b) => a - b);
    return { p50Ms: percentile(sorted, 0.5), p95Ms: percentile(sorted, 0.95) };
  }
}

function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Turns counters that only grow into rates over the last few seconds. */
export class Rates {
  readonly #samples = new Map<string, { at: number; count: number }[]>();

  /** Notes a counter at a moment of the monotonic clock; returns its rate a second. */
  perSecond(name: string, count: number, at: number): number {
    const samples = this.#samples.get(name) ?? [];
    this.#samples.set(name, samples);
    samples.push({ at, count });
    while (samples.length > 2 && at - samples[1]!.at >= RATE_WINDOW_MS) samples.shift();
    const [oldest] = samples;
    const elapsed = at - oldest!.at;
    return elapsed <= 0 ? 0 : (count - oldest!.count) * 1000 / elapsed;
  }
}
