/**
 * The one writer of a SQLite store: executes batches of intents, one commit a batch.
 *
 * A batch normally runs without savepoints. When a member fails for a reason of its own the batch
 * is rolled back and run again with a savepoint a member, so one bad member costs its siblings one
 * retry and nothing else. A failure of the disk or file fails the whole batch: nobody is answered
 * as if it were durable.
 */
import { describeFailure, isEnvironmental } from "../errors.ts";
import type { Intent } from "../intents.ts";
import { behindFailed, LaneGate } from "../lane_gate.ts";
import type { Outcome } from "../wire.ts";
import { execute } from "./execute.ts";
import type { Session } from "./session.ts";

/** Called at the places where a crash test may end the process. */
export type CommitPoint = "inside_batch" | "before_commit" | "after_commit";
export type OnPoint = (point: CommitPoint, intents: readonly Intent[]) => void;

export interface WriterCounters {
  commits: number;
  intents: number;
  checkpoints: number;
}

/** Pages the write-ahead log may hold before it is copied back into the store (16 MiB). */
const CHECKPOINT_PAGES = 2_000;
/** Messages that wait before the look-up tables take them in; queries scan at most so many. */
const INDEX_MESSAGES = 256;
/** How many commits pass between looks at the log's length. */
const CHECKPOINT_LOOK = 16;

export class Writer {
  readonly #session: Session;
  readonly #onPoint: OnPoint | undefined;
  readonly counters: WriterCounters = { commits: 0, intents: 0, checkpoints: 0 };
  readonly #gate = new LaneGate();
  #lookedAt = 0;
  /** Messages up to here are in the look-up tables; undefined until read. */
  #indexedTo: number | undefined;
  #unindexed = 0;

  constructor(session: Session, onPoint?: OnPoint) {
    this.#session = session;
    this.#onPoint = onPoint;
    this.#unindexed = Number(session.first("countUnindexed")?.messages ?? 0);
  }

  /** Runs a batch; its answers are durable when this returns. Never throws. */
  run(intents: readonly Intent[]): Outcome[] {
    try {
      return this.#commit(intents, false);
    } catch (thrown) {
      if (isEnvironmental(thrown)) return this.refuse(intents, thrown);
    }
    try {
      return this.#commit(intents, true);
    } catch (thrown) {
      return this.refuse(intents, thrown);
    }
  }

  #commit(intents: readonly Intent[], isolated: boolean): Outcome[] {
    const session = this.#session;
    const start = session.mark();
    const unindexed = this.#unindexed;
    try {
      session.begin();
      const outcomes: Outcome[] = [];
      for (const intent of intents) {
        outcomes.push(this.#execute(intent, isolated));
        if (intent.kind === "receive" || intent.kind === "record_error") this.#unindexed += 1;
        this.#onPoint?.("inside_batch", intents);
      }
      if (this.#unindexed >= INDEX_MESSAGES) this.#index();
      session.reserveNumbers();
      this.#onPoint?.("before_commit", intents);
      session.commit();
      this.#onPoint?.("after_commit", intents);
      this.counters.commits += 1;
      this.counters.intents += intents.length;
      this.#gate.committed(intents);
      return outcomes;
    } catch (thrown) {
      // SQLite ends some failed transactions by itself; a second rollback would hide the cause.
      if (session.db.isTransaction) session.db.exec("ROLLBACK");
      session.rewind(start);
      this.#unindexed = unindexed;
      this.#indexedTo = undefined;
      throw thrown;
    }
  }

  /** Brings the look-up tables up to the newest message of this transaction. */
  #index(): void {
    const session = this.#session;
    const from = this.#indexedTo ?? Number(session.first("indexedTo")?.indexed_to ?? 0);
    const to = session.newest;
    session.change("indexIds", from, to);
    session.change("indexChannels", from, to);
    session.change("indexControlIds", from, to);
    session.change("addMessageTotals", from, to);
    session.change("addDeliveryTotals", from, to);
    session.change("setIndexedTo", to);
    this.#indexedTo = to;
    this.#unindexed = 0;
  }

  #execute(intent: Intent, isolated: boolean): Outcome {
    if (this.#gate.isClosed(intent)) return { failure: behindFailed };
    return isolated ? this.#isolated(intent) : { result: execute(this.#session, intent) };
  }

  #isolated(intent: Intent): Outcome {
    const session = this.#session;
    session.db.exec("SAVEPOINT member");
    try {
      const result = execute(session, intent);
      session.db.exec("RELEASE member");
      return { result };
    } catch (thrown) {
      if (isEnvironmental(thrown)) throw thrown;
      session.db.exec("ROLLBACK TO member");
      session.db.exec("RELEASE member");
      this.#gate.failed(intent);
      // Its numbers stay used: if one of them is what failed, the next member must not meet it.
      return { failure: describeFailure(thrown) };
    }
  }

  /** Answers a batch of which nothing is written. */
  refuse(intents: readonly Intent[], thrown: unknown): Outcome[] {
    const failure = describeFailure(thrown);
    for (const intent of intents) this.#gate.failed(intent);
    return intents.map(() => ({ failure }));
  }

  /** Copies the log back when it has grown. Called between batches, when nobody waits for it. */
  checkpointIfDue(): void {
    const { commits } = this.counters;
    if (commits - this.#lookedAt < CHECKPOINT_LOOK) return;
    this.#lookedAt = commits;
    const row = this.#session.db.prepare("PRAGMA wal_checkpoint(NOOP)").get();
    if (Number(row?.log ?? 0) - Number(row?.checkpointed ?? 0) >= CHECKPOINT_PAGES) {
      this.checkpoint("PASSIVE");
    }
  }

  checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    this.counters.checkpoints += 1;
    this.#session.db.prepare(`PRAGMA wal_checkpoint(${mode})`).all();
  }
}
