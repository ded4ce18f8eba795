/**
 * One transaction of the writer: it enters the batch's number, takes the store's lock, does its work
 * and commits, in two round trips when the work needs one look at rows.
 */
import type { Numbers as NextNumber } from "../working_set.ts";
import { ChangeSet } from "./change_set.ts";
import type { Connection, PgResult, PgRow, PgValue } from "./connection.ts";
import { type StatementName, statements } from "./statements.ts";
import { StoreError } from "../errors.ts";

/** Numbers are given out in blocks, so that a deleted row's number is never given out again. */
const NUMBER_BLOCK = 10_000_000;
/** Numbers one batch may need. */
const NUMBERS_MARGIN = 5_000_000;

/** The writer's place in the store's one number sequence. */
export class Numbers implements NextNumber {
  #next = 0;
  #to = 0;

  /** A higher number was given out later. */
  next(): number {
    if (this.#next >= this.#to) throw new RangeError("Cannot number what is too much at once");
    return this.#next++;
  }

  get isLow(): boolean {
    return this.#to - this.#next < NUMBERS_MARGIN;
  }

  /** Goes on in the block that ends before `to`. */
  adopt(to: number): void {
    if (to === this.#to) return;
    this.#to = to;
    this.#next = to - NUMBER_BLOCK;
  }
}

/**
 * What a cluster adds: a condition in SQL that holds while this node leads. Where it does not,
 * nothing is claimed, nothing is born in flight and nothing is purged; what is in flight is resolved
 * all the same, for its token guards it, and what is received is stored.
 */
export interface Fence {
  /** A boolean expression over `$1`, `$2`, …; text of the program's own, never of anybody else. */
  readonly condition: string;
  readonly values: readonly (string | number)[];
}

export interface TransactionOptions {
  readonly connection: Connection;
  readonly session: string;
  readonly link: number;
  readonly batch: number;
  readonly numbers: Numbers;
  readonly fence: Fence | undefined;
}

export class Transaction {
  readonly changes = new ChangeSet();
  readonly numbers: Numbers;
  readonly #connection: Connection;
  readonly #said: Promise<PgResult>[] = [];
  /** Resolves when the lock is held; nothing is numbered before. */
  readonly begun: Promise<void>;
  /** Whether this node may claim; known once it has begun. */
  mayClaim = true;
  /** What its caller is answered; kept for a commit whose answer is lost. */
  result: unknown;
  /** From here on nobody but the server knows whether it took place. */
  isCommitting = false;

  constructor({ connection, session, link, batch, numbers, fence }: TransactionOptions) {
    this.#connection = connection;
    this.numbers = numbers;
    this.#keep(connection.ask("BEGIN"));
    const entered = this.all("enterBatch", session, link, batch);
    const locked = this.all("lockStore", session, numbers.isLow, NUMBER_BLOCK);
    const fenced = fence && this.#keep(
      connection.ask(`SELECT (${fence.condition}) AS may_claim`, fence.values),
    );
    this.begun = this.#begin(entered, locked, fenced);
    this.begun.catch(() => {});
  }

  async #begin(
    entered: Promise<PgResult>,
    locked: Promise<PgResult>,
    fenced: Promise<PgResult> | undefined,
  ): Promise<void> {
    const { count } = await entered;
    const { rows: [meta] } = await locked;
    if (count !== 1 || meta === undefined) {
      throw new StoreError("store.busy", "Cannot write to the store over a connection of before");
    }
    this.numbers.adopt(Number(meta.next_seq));
    if (fenced !== undefined) this.mayClaim = (await fenced).rows[0]?.may_claim === 1;
  }

  /** Runs a statement; the next one goes out without waiting for its answer. */
  all(name: StatementName, ...values: readonly PgValue[]): Promise<PgResult> {
    return this.#keep(this.#connection.ask(statements[name], values, name));
  }

  async rows(name: StatementName, ...values: readonly PgValue[]): Promise<readonly PgRow[]> {
    return (await this.all(name, ...values)).rows;
  }

  async first(name: StatementName, ...values: readonly PgValue[]): Promise<PgRow | undefined> {
    return (await this.all(name, ...values)).rows[0];
  }

  /** Runs a statement that has no name here. */
  ask(text: string, values: readonly PgValue[] = [], name?: string): Promise<PgResult> {
    return this.#keep(this.#connection.ask(text, values, name));
  }

  /** Runs a statement whose failure ends a savepoint and not the transaction. */
  attempt(text: string, values: readonly PgValue[] = [], name?: string): Promise<PgResult> {
    return this.#connection.ask(text, values, name);
  }

  /** Says what has changed so far, so that the next statement sees it. */
  flush(): void {
    this.changes.say((name, values) => void this.all(name, ...values));
  }

  /** Commits; all that was said has succeeded and is durable when this resolves. */
  async commit(): Promise<void> {
    this.flush();
    this.isCommitting = true;
    const commit = this.#keep(this.#connection.ask("COMMIT"));
    const failed = (await Promise.allSettled(this.#said)).find(({ status }) =>
      status === "rejected"
    );
    if (failed !== undefined) {
      const isLost = this.#connection.isLost;
      // The server has rolled it back, unless nobody could hear what it did.
      this.isCommitting = isLost;
      throw (failed as PromiseRejectedResult).reason;
    }
    const { command } = await commit;
    this.isCommitting = false;
    if (command !== "COMMIT") throw new Error("A transaction ended otherwise than by its commit");
  }

  /** Takes back all of it. */
  async rollBack(): Promise<void> {
    if (this.#connection.isLost) return;
    await Promise.allSettled(this.#said);
    try {
      await this.#connection.ask("ROLLBACK");
    } catch {
      this.#connection.destroy();
    }
  }

  /** Its failure is looked at by whoever asked, and at the commit. */
  #keep(answer: Promise<PgResult>): Promise<PgResult> {
    answer.catch(() => {});
    this.#said.push(answer);
    return answer;
  }
}
