/**
 * Carries out register intents and notes that somebody looked at a message: a transaction of their
 * own, which moves no message on its way, so that nothing under way has to reach the tables first.
 *
 * Always durable when answered, whatever `synchronous` says: an account that is locked or a session
 * that is ended stays so. What only tells of reads, an audit row or a timeline entry, is also written
 * into the commit log where there is one, and that is what is made durable: the transaction's own
 * sync would wait for whatever tidying has left to the disk.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { describeFailure, isEnvironmental } from "../../errors.ts";
import { isRegisterIntent } from "../../execute.ts";
import type { AuditRow } from "../../audit_row.ts";
import type { EventRecord } from "../../changes.ts";
import type { NoteResult } from "../../intent_results.ts";
import type { Intent, NoteEventIntent } from "../../intents.ts";
import type {
  RegisterChange,
  RegisterChangeName,
  RegisterIntent,
  RegisterResult,
} from "../../registers/mod.ts";
import type { Outcome } from "../../wire.ts";
import { rollBack } from "../database.ts";
import type { Redo } from "../redo.ts";
import type { AuditLog } from "./audit_log.ts";
import { registerSql } from "./mod.ts";

export type ApartIntent = RegisterIntent | NoteEventIntent;

export function isApartIntent(intent: Intent): intent is ApartIntent {
  return isRegisterIntent(intent) || intent.kind === "note_event";
}

/** What a look at a message left behind. */
export interface Noted {
  readonly result: NoteResult;
  readonly event: EventRecord | undefined;
  readonly audit: AuditRow | undefined;
}

/** True for what only adds audit rows and timeline entries. */
export function isNote(intent: ApartIntent): boolean {
  return intent.kind === "note_event" || intent.changes.length === 0;
}

/** A frame of the commit log that says what a transaction of notes did. */
export interface NoteFrame {
  readonly redo: Redo;
  /** Makes it durable; the transaction commits right after. */
  write(): void;
  /** The transaction is undone: the frame, whole or not, does not count. */
  undo(): void;
}

export interface RegistersOptions {
  readonly audit: AuditLog;
  readonly isSyncing: boolean;
  /**
   * Enters that somebody looked at a message the tables hold, inside the transaction. Left out where
   * registers alone are written.
   */
  readonly note?: (intent: NoteEventIntent) => Noted;
}

export class Registers {
  readonly #db: DatabaseSync;
  readonly #note: RegistersOptions["note"];
  readonly #audit: AuditLog;
  readonly #isSyncing: boolean;
  readonly #prepared = new Map<RegisterChangeName, StatementSync>();

  constructor(db: DatabaseSync, { audit, isSyncing, note }: RegistersOptions) {
    this.#db = db;
    this.#note = note;
    this.#audit = audit;
    this.#isSyncing = isSyncing;
  }

  /**
   * Runs intents in one commit, each whole or not at all. Never throws.
   *
   * @param frame for notes alone.
   */
  commit(intents: readonly ApartIntent[], frame?: NoteFrame): Outcome[] {
    const db = this.#db;
    const isSynced = frame === undefined;
    try {
      if (isSynced !== this.#isSyncing) setSynchronous(db, isSynced);
      db.exec("BEGIN IMMEDIATE");
      const outcomes = intents.map((intent) => this.#isolated(intent, frame?.redo));
      frame?.write();
      db.exec("COMMIT");
      return outcomes;
    } catch (thrown) {
      rollBack(db);
      frame?.undo();
      const failure = describeFailure(thrown);
      return intents.map(() => ({ failure }));
    } finally {
      if (isSynced !== this.#isSyncing) setSynchronous(db, this.#isSyncing);
    }
  }

  #isolated(intent: ApartIntent, redo: Redo | undefined): Outcome {
    const db = this.#db;
    db.exec("SAVEPOINT member");
    try {
      const { result, events, audit } = intent.kind === "note_event"
        ? this.#look(intent)
        : this.#execute(intent);
      if ("applied" in result && !result.applied) db.exec("ROLLBACK TO member");
      db.exec("RELEASE member");
      redo?.events(events);
      for (const row of audit) redo?.audit(row);
      return { result };
    } catch (thrown) {
      if (isEnvironmental(thrown)) throw thrown;
      db.exec("ROLLBACK TO member");
      db.exec("RELEASE member");
      return { failure: describeFailure(thrown) };
    }
  }

  #look(intent: NoteEventIntent): Done {
    const { result, event, audit } = this.#note!(intent);
    return {
      result,
      events: event === undefined ? [] : [event],
      audit: audit === undefined ? [] : [audit],
    };
  }

  #execute({ changes, audit }: RegisterIntent): Done {
    const changed: number[] = [];
    for (const change of changes) {
      const rows = this.#change(change);
      changed.push(rows);
      if (change.expect !== undefined && rows !== change.expect) {
        return { result: { applied: false, changed: [] }, events: [], audit: [] };
      }
    }
    const rows = audit.map((fields) => this.#audit.append(fields));
    return { result: { applied: true, changed }, events: [], audit: rows };
  }

  #change({ name, values }: RegisterChange): number {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      this.#prepared.set(name, statement = this.#db.prepare(registerSql[name]));
    }
    return Number(statement.run(...values).changes);
  }
}

/** What an intent is answered, and what it added. */
interface Done {
  readonly result: RegisterResult | NoteResult;
  readonly events: readonly EventRecord[];
  readonly audit: readonly AuditRow[];
}

function setSynchronous(db: DatabaseSync, isFull: boolean): void {
  db.exec(`PRAGMA synchronous = ${isFull ? "FULL" : "NORMAL"}`);
}
