/**
 * The one writer of a SQLite store: executes batches of intents, one commit a batch.
 *
 * Intents that name their rows change the working set and become a frame of the commit log; what
 * they said reaches the tables later, some dozen messages at a time (`tidy`). A batch that looks for
 * rows runs on the tables, in one transaction, when they have been brought up to date.
 *
 * When a member fails for a reason of its own the batch is rolled back and run again on the tables
 * with a savepoint a member, so one bad member costs its siblings one retry and nothing else. A
 * failure of the disk or file fails the whole batch: nobody is answered as if it were durable.
 * After either, memory is void until the tables have taken in what the log holds (`mend`).
 */
import { type CellCipher, keylessCells } from "../../crypto/cells.ts";
import { describeFailure, isEnvironmental } from "../errors.ts";
import type { Intent } from "../intents.ts";
import { behindFailed, LaneGate } from "../lane_gate.ts";
import type { Outcome } from "../wire.ts";
import { ApartCommits } from "./apart.ts";
import { type CommitLog, frameBytesMax, readLog } from "./commit_log.ts";
import { rollBack } from "./database.ts";
import { execute, isRowIntent, type RowIntent } from "../execute.ts";
import { charsOf } from "../group_commit.ts";
import type { Changes } from "../changes.ts";
import { carryOut, FrameBuffer, readPayload, Redo, Tables } from "./redo.ts";
import { LookUpTables } from "./look_up.ts";
import type { AuditLog } from "./registers/audit_log.ts";
import { isApartIntent } from "./registers/commit.ts";
import type { Mark, Session } from "./session.ts";
import { type TableAct, TableActs } from "./table_acts.ts";
import { TableLoader } from "./tables.ts";
import { WorkingSet } from "../working_set.ts";

/** Called at the places where a crash test may end the process. */
export type CommitPoint = "inside_batch" | "before_commit" | "after_commit";
export type TidyPoint = "inside_tidy" | "after_tidy";
export type OnPoint = (point: CommitPoint | TidyPoint, intents: readonly Intent[]) => void;

export interface WriterCounters {
  commits: number;
  intents: number;
  checkpoints: number;
}

export interface WriterOptions {
  readonly session: Session;
  readonly log: CommitLog;
  /** Seals what the store itself writes, and what it writes again. Intents come sealed. */
  readonly cipher?: CellCipher;
  readonly audit: AuditLog;
  /** Whether commits wait for the disk. */
  readonly isSyncing: boolean;
  readonly onPoint?: OnPoint;
  /** Finished messages that make a step of tidying worth its transaction, and that it takes. */
  readonly tidyMessages?: number;
}

/** Pages the write-ahead log may hold before it is copied back into the store (8 MiB). */
const CHECKPOINT_PAGES = 1_000;
/** Pages it holds when whoever was asked for that does not keep up: then this thread does it. */
const CHECKPOINT_PAGES_MAX = 8 * CHECKPOINT_PAGES;
/** How many transactions pass between looks at the write-ahead log's length. */
const CHECKPOINT_LOOK = 16;
const TIDY_MESSAGES = 64;
/** So many of them, and tidying does not keep up: then a commit waits for this many messages. */
const BEHIND_MESSAGES = 256;
const BEHIND_SHARE = 16;
/** Messages in memory; beyond that all are stored, and the oldest forgotten until fewer are left. */
const MESSAGES_MAX = 1_024;
const MESSAGES_LEFT = 768;
/** UTF-16 units of bodies in memory; beyond that all are stored. */
const BODY_CHARS_MAX = 16 * 1024 * 1024;
/** Frames that opening the store would have to carry out. */
const FRAMES_MAX = 4_096;
/** What an intent takes in a frame beside its texts, at most. */
const FRAME_BYTES_EACH = 4_096;
/** Numbers one batch may need. */
const NUMBERS_MARGIN = 100_000;

interface Step {
  /** Messages it has brought into the tables. */
  taken: number;
  /** Where the number sequence stood when it began. */
  readonly mark: Mark;
}

export class Writer {
  readonly #session: Session;
  readonly #log: CommitLog;
  readonly #acts: TableActs;
  readonly #apart: ApartCommits;
  readonly #isSyncing: boolean;
  readonly #onPoint: OnPoint | undefined;
  readonly #tidyMessages: number;
  readonly #work: WorkingSet<Redo>;
  readonly #frames = new FrameBuffer();
  readonly #gate = new LaneGate();
  readonly #tables: Tables;
  readonly #lookUp: LookUpTables;
  readonly counters: WriterCounters = { commits: 0, intents: 0, checkpoints: 0 };
  /** The newest frame that counts, while memory is void. */
  #mendTo: number | undefined;
  /** Frames before this one are in the tables, whatever happens to the machine. */
  #durableFrom: number;
  /** The next frame at the last call of `tidyOld`. */
  #tidyTo = 0;
  /** The step of tidying under way: its transaction is open. */
  #step: Step | undefined;
  #transactions = 0;
  #lookedAt = 0;

  constructor(
    {
      session,
      log,
      audit,
      cipher = keylessCells,
      isSyncing,
      onPoint,
      tidyMessages = TIDY_MESSAGES,
    }: WriterOptions,
  ) {
    this.#acts = new TableActs(session, { cipher, audit });
    this.#tidyMessages = tidyMessages;
    this.#session = session;
    this.#log = log;
    this.#apart = new ApartCommits({
      ...{ session, log, frames: this.#frames, audit, isSyncing },
      note: (intent) => this.#acts.note(intent),
      endStep: () => this.#endStep(),
      storeAll: () => this.storeAll(),
      makeRoom: (bytes) => {
        this.#mend();
        const hasRoom = this.#makeRoom(bytes);
        this.#work.frame = log.nextId;
        return hasRoom;
      },
      voidAfter: (frame) => this.#void(frame),
    });
    this.#isSyncing = isSyncing;
    this.#onPoint = onPoint;
    this.#work = new WorkingSet(session, new TableLoader(session, cipher), new Redo());
    this.#tables = new Tables(session);
    this.#lookUp = new LookUpTables(session);
    this.#durableFrom = log.nextId;
  }

  /** Runs a batch; its answers are durable when this returns. Never throws. */
  run(intents: readonly Intent[]): Outcome[] {
    return intents.some(isApartIntent) ? this.#runApart(intents) : this.#runGated(intents);
  }

  /** What moves no message has a commit of its own. */
  #runApart(intents: readonly Intent[]): Outcome[] {
    const apart = intents.filter(isApartIntent);
    const others = intents.filter((intent) => !isApartIntent(intent));
    const answers = others.length === 0 ? [] : this.#runGated(others);
    const done = this.#apart.run(apart);
    this.counters.commits += 1;
    this.counters.intents += apart.length;
    let [next, nextOther] = [0, 0];
    return intents.map((one) => isApartIntent(one) ? done[next++]! : answers[nextOther++]!);
  }

  #runGated(intents: readonly Intent[]): Outcome[] {
    const open = intents.filter((intent) => !this.#gate.isClosed(intent));
    if (open.length === intents.length) return this.#run(intents);
    const outcomes = open.length === 0 ? [] : this.#run(open);
    let next = 0;
    const isOpen = new Set(open);
    return intents.map((one) => isOpen.has(one) ? outcomes[next++]! : { failure: behindFailed });
  }

  /** Answers a batch of which nothing is written. */
  refuse(intents: readonly Intent[], thrown: unknown): Outcome[] {
    const failure = describeFailure(thrown);
    for (const intent of intents) this.#gate.failed(intent);
    return intents.map(() => ({ failure }));
  }

  /** True while the tables do not hold all that was answered. */
  get isUntidy(): boolean {
    return this.#mendTo !== undefined || this.#step !== undefined || this.#work.isDirty;
  }

  /**
   * Brings finished messages into the tables, some dozen a transaction; all when too many lie about.
   * Leaves off between two of them when it `isWanted`; the transaction stays open meanwhile, for
   * commits go to the log.
   *
   * @returns whether it left off.
   */
  tidy(isWanted: () => boolean): boolean {
    const work = this.#work;
    if (this.#mendTo !== undefined) return false;
    const isMuch = work.size > MESSAGES_MAX || work.bodyChars > BODY_CHARS_MAX ||
      this.#log.nextId - work.dirtySince > FRAMES_MAX;
    if (isMuch) {
      this.storeAll();
      if (work.size > MESSAGES_MAX) work.shrink(MESSAGES_LEFT);
    } else if (this.#step !== undefined || work.finished >= this.#tidyMessages) {
      return this.#goOn(isWanted);
    }
    return false;
  }

  /** Brings what has lain about since the last call into the tables. */
  tidyOld(): void {
    const to = this.#tidyTo;
    this.#tidyTo = this.#log.nextId;
    if (this.#mendTo !== undefined) return this.#mend();
    this.#work.frame = this.#log.nextId;
    if (this.#work.dirtySince < to) this.#store((into) => this.#work.takeUntil(to, into));
  }

  /** Brings everything into the tables, so that they can be read. */
  storeAll(isSynced = false): void {
    this.#mend();
    this.#endStep();
    if (this.#work.isDirty || isSynced) {
      this.#store((into) => this.#work.takeUntil(Infinity, into), isSynced);
    }
  }

  /**
   * Makes a change of the store's own; it is durable when this returns.
   *
   * @throws what the database says; nothing is changed then.
   */
  durably(change: (session: Session) => void): void {
    this.#mend();
    this.#synced(true, () => this.#inTransaction(() => change(this.#session)));
  }

  /** Has SQLite's own log copied back when it has grown. */
  checkpointIfDue(askForIt: () => void): void {
    if (this.#step !== undefined || this.#transactions - this.#lookedAt < CHECKPOINT_LOOK) return;
    this.#lookedAt = this.#transactions;
    const row = this.#session.db.prepare("PRAGMA wal_checkpoint(NOOP)").get();
    const pages = Number(row?.log ?? 0) - Number(row?.checkpointed ?? 0);
    if (pages >= CHECKPOINT_PAGES_MAX) this.checkpoint("PASSIVE");
    else if (pages >= CHECKPOINT_PAGES) askForIt();
  }

  checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    this.counters.checkpoints += 1;
    this.#session.db.prepare(`PRAGMA wal_checkpoint(${mode})`).all();
  }

  #run(intents: readonly Intent[]): Outcome[] {
    try {
      this.#mend();
      return this.#hasRoom(intents) ? this.#commitToLog(intents) : this.#commitToTables(intents);
    } catch (thrown) {
      if (isEnvironmental(thrown)) return this.refuse(intents, thrown);
    }
    try {
      this.#mend();
      return this.#commitToTables(intents, true);
    } catch (thrown) {
      return this.refuse(intents, thrown);
    }
  }

  /** Whether the batch can be a frame of the log; makes room for it. */
  #hasRoom(intents: readonly Intent[]): intents is readonly RowIntent[] {
    let bytes = 0;
    for (const intent of intents) {
      if (!isRowIntent(intent)) return false;
      bytes += FRAME_BYTES_EACH + 3 * charsOf(intent);
    }
    return this.#makeRoom(bytes);
  }

  /** Sees to it that a frame can be written next; false when it would be too large for one. */
  #makeRoom(bytes: number): boolean {
    if (bytes > frameBytesMax) return false;
    const { newest, reservedTo } = this.#session;
    if (newest + NUMBERS_MARGIN > reservedTo) this.storeAll(true);
    const log = this.#log;
    if (log.wouldTurn(bytes)) {
      // What the other half holds must be in the tables, durably, before it is written again.
      const wanted = log.lastIdOfOther + 1;
      if (wanted > this.#durableFrom) {
        this.#store((into) => this.#work.takeUntil(wanted, into), true);
      }
      log.turn();
    }
    return true;
  }

  #commitToLog(intents: readonly RowIntent[]): Outcome[] {
    const work = this.#work;
    const log = this.#log;
    work.frame = log.nextId;
    const outcomes: Outcome[] = [];
    try {
      for (const intent of intents) {
        outcomes.push({ result: execute(work, intent) });
        this.#onPoint?.("inside_batch", intents);
      }
      if (!work.redo.isEmpty) {
        const end = this.#frames.write(work.redo);
        this.#onPoint?.("before_commit", intents);
        log.append(this.#frames.buffer, end);
        if (this.#isSyncing) log.sync();
        work.redo.clear();
      }
    } catch (thrown) {
      // Whether a frame that failed is durable nobody knows, so it does not count.
      this.#dropStep();
      this.#void(work.frame - 1);
      throw thrown;
    }
    return this.#committed(intents, outcomes);
  }

  #commitToTables(intents: readonly Intent[], isIsolated = false): Outcome[] {
    const outcomes: Outcome[] = [];
    // A purge that a power cut takes back is done again: its commit need not wait for the disk.
    const isSynced = this.#isSyncing && !intents.every(({ kind }) => kind === "purge");
    this.#endStep();
    this.#synced(isSynced, () =>
      this.#inTransaction(() => {
        this.#flush();
        for (const intent of intents) {
          outcomes.push(
            this.#gate.isClosed(intent)
              ? { failure: behindFailed }
              : isIsolated
              ? this.#isolated(intent)
              : { result: this.#execute(intent) },
          );
          this.#onPoint?.("inside_batch", intents);
        }
        this.#flush();
        this.#onPoint?.("before_commit", intents);
      }));
    if (isSynced) this.#durableFrom = this.#log.nextId;
    return this.#committed(intents, outcomes);
  }

  #committed(intents: readonly Intent[], outcomes: Outcome[]): Outcome[] {
    this.#onPoint?.("after_commit", intents);
    this.counters.commits += 1;
    this.counters.intents += intents.length;
    this.#gate.committed(intents);
    return outcomes;
  }

  #execute(intent: Intent): unknown {
    if (isRowIntent(intent)) return execute(this.#work, intent);
    this.#flush();
    return this.#acts.carryOut(intent as TableAct);
  }

  /** With nothing in the working set before and after, so that a savepoint covers all of it. */
  #isolated(intent: Intent): Outcome {
    const { db } = this.#session;
    db.exec("SAVEPOINT member");
    try {
      const result = this.#execute(intent);
      this.#flush();
      db.exec("RELEASE member");
      return { result };
    } catch (thrown) {
      if (isEnvironmental(thrown)) throw thrown;
      db.exec("ROLLBACK TO member");
      db.exec("RELEASE member");
      this.#work.forget();
      this.#gate.failed(intent);
      // Its numbers stay used: if one of them is what failed, the next member must not meet it.
      return { failure: describeFailure(thrown) };
    }
  }

  /** Brings the working set into the tables, inside the transaction under way, and forgets it. */
  #flush(): void {
    this.#work.takeUntil(Infinity, this.#tables);
    this.#tookIn();
    this.#work.forget();
  }

  /** Goes on with a step of tidying or begins one; returns whether it left off. */
  #goOn(isWanted: () => boolean): boolean {
    const work = this.#work;
    const session = this.#session;
    try {
      if (this.#step === undefined) {
        const mark = session.mark();
        session.begin();
        this.#step = { taken: 0, mark };
      }
      const step = this.#step;
      const share = work.finished > BEHIND_MESSAGES ? BEHIND_SHARE : 1;
      while (step.taken < this.#tidyMessages && work.finished > 0) {
        work.takeFinished(this.#tables);
        step.taken += 1;
        if (step.taken % share === 0 && isWanted()) return true;
      }
      while (this.#lookUp.goOn(work)) {
        if (isWanted()) return true;
      }
    } catch (thrown) {
      this.#dropStep();
      throw thrown;
    }
    this.#endStep();
    return false;
  }

  #endStep(): void {
    if (this.#step === undefined) return;
    try {
      this.#work.takeState(this.#tables);
      this.#tookIn();
      this.#onPoint?.("inside_tidy", []);
      this.#session.commit();
    } catch (thrown) {
      this.#dropStep();
      throw thrown;
    }
    this.#step = undefined;
    this.#transactions += 1;
    this.#onPoint?.("after_tidy", []);
  }

  /** What the step took is in the log and nowhere else then. */
  #dropStep(): void {
    if (this.#step === undefined) return;
    const { reservedTo } = this.#step.mark;
    this.#step = undefined;
    // Its numbers went to commits of the log, and stay used.
    this.#rollBack({ nextSeq: this.#session.newest + 1, reservedTo });
  }

  /** A step of tidying: changes tables and no meaning, so it need not wait for the disk. */
  #store(take: (into: Changes) => void, isSynced = false): void {
    this.#endStep();
    this.#work.frame = this.#log.nextId;
    this.#synced(isSynced, () =>
      this.#inTransaction(() => {
        take(this.#tables);
        this.#tookIn();
        this.#onPoint?.("inside_tidy", []);
      }));
    if (isSynced) this.#durableFrom = this.#work.dirtySince;
    this.#onPoint?.("after_tidy", []);
  }

  /** Notes in the tables how far they reach now. */
  #tookIn(): void {
    const session = this.#session;
    this.#work.frame = this.#log.nextId;
    session.change("setLogFrom", this.#work.dirtySince);
    session.reserveNumbers();
    while (this.#lookUp.goOn(this.#work));
  }

  #inTransaction(act: () => void): void {
    this.#endStep();
    const session = this.#session;
    const start = session.mark();
    try {
      session.begin();
      act();
      session.commit();
      this.#transactions += 1;
    } catch (thrown) {
      this.#rollBack(start);
      throw thrown;
    }
  }

  /** What the transaction under way took out of memory is in the log only: memory is void. */
  #rollBack(start: Mark): void {
    const session = this.#session;
    this.#void(this.#mendTo ?? this.#log.nextId - 1);
    rollBack(session.db);
    session.rewind(start);
    this.#lookUp.rewind();
  }

  /** Memory no longer says what is true; the log does, up to and with frame `mendTo`. */
  #void(mendTo: number): void {
    this.#work.forget();
    this.#mendTo = Math.min(mendTo, this.#mendTo ?? mendTo);
  }

  /** Has the tables take in what the log holds, and begins with empty memory. */
  #mend(): void {
    const to = this.#mendTo;
    if (to === undefined) return;
    const session = this.#session;
    const { path, tag } = this.#log;
    const next = this.#log.nextId;
    this.#synced(true, () =>
      this.#inTransaction(() => {
        const fromId = Number(session.first("logFrom")?.log_from);
        for (const { id, payload } of readLog(path, { tag, fromId })) {
          if (id <= to) carryOut(session, readPayload(payload));
        }
        // A frame that failed is never read again: what follows has other numbers.
        session.change("setLogFrom", next + 1);
        session.reserveNumbers();
      }));
    this.#log.restart(next + 1);
    this.#durableFrom = next + 1;
    this.#mendTo = undefined;
  }

  #synced(isSynced: boolean, act: () => void): void {
    const { db } = this.#session;
    if (isSynced === this.#isSyncing) return act();
    db.exec(`PRAGMA synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
    try {
      act();
    } finally {
      db.exec(`PRAGMA synchronous = ${this.#isSyncing ? "FULL" : "NORMAL"}`);
    }
  }
}
