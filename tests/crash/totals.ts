/** Sums over the rounds of a proof. Pure. */
import type { RoundResult } from "./round.ts";

export interface Totals {
  rounds: number;
  deaths: number;
  /** Deaths at the very failpoint that was planned. */
  atFailpoints: number;
  byClock: number;
  inOrder: number;
  /** Names of failpoints that ended the engine at least once. */
  struck: Set<string>;
  sent: number;
  answered: number;
  stored: number;
  deliveries: number;
  doubles: number;
  poisonCrashes: number | undefined;
  refusedWithoutCommit: number | undefined;
}

export function newTotals(): Totals {
  return {
    rounds: 0,
    deaths: 0,
    atFailpoints: 0,
    byClock: 0,
    inOrder: 0,
    struck: new Set(),
    sent: 0,
    answered: 0,
    stored: 0,
    deliveries: 0,
    doubles: 0,
    poisonCrashes: undefined,
    refusedWithoutCommit: undefined,
  };
}

export function addRound(totals: Totals, result: RoundResult): void {
  totals.rounds += 1;
  for (const { ending, reached } of result.lives) {
    if (ending === "drained") continue;
    if (ending.by === "stop" || (ending.by === "failpoint" && ending.stop && !reached)) {
      totals.inOrder += 1;
      continue;
    }
    totals.deaths += 1;
    if (ending.by === "failpoint" && reached) {
      totals.atFailpoints += 1;
      totals.struck.add(ending.name);
    } else {
      totals.byClock += 1;
    }
  }
  totals.sent += result.sent;
  totals.answered += result.answered;
  totals.stored += result.stored;
  totals.deliveries += result.deliveries;
  totals.doubles += result.doubles;
}
