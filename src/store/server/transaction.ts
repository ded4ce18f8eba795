/**
 * One transaction of the writer: it enters the batch's number, takes the store's lock, does its work
 * and commits, in two round trips when the work needs one look at rows.
 */
import type { Numbers as NextNumber } from "../working_set.ts";
import { ChangeSet } from "./change_set.ts";
import type {
  Dialect,
  Fence,
  ServerConnection,
  ServerResult,
  ServerRow,
  ServerValue,
} from "./dialect.ts";
import type { StatementName } from "./statement_names.ts";
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

export interface TransactionOptions {
  readonly dialect: Dialect;
  readonly connection: ServerConnection;
  readonly session: string;
  readonly link: number;
  readonly batch: number;
  readonly numbers: Numbers;
  readonly fence: Fence | undefined;
  /** What the caller remembers of rows is true as long as nobody else has written. */
  readonly isTrusting: boolean;
}

export class Transaction {
  readonly changes = new ChangeSet();
  readonly numbers: Numbers;
  readonly #dialect: Dialect;
  readonly #connection: ServerConnection;
  readonly #said: Promise<unknown>[] = [];
  /** Resolves when the lock is held; nothing is numbered before. */
  readonly begun: Promise<void>;
  /** It fails at its end if somebody else has written since. */
  readonly isTrusting: boolean;
  /** Nobody else has written since this writer's last commit; known once it has begun. */
  wasMine = false;
  /** Whether this node may claim; known once it has begun. */
  mayClaim = true;
  /** What its caller is answered; kept for a commit whose answer is lost. */
  result: unknown;
  /** From here on nobody but the server knows whether it took place. */
  isCommitting = false;

  constructor(
    { dialect, connection, session, link, batch, numbers, fence, isTrusting }: TransactionOptions,
  ) {
    this.#dialect = dialect;
    this.#connection = connection;
    this.numbers = numbers;
    this.isTrusting = isTrusting;
    this.#keep(connection.begin());
    if (isTrusting) {
      this.wasMine = true;
      void this.all("beginTrusting", session, link, batch);
      if (fence !== undefined) {
        void this.ask(`SELECT 1 / ${truth(fence)} AS may_claim`, fence.values);
      }
      this.begun = Promise.resolve();
      return;
    }
    const locked = this.all("begin", session, link, batch, numbers.isLow, NUMBER_BLOCK);
    const fenced = fence && this.ask(`SELECT ${truth(fence)} AS may_claim`, fence.values);
    this.begun = this.#begin(locked, fenced);
    this.begun.catch(() => {});
  }

  async #begin(
    locked: Promise<ServerResult>,
    fenced: Promise<ServerResult> | undefined,
  ): Promise<void> {
    const { rows: [meta] } = await locked;
    if (meta?.entered !== 1) {
      throw new StoreError("store.busy", "Cannot write to the store over a connection of before");
    }
    this.wasMine = meta.was_mine === 1;
    this.numbers.adopt(Number(meta.next_seq));
    if (fenced !== undefined) this.mayClaim = (await fenced).rows[0]?.may_claim === 1;
  }

  /** Runs a statement; the next one goes out without waiting for its answer. */
  all(name: StatementName, ...values: readonly ServerValue[]): Promise<ServerResult> {
    return this.#keep(this.#connection.run(name, ...values));
  }

  async rows(
    name: StatementName,
    ...values: readonly ServerValue[]
  ): Promise<readonly ServerRow[]> {
    return (await this.all(name, ...values)).rows;
  }

  async first(
    name: StatementName,
    ...values: readonly ServerValue[]
  ): Promise<ServerRow | undefined> {
    return (await this.all(name, ...values)).rows[0];
  }

  /** Runs a statement of the caller's. */
  ask(text: string, values: readonly ServerValue[], name?: string): Promise<ServerResult> {
    return this.#keep(this.#connection.ask(text, values, name));
  }

  /** Says what has changed so far, so that the next statement sees it. */
  flush(): void {
    const told = this.changes.tell();
    if (told === undefined) return;
    const { text, values, name } = this.#dialect.join(told);
    void this.ask(text, values, name);
  }

  /** Commits; all that was said has succeeded and is durable when this resolves. */
  async commit(): Promise<void> {
    this.flush();
    this.isCommitting = true;
    this.#keep(this.#connection.commit());
    const failed = (await Promise.allSettled(this.#said)).find(({ status }) =>
      status === "rejected"
    );
    if (failed !== undefined) {
      const isLost = this.#connection.isLost;
      // The server has rolled it back, unless nobody could hear what it did.
      this.isCommitting = isLost;
      throw (failed as PromiseRejectedResult).reason;
    }
    this.isCommitting = false;
  }

  /** Takes back all of it. */
  async rollBack(): Promise<void> {
    if (this.#connection.isLost) return;
    await Promise.allSettled(this.#said);
    try {
      await this.#connection.rollBack();
    } catch {
      this.#connection.destroy();
    }
  }

  /** Its failure is looked at by whoever asked, and at the commit. */
  #keep<T>(answer: Promise<T>): Promise<T> {
    answer.catch(() => {});
    this.#said.push(answer);
    return answer;
  }
}

/** A condition as 1 or 0, which every server knows. */
function truth({ condition }: Fence): string {
  return `(CASE WHEN ${condition} THEN 1 ELSE 0 END)`;
}
