/** Named statements over one connection, and the store's one number sequence. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { NUMBER_BLOCK } from "./database.ts";
import { type StatementName, statements } from "./statements.ts";

export type SqlValue = string | number | null;
/** A cell as read: bodies come as bytes, see `cell_text.ts`. */
export type SqlRow = Record<string, SqlValue | Uint8Array>;

/** Where the number sequence stood at the start of a transaction. */
export interface Mark {
  readonly nextSeq: number;
  readonly reservedTo: number;
}

export class Session {
  readonly db: DatabaseSync;
  readonly #prepared = new Map<StatementName, StatementSync>();
  #begin: StatementSync | undefined;
  #commit: StatementSync | undefined;
  #nextSeq: number;
  #reservedTo: number;
  /** Statements run since opening. */
  statementCount = 0;

  constructor(db: DatabaseSync, nextSeq: number) {
    this.db = db;
    this.#nextSeq = nextSeq;
    this.#reservedTo = nextSeq + NUMBER_BLOCK;
  }

  /** Begins a transaction with the write lock; waits while another process holds that. */
  begin(): void {
    (this.#begin ??= this.db.prepare("BEGIN IMMEDIATE")).run();
  }

  /** The same for what can be done later: fails when another process holds the lock. */
  beginAtOnce(): void {
    const { timeout } = this.db.prepare("PRAGMA busy_timeout").get()!;
    this.db.exec("PRAGMA busy_timeout = 0");
    try {
      this.begin();
    } finally {
      this.db.exec(`PRAGMA busy_timeout = ${timeout}`);
    }
  }

  commit(): void {
    (this.#commit ??= this.db.prepare("COMMIT")).run();
  }

  /** Next number of the sequence; a higher number was written later. */
  next(): number {
    return this.#nextSeq++;
  }

  /** The highest number given out. */
  get newest(): number {
    return this.#nextSeq - 1;
  }

  /** Numbers before `nextSeq` are given out. */
  goOnAt(nextSeq: number): void {
    this.#nextSeq = Math.max(this.#nextSeq, nextSeq);
  }

  /** Numbers before this one may be used. */
  get reservedTo(): number {
    return this.#reservedTo;
  }

  mark(): Mark {
    return { nextSeq: this.#nextSeq, reservedTo: this.#reservedTo };
  }

  /** Gives back the numbers of a transaction that was rolled back, its reservation included. */
  rewind({ nextSeq, reservedTo }: Mark): void {
    this.#nextSeq = nextSeq;
    this.#reservedTo = reservedTo;
  }

  /** Reserves the next block before the current one runs out; call inside the transaction. */
  reserveNumbers(): void {
    if (this.#nextSeq + NUMBER_BLOCK / 2 < this.#reservedTo) return;
    this.#reservedTo = this.#nextSeq + NUMBER_BLOCK;
    this.change("reserveNumbers", this.#reservedTo);
  }

  /** Runs a statement; returns how many rows it changed. */
  change(name: StatementName, ...values: SqlValue[]): number {
    this.statementCount += 1;
    return Number(this.#statement(name).run(...values).changes);
  }

  all(name: StatementName, ...values: SqlValue[]): SqlRow[] {
    this.statementCount += 1;
    return this.#statement(name).all(...values) as SqlRow[];
  }

  first(name: StatementName, ...values: SqlValue[]): SqlRow | undefined {
    this.statementCount += 1;
    return this.#statement(name).get(...values) as SqlRow | undefined;
  }

  #statement(name: StatementName): StatementSync {
    let statement = this.#prepared.get(name);
    if (!statement) {
      statement = this.db.prepare(statements[name]);
      this.#prepared.set(name, statement);
    }
    return statement;
  }
}
