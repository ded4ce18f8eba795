/**
 * Messages back from the tables, as the working set holds them.
 *
 * Their cells are sealed with the active key from here on: what memory holds is written again, and a
 * cell of a former key must not come back behind `rotate-key`.
 */
import type { Disposition, RowStatus, Stage } from "../intents.ts";
import type { CellCipher } from "../../crypto/cells.ts";
import { renewCell } from "../cells.ts";
import { textOf } from "./cell_text.ts";
import type { QueueRecord } from "../changes.ts";
import type { Session, SqlRow } from "./session.ts";
import type { Loader, StoredMessage } from "../working_set.ts";

export class TableLoader implements Loader {
  readonly #session: Session;
  readonly #cipher: CellCipher;

  constructor(session: Session, cipher: CellCipher) {
    this.#session = session;
    this.#cipher = cipher;
  }

  message(seq: number): StoredMessage | undefined {
    const found = this.#session.first("statusOfMessage", seq);
    if (found === undefined) return undefined;
    return {
      seq,
      status: found.status as Disposition,
      error: this.#cell(found.error),
      rows: this.#session.all("recordsOfMessage", seq).map((row) => this.#record(row)),
    };
  }

  messageOfRow(seq: number): number | undefined {
    const found = this.#session.first("messageOfRow", seq);
    return found === undefined ? undefined : Number(found.message_seq);
  }

  responsesOf(seq: number): ReadonlyMap<string, number> {
    const found = this.#session.all("countResponses", seq);
    return new Map(found.map((row) => [String(row.destination), Number(row.responses)]));
  }

  #record(row: SqlRow): QueueRecord {
    return {
      seq: Number(row.seq),
      messageSeq: Number(row.message_seq),
      stage: row.stage as Stage,
      lane: String(row.lane),
      channel: String(row.channel_id),
      handler: textOf(row.handler_name) ?? null,
      bodySeq: Number(row.body_seq),
      status: row.status as RowStatus,
      attempts: Number(row.attempts),
      dueAt: Number(row.next_attempt_at),
      token: row.claim_token === null ? null : Number(row.claim_token),
      lastError: this.#cell(row.last_error),
      createdAt: Number(row.created_at),
      updatedAt: Number(row.updated_at),
    };
  }

  #cell(stored: SqlRow[string] | undefined): string | null {
    const cell = textOf(stored);
    return cell === undefined ? null : renewCell(this.#cipher, cell);
  }
}
