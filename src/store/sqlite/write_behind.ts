/**
 * Brings into the tables what memory and the commit log say already, behind the answers.
 *
 * Finished messages go some dozen a transaction (`tidy`), all of them when somebody wants to read
 * the tables (`storeAll`). After a rollback memory is void until the tables have taken in what the
 * log holds (`mend`), for what the transaction took out of memory is nowhere else.
 *
 * Upstream: `writer.ts`, whose commits are frames of the log. Downstream: the tables of a session.
 */
import type { Changes } from "../changes.ts";
import { StoreError } from "../errors.ts";
import type { OnPoint } from "../points.ts";
import type { WorkingSet } from "../working_set.ts";
import { Checkpoints } from "./checkpoints.ts";
import { type CommitLog, LogDamaged, type LogFrame, LogMismatch } from "./commit_log.ts";
import { rollBack } from "./database.ts";
import { LookUpTables } from "./look_up.ts";
import { carryOut, readPayload, type Redo, Tables } from "./redo.ts";
import type { Mark, Session } from "./session.ts";

export interface WriteBehindOptions {
  readonly session: Session;
  readonly log: CommitLog;
  readonly work: WorkingSet<Redo>;
  /** Whether commits wait for the disk. */
  readonly isSyncing: boolean;
  readonly onPoint: OnPoint | undefined;
  /** Finished messages that make a step of tidying worth its transaction, and that it takes. */
  readonly tidyMessages: number | undefined;
}

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

interface Step {
  /** Messages it has brought into the tables. */
  taken: number;
  /** Where the number sequence stood when it began. */
  readonly mark: Mark;
}

export class WriteBehind {
  readonly checkpoints: Checkpoints;
  readonly #session: Session;
  readonly #log: CommitLog;
  readonly #work: WorkingSet<Redo>;
  readonly #tables: Tables;
  readonly #lookUp: LookUpTables;
  readonly #isSyncing: boolean;
  readonly #onPoint: OnPoint | undefined;
  readonly #tidyMessages: number;
  /** The newest frame that counts, while memory is void. */
  #mendTo: number | undefined;
  /** Frames before this one are in the tables, whatever happens to the machine. */
  #durableFrom: number;
  /** The next frame at the last call of `tidyOld`. */
  #tidyTo = 0;
  /** The step of tidying under way: its transaction is open. */
  #step: Step | undefined;

  constructor({ session, log, work, isSyncing, onPoint, tidyMessages }: WriteBehindOptions) {
    this.checkpoints = new Checkpoints(session.db);
    this.#session = session;
    this.#log = log;
    this.#work = work;
    this.#tables = new Tables(session);
    this.#lookUp = new LookUpTables(session);
    this.#isSyncing = isSyncing;
    this.#onPoint = onPoint;
    this.#tidyMessages = tidyMessages ?? TIDY_MESSAGES;
    this.#durableFrom = log.nextId;
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
      this.endStep();
      // What piles up while another process has the tables is no more than the log has room for.
      if (work.isDirty) this.#store((into) => work.takeUntil(Infinity, into), { mayWait: false });
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
    if (this.#mendTo !== undefined) return this.mend();
    this.#work.frame = this.#log.nextId;
    if (this.#work.dirtySince < to) {
      this.#store((into) => this.#work.takeUntil(to, into), { mayWait: false });
    }
  }

  /** Brings everything into the tables, so that they can be read. */
  storeAll(isSynced = false): void {
    this.mend();
    this.endStep();
    if (this.#work.isDirty || isSynced) {
      this.#store((into) => this.#work.takeUntil(Infinity, into), { isSynced });
    }
  }

  /**
   * Makes a change of the store's own; it is durable when this returns.
   *
   * @throws what the database says; nothing is changed then.
   */
  durably(change: (session: Session) => void): void {
    this.mend();
    this.#synced(true, () => this.#inTransaction(() => change(this.#session)));
  }

  /** Has SQLite's own log copied back when it has grown, unless a step of tidying is open. */
  checkpointIfDue(askForIt: () => void): void {
    if (this.#step === undefined) this.checkpoints.runIfDue(askForIt);
  }

  /** What frames before this one say is in the tables then, whatever happens to the machine. */
  storeUntil(frame: number): void {
    if (frame <= this.#durableFrom) return;
    this.#store((into) => this.#work.takeUntil(frame, into), { isSynced: true });
  }

  /** Has `act` change the tables in one transaction; it leaves nothing in memory (`flush`). */
  onTables(isSynced: boolean, act: () => void): void {
    this.endStep();
    this.#synced(isSynced, () => this.#inTransaction(act));
    if (isSynced) this.#durableFrom = this.#log.nextId;
  }

  /** Brings the working set into the tables, inside the transaction under way, and forgets it. */
  flush(): void {
    this.#work.takeUntil(Infinity, this.#tables);
    this.#tookIn();
    this.#work.forget();
  }

  /** Commits the step of tidying under way, if there is one. */
  endStep(): void {
    if (this.#step === undefined) return;
    try {
      this.#work.takeState(this.#tables);
      this.#tookIn();
      this.#onPoint?.("inside_tidy", []);
      this.#session.commit();
    } catch (thrown) {
      this.dropStep();
      throw thrown;
    }
    this.#step = undefined;
    this.checkpoints.committed();
    this.#onPoint?.("after_tidy", []);
  }

  /** Takes the step under way back: what it took is in the log and nowhere else then. */
  dropStep(): void {
    if (this.#step === undefined) return;
    const { reservedTo } = this.#step.mark;
    this.#step = undefined;
    // Its numbers went to commits of the log, and stay used.
    this.#rollBack({ nextSeq: this.#session.newest + 1, reservedTo });
  }

  /** Memory no longer says what is true; the log does, up to and with frame `mendTo`. */
  forgetAfter(mendTo: number): void {
    this.#work.forget();
    this.#mendTo = Math.min(mendTo, this.#mendTo ?? mendTo);
  }

  /**
   * Has the tables take in what the log holds, and begins with empty memory.
   *
   * @throws {StoreError} `store.corrupt`: the log does not hold all that was answered any more. Then
   * memory stays void, and nothing is written over what is left.
   */
  mend(): void {
    const to = this.#mendTo;
    if (to === undefined) return;
    const session = this.#session;
    const next = this.#log.nextId;
    this.#synced(true, () =>
      this.#inTransaction(() => {
        const fromId = Number(session.first("logFrom")?.log_from);
        for (const { payload } of answeredFrames(this.#log, { fromId, to })) {
          carryOut(session, readPayload(payload));
        }
        // A frame that failed is never read again: what follows has other numbers.
        session.change("setLogFrom", next + 1);
        session.reserveNumbers();
      }));
    this.#log.restart(next + 1);
    this.#durableFrom = next + 1;
    this.#mendTo = undefined;
  }

  /** Goes on with a step of tidying or begins one; returns whether it left off. */
  #goOn(isWanted: () => boolean): boolean {
    const work = this.#work;
    const session = this.#session;
    try {
      if (this.#step === undefined) {
        const mark = session.mark();
        session.beginAtOnce();
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
      this.dropStep();
      throw thrown;
    }
    this.endStep();
    return false;
  }

  /** A step of tidying: changes tables and no meaning, so it need not wait for the disk. */
  #store(
    take: (into: Changes) => void,
    { isSynced = false, mayWait = true }: { isSynced?: boolean; mayWait?: boolean } = {},
  ): void {
    this.endStep();
    this.#work.frame = this.#log.nextId;
    this.#synced(isSynced, () =>
      this.#inTransaction(() => {
        take(this.#tables);
        this.#tookIn();
        this.#onPoint?.("inside_tidy", []);
      }, mayWait));
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

  #inTransaction(act: () => void, mayWait = true): void {
    this.endStep();
    const session = this.#session;
    const start = session.mark();
    // While it has not begun nothing is out of memory.
    if (mayWait) session.begin();
    else session.beginAtOnce();
    try {
      act();
      session.commit();
      this.checkpoints.committed();
    } catch (thrown) {
      this.#rollBack(start);
      throw thrown;
    }
  }

  /** What the transaction under way took out of memory is in the log only: memory is void. */
  #rollBack(start: Mark): void {
    const session = this.#session;
    this.forgetAfter(this.#mendTo ?? this.#log.nextId - 1);
    rollBack(session.db);
    session.rewind(start);
    this.#lookUp.rewind();
  }

  #synced(isSynced: boolean, act: () => void): void {
    const { db } = this.#session;
    if (isSynced === this.#isSyncing) return act();
    // Inside a transaction it cannot be set.
    this.endStep();
    db.exec(`PRAGMA synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
    try {
      act();
    } finally {
      db.exec(`PRAGMA synchronous = ${this.#isSyncing ? "FULL" : "NORMAL"}`);
    }
  }
}

/** @throws {StoreError} `store.corrupt`: one of them is not there. */
function answeredFrames(
  log: CommitLog,
  { fromId, to }: { readonly fromId: number; readonly to: number },
): readonly LogFrame[] {
  let cause: unknown;
  try {
    const frames = log.read(fromId).filter(({ id }) => id <= to);
    if (fromId + frames.length > to) return frames;
  } catch (thrown) {
    if (!(thrown instanceof LogDamaged || thrown instanceof LogMismatch)) throw thrown;
    cause = thrown;
  }
  throw new StoreError("store.corrupt", `Cannot go on: the commit log "${log.path}" is damaged`, {
    cause,
    hint:
      "Copy the store's files before anything else: messages that were acknowledged are missing",
  });
}
