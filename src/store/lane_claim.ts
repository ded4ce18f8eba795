/**
 * Which rows of an ordered lane a claim takes, of those it reads from the head on.
 *
 * Source: spec pipeline-store-cluster §3.1 (the contiguous due prefix), §1.8 (attempts exhausted).
 */
import type { ClaimIntent, RowStatus } from "./intents.ts";

/** A row as the decision needs it. */
export interface LaneRow {
  readonly status: RowStatus;
  readonly attempts: number;
  /** Microseconds since the epoch. */
  readonly dueAt: number;
}

export interface PrefixPlan<R extends LaneRow> {
  /** Rows to be claimed, in order. */
  readonly take: readonly R[];
  /** Rows to be read ahead: they follow those that are claimed. */
  readonly ahead: readonly R[];
  /** Rows to be given up for too many claims without an outcome. */
  readonly exhausted: readonly R[];
  readonly drained: boolean;
  readonly dueAt: number | undefined;
  readonly suspect: boolean;
}

/** How many rows of a lane a claim reads: one more tells whether anything is left. */
export function rowsRead({ limit, readAhead }: ClaimIntent): number {
  return limit + readAhead + 1;
}

/** Plans a claim over the open rows of a lane, at most {@link rowsRead} of them. */
export function planPrefix<R extends LaneRow>(
  read: readonly R[],
  { limit, readAhead, at, attemptsMax, suspects = false }: ClaimIntent,
): PrefixPlan<R> {
  const wanted = limit + readAhead;
  const take: R[] = [];
  const ahead: R[] = [];
  const exhausted: R[] = [];
  let dueAt: number | undefined;
  let suspect = false;
  for (const row of read.slice(0, wanted)) {
    // In flight under another claim of this lane: its holder goes on from here.
    if (row.status !== "pending") break;
    if (row.dueAt > at) {
      dueAt = row.dueAt;
      break;
    }
    if (attemptsMax !== undefined && row.attempts >= attemptsMax) {
      exhausted.push(row);
      continue;
    }
    // Alone, so that its neighbours do not spend their attempts on its crashes.
    const isSuspect = attemptsMax !== undefined && row.attempts >= 2;
    suspect = isSuspect && take.length === 0 && !suspects;
    if (isSuspect && (take.length > 0 || !suspects)) break;
    if (take.length === limit) {
      ahead.push(row);
      continue;
    }
    take.push(row);
    if (isSuspect) break;
  }
  const seen = take.length + ahead.length + exhausted.length;
  const drained = read.length <= wanted && seen === read.length;
  return {
    ...{ take, ahead, exhausted, drained, suspect },
    dueAt: take.length === 0 ? dueAt : undefined,
  };
}
