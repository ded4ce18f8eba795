/**
 * Sliding windows over attempts, on the monotonic clock. An attempt that is refused is not counted,
 * so whoever keeps trying gets in as soon as the window lets them. Source: spec api §2.9.
 */
import type { Clock } from "../clock.ts";

export interface RateLimitOptions {
  readonly isOn: boolean;
  /** Of one key in a window; 0 is no limit. */
  readonly perKey: number;
  /** Of all keys together; 0 is no limit. */
  readonly global: number;
  readonly windowMs: number;
}

/** Keys remembered at once; with more, those that asked longest ago are forgotten first. */
const KEYS_MAX = 10_000;

export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #clock: Clock;
  /** Times of attempts by key, oldest first; the key that asked last stands last. */
  readonly #byKey = new Map<string, number[]>();
  readonly #all: number[] = [];

  constructor(options: RateLimitOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Counts an attempt, or says that it is one too many. */
  admits(key: string): boolean {
    const { isOn, perKey, global } = this.#options;
    if (!isOn || (perKey === 0 && global === 0)) return true;
    const now = this.#clock.monotonic();
    const own = this.#byKey.get(key) ?? [];
    this.#drop(own, now);
    this.#drop(this.#all, now);
    if (perKey > 0 && own.length >= perKey) return false;
    if (global > 0 && this.#all.length >= global) return false;
    if (perKey > 0) {
      own.push(now);
      this.#byKey.delete(key);
      this.#byKey.set(key, own);
      if (this.#byKey.size > KEYS_MAX) this.#forget();
    }
    if (global > 0) this.#all.push(now);
    return true;
  }

  #drop(times: number[], now: number): void {
    const { windowMs } = this.#options;
    const live = times.findIndex((at) => now - at < windowMs);
    times.splice(0, live < 0 ? times.length : live);
  }

  #forget(): void {
    for (const key of this.#byKey.keys()) {
      this.#byKey.delete(key);
      return;
    }
  }
}
