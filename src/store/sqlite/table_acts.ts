/**
 * Intents that look for rows, carried out on the tables, each with the audit row of its act.
 *
 * Upstream: `writer.ts` has brought everything into the tables and begun a transaction.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import type { AuditRow } from "../audit_row.ts";
import type { TableIntent } from "../execute.ts";
import type { ActAudit, NoteEventIntent } from "../intents.ts";
import type { EndPurgeIntent, PurgeIntent } from "../purge.ts";
import { claim, connectionEvents, noteEvent, resync, sweepMissing } from "./lanes.ts";
import { cancelQueued, replayDead, replayMessage } from "./operate.ts";
import { endPurge, purge } from "./purge.ts";
import type { AuditLog } from "./registers/audit_log.ts";
import type { Noted } from "./registers/commit.ts";
import type { Session } from "./session.ts";

/** Those that change messages on their way, or look for them. */
export type TableAct = Exclude<TableIntent, NoteEventIntent>;

/** What acts say of themselves. */
interface Counts {
  readonly found?: boolean;
  readonly requeued?: number;
  readonly cancelled?: number;
}

export class TableActs {
  readonly #session: Session;
  /** Seals what an act itself writes, and what it writes again. */
  readonly #cipher: CellCipher;
  readonly #audit: AuditLog;

  constructor(
    session: Session,
    { cipher, audit }: { readonly cipher: CellCipher; readonly audit: AuditLog },
  ) {
    this.#session = session;
    this.#cipher = cipher;
    this.#audit = audit;
  }

  /** Returns what its intent is answered. */
  carryOut(act: TableAct): unknown {
    if (act.kind === "purge") return purge(this.#session, act, this.#cipher);
    if (act.kind === "end_purge") return endPurge(this.#session, act, this.#audit);
    const result = this.#execute(act);
    if ("audit" in act && act.audit !== undefined) this.#tellOf(act.audit, result as Counts);
    return result;
  }

  /** Enters that somebody looked at a message, which must be in the tables to be found. */
  note(intent: NoteEventIntent): Noted {
    const event = noteEvent(this.#session, intent);
    const found = event !== undefined;
    const audit = intent.audit && this.#tellOf(intent.audit, { found });
    return { result: { found }, event, audit };
  }

  #execute(act: Exclude<TableAct, PurgeIntent | EndPurgeIntent>): unknown {
    const session = this.#session;
    switch (act.kind) {
      case "claim":
        return claim(session, act, this.#cipher);
      case "resync":
        return resync(session, act);
      case "replay":
        return replayMessage(session, act);
      case "replay_dead":
        return replayDead(session, act);
      case "cancel":
        return cancelQueued(session, act);
      case "sweep_missing":
        return sweepMissing(session, act, this.#cipher);
      case "connection_events":
        return connectionEvents(session, act);
    }
  }

  /** The audit row of an act that did something. */
  #tellOf(
    { detail, ...audit }: ActAudit,
    { found, requeued, cancelled }: Counts,
  ): AuditRow | undefined {
    if (found === false || requeued === 0 || cancelled === 0) return undefined;
    const counted = JSON.stringify({ ...detail, requeued, cancelled });
    return this.#audit.append({ ...audit, detail: counted });
  }
}
