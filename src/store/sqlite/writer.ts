/**
 * The one writer of a SQLite store: executes batches of intents, one commit a batch.
 *
 * Intents that name their rows change the working set and become a frame of the commit log; what
 * they said reaches the tables later (`write_behind.ts`). A batch that looks for rows runs on the
 * tables, in one transaction, when they have been brought up to date.
 *
 * When a member fails for a reason of its own the batch is rolled back and run again on the tables
 * with a savepoint a member, so one bad member costs its siblings one retry and nothing else. A
 * failure of the disk or file fails the whole batch: nobody is answered as if it were durable.
 */
import { type CellCipher, keylessCells } from "../../crypto/cells.ts";
import { describeFailure, isEnvironmental } from "../errors.ts";
import type { Intent } from "../intents.ts";
import { behindFailed, LaneGate } from "../lane_gate.ts";
import type { OnPoint } from "../points.ts";
import type { Outcome } from "../wire.ts";
import { ApartCommits } from "./apart.ts";
import { type CommitLog, frameBytesMax } from "./commit_log.ts";
import { execute, isRowIntent, type RowIntent } from "../execute.ts";
import { charsOf } from "../group_commit.ts";
import { FrameBuffer, Redo } from "./redo.ts";
import type { AuditLog } from "./registers/audit_log.ts";
import { isApartIntent } from "./registers/commit.ts";
import type { Session } from "./session.ts";
import { type TableAct, TableActs } from "./table_acts.ts";
import { TableLoader } from "./tables.ts";
import { WorkingSet } from "../working_set.ts";
import { WriteBehind } from "./write_behind.ts";

export interface WriterCounters {
  commits: number;
  intents: number;
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

/** What an intent takes in a frame beside its texts, at most. */
const FRAME_BYTES_EACH = 4_096;
/** Numbers one batch may need. */
const NUMBERS_MARGIN = 100_000;

export class Writer {
  readonly #session: Session;
  readonly #log: CommitLog;
  readonly #acts: TableActs;
  readonly #apart: ApartCommits;
  readonly #isSyncing: boolean;
  readonly #onPoint: OnPoint | undefined;
  readonly #work: WorkingSet<Redo>;
  readonly #frames = new FrameBuffer();
  readonly #gate = new LaneGate();
  readonly counters: WriterCounters = { commits: 0, intents: 0 };
  /** Has the tables follow. */
  readonly behind: WriteBehind;

  constructor(
    { session, log, audit, cipher = keylessCells, isSyncing, onPoint, tidyMessages }: WriterOptions,
  ) {
    this.#session = session;
    this.#log = log;
    this.#isSyncing = isSyncing;
    this.#onPoint = onPoint;
    this.#acts = new TableActs(session, { cipher, audit });
    this.#work = new WorkingSet(session, new TableLoader(session, cipher), new Redo());
    this.behind = new WriteBehind({
      ...{ session, log, work: this.#work, isSyncing, onPoint, tidyMessages },
    });
    this.#apart = new ApartCommits({
      ...{ session, log, frames: this.#frames, audit, isSyncing },
      note: (intent) => this.#acts.note(intent),
      endStep: () => this.behind.endStep(),
      storeAll: () => this.behind.storeAll(),
      makeRoom: (bytes) => {
        this.behind.mend();
        const hasRoom = this.#makeRoom(bytes);
        this.#work.frame = log.nextId;
        return hasRoom;
      },
      voidAfter: (frame) => this.behind.forgetAfter(frame),
    });
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

  #run(intents: readonly Intent[]): Outcome[] {
    try {
      this.behind.mend();
      return this.#hasRoom(intents) ? this.#commitToLog(intents) : this.#commitToTables(intents);
    } catch (thrown) {
      if (isEnvironmental(thrown)) return this.refuse(intents, thrown);
    }
    try {
      this.behind.mend();
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
    if (newest + NUMBERS_MARGIN > reservedTo) this.behind.storeAll(true);
    const log = this.#log;
    if (log.wouldTurn(bytes)) {
      // What the other half holds must be in the tables, durably, before it is written again.
      this.behind.storeUntil(log.lastIdOfOther + 1);
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
      this.behind.dropStep();
      this.behind.forgetAfter(work.frame - 1);
      throw thrown;
    }
    return this.#committed(intents, outcomes);
  }

  #commitToTables(intents: readonly Intent[], isIsolated = false): Outcome[] {
    const outcomes: Outcome[] = [];
    // A purge that a power cut takes back is done again: its commit need not wait for the disk.
    const isSynced = this.#isSyncing && !intents.every(({ kind }) => kind === "purge");
    this.behind.onTables(isSynced, () => {
      this.behind.flush();
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
      this.behind.flush();
      this.#onPoint?.("before_commit", intents);
    });
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
    this.behind.flush();
    return this.#acts.carryOut(intent as TableAct);
  }

  /** With nothing in the working set before and after, so that a savepoint covers all of it. */
  #isolated(intent: Intent): Outcome {
    const { db } = this.#session;
    db.exec("SAVEPOINT member");
    try {
      const result = this.#execute(intent);
      this.behind.flush();
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
}
