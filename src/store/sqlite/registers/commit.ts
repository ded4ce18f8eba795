/**
 * Carries out register intents: a transaction of their own, which says nothing of messages.
 *
 * Always durable when answered, whatever `synchronous` says: an account that is locked or a session
 * that is ended stays so.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { describeFailure, isEnvironmental } from "../../errors.ts";
import type {
  RegisterChange,
  RegisterChangeName,
  RegisterIntent,
  RegisterResult,
} from "../../registers/mod.ts";
import type { Outcome } from "../../wire.ts";
import { rollBack } from "../database.ts";
import type { AuditLog } from "./audit_log.ts";
import { registerSql } from "./mod.ts";

export class Registers {
  readonly #db: DatabaseSync;
  readonly #audit: AuditLog;
  readonly #isSyncing: boolean;
  readonly #prepared = new Map<RegisterChangeName, StatementSync>();

  constructor(db: DatabaseSync, { audit, isSyncing }: { audit: AuditLog; isSyncing: boolean }) {
    this.#db = db;
    this.#audit = audit;
    this.#isSyncing = isSyncing;
  }

  /** Runs intents in one commit, each whole or not at all. Never throws. */
  commit(intents: readonly RegisterIntent[]): Outcome[] {
    const db = this.#db;
    try {
      if (!this.#isSyncing) db.exec("PRAGMA synchronous = FULL");
      db.exec("BEGIN IMMEDIATE");
      const outcomes = intents.map((intent) => this.#isolated(intent));
      db.exec("COMMIT");
      return outcomes;
    } catch (thrown) {
      rollBack(db);
      const failure = describeFailure(thrown);
      return intents.map(() => ({ failure }));
    } finally {
      if (!this.#isSyncing) db.exec("PRAGMA synchronous = NORMAL");
    }
  }

  #isolated(intent: RegisterIntent): Outcome {
    const db = this.#db;
    db.exec("SAVEPOINT member");
    try {
      const result = this.#execute(intent);
      if (!result.applied) db.exec("ROLLBACK TO member");
      db.exec("RELEASE member");
      return { result };
    } catch (thrown) {
      if (isEnvironmental(thrown)) throw thrown;
      db.exec("ROLLBACK TO member");
      db.exec("RELEASE member");
      return { failure: describeFailure(thrown) };
    }
  }

  #execute({ changes, audit }: RegisterIntent): RegisterResult {
    const changed: number[] = [];
    for (const change of changes) {
      const rows = this.#change(change);
      changed.push(rows);
      if (change.expect !== undefined && rows !== change.expect) {
        return { applied: false, changed: [] };
      }
    }
    for (const fields of audit) this.#audit.append(fields);
    return { applied: true, changed };
  }

  #change({ name, values }: RegisterChange): number {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      this.#prepared.set(name, statement = this.#db.prepare(registerSql[name]));
    }
    return Number(statement.run(...values).changes);
  }
}
