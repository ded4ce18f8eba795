/** What maintenance shows of itself, and whom it tells when the store has grown. */
import { noCounts, type PurgeCounts, type PurgeKind } from "../store/purge.ts";

/** The store is larger than `[retention] max_db_mb`. Nothing is deleted for it. */
export interface StorageAdvisory {
  /** The database file. */
  readonly store: string;
  readonly sizeBytes: number;
  readonly limitBytes: number;
}

/** Since the process began. */
export interface MaintenanceFigures {
  readonly purged: PurgeCounts;
  readonly passes: number;
  /** Chores of passes that failed and wait for the next one. */
  readonly failures: number;
  readonly isRunning: boolean;
  /** The store was larger than its limit when it was last looked at. */
  readonly isOverSize: boolean;
  /** Milliseconds since the epoch: when a pass last came to its end without a failure. */
  readonly lastDoneAt: number | undefined;
}

export class Figures implements MaintenanceFigures {
  purged: PurgeCounts = noCounts;
  passes = 0;
  failures = 0;
  isRunning = false;
  isOverSize = false;
  lastDoneAt: number | undefined;

  add(kind: PurgeKind, count: number): void {
    this.purged = { ...this.purged, [kind]: this.purged[kind] + count };
  }
}
