/** Care for the store's files, in the writer's thread: nobody else may open a transaction then. */
import type { CommitLog } from "./commit_log.ts";
import type { Session } from "./session.ts";
import type { Writer } from "./writer.ts";

export class Upkeep {
  readonly #session: Session;
  readonly #writer: Writer;
  readonly #log: CommitLog;

  constructor({ session, writer, log }: {
    readonly session: Session;
    readonly writer: Writer;
    readonly log: CommitLog;
  }) {
    this.#session = session;
    this.#writer = writer;
    this.#log = log;
  }

  /** Has the tables take in all that the commit log says, durably, and cuts it off. */
  cutCommitLog(): void {
    this.#writer.behind.storeAll(true);
    this.#log.cut();
  }

  /**
   * Cuts SQLite's log off; whoever copies it back has done so just before, so little is left to
   * copy. Waits for no reader. Returns whether it is cut off.
   */
  cutWriteAheadLog(): boolean {
    this.#writer.behind.storeAll();
    const { db } = this.#session;
    db.exec("PRAGMA busy_timeout = 0");
    try {
      return this.#writer.behind.checkpoints.run("TRUNCATE");
    } finally {
      db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  /** Gives free pages back; returns how many are left. */
  reclaim(pagesMax: number): number {
    this.#writer.behind.storeAll();
    const { db } = this.#session;
    db.prepare(`PRAGMA incremental_vacuum(${Math.trunc(pagesMax)})`).all();
    return Number(db.prepare("PRAGMA freelist_count").get()?.freelist_count ?? 0);
  }
}

/** As the connection was opened with. */
const BUSY_MS = 5_000;
