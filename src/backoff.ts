/** Exponential backoff without jitter: order per lane makes retries of one lane serial anyway. */

export interface BackoffPolicy {
  readonly backoffMs: number;
  readonly multiplier: number;
  readonly maxBackoffMs: number;
}

/**
 * Returns the wait after attempt `attempts` (1 = the first failed attempt), in milliseconds:
 * `min(max, backoff * multiplier ** (attempts - 1))`.
 */
export function backoffMs(policy: BackoffPolicy, attempts: number): number {
  const { backoffMs, multiplier, maxBackoffMs } = policy;
  const wait = backoffMs * multiplier ** Math.max(0, attempts - 1);
  return Math.min(maxBackoffMs, Number.isFinite(wait) ? wait : maxBackoffMs);
}
