/**
 * When SQLite's own log is copied back into the store, so that it does not grow without end.
 *
 * Usually the reader's thread does it beside the commits; only when that does not keep up the
 * writer's thread does it itself, and commits wait meanwhile.
 */
import type { DatabaseSync } from "node:sqlite";

/** Pages the log may hold before somebody is asked to copy it back (8 MiB). */
const PAGES = 1_000;
/** Pages it holds when whoever was asked does not keep up. */
const PAGES_MAX = 8 * PAGES;
/** How many transactions pass between looks at the log's length. */
const LOOK_EVERY = 16;

export class Checkpoints {
  readonly #db: DatabaseSync;
  #count = 0;
  #transactions = 0;
  #lookedAt = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** How often the log was copied back since the store was opened. */
  get count(): number {
    return this.#count;
  }

  /** A transaction was committed. */
  committed(): void {
    this.#transactions += 1;
  }

  /** Another thread has copied the log back. */
  doneElsewhere(): void {
    this.#count += 1;
  }

  /** Has the log copied back when it has grown. No transaction may be open. */
  runIfDue(askForIt: () => void): void {
    if (this.#transactions - this.#lookedAt < LOOK_EVERY) return;
    this.#lookedAt = this.#transactions;
    const row = this.#db.prepare("PRAGMA wal_checkpoint(NOOP)").get();
    const pages = Number(row?.log ?? 0) - Number(row?.checkpointed ?? 0);
    if (pages >= PAGES_MAX) this.run("PASSIVE");
    else if (pages >= PAGES) askForIt();
  }

  /** Copies the log back; `TRUNCATE` cuts it off then. Returns false when a reader was in the way. */
  run(mode: "PASSIVE" | "TRUNCATE"): boolean {
    this.#count += 1;
    return this.#db.prepare(`PRAGMA wal_checkpoint(${mode})`).get()?.busy === 0;
  }
}
