/** Messages back from the tables, as the working set holds them. */
import type { Disposition, RowStatus, Stage } from "../intents.ts";
import { textOf } from "./cell_text.ts";
import type { QueueRecord } from "./redo.ts";
import type { Session, SqlRow } from "./session.ts";
import type { Loader, StoredMessage } from "./working_set.ts";

export class TableLoader implements Loader {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  message(seq: number): StoredMessage | undefined {
    const found = this.#session.first("statusOfMessage", seq);
    if (found === undefined) return undefined;
    return {
      seq,
      status: found.status as Disposition,
      error: textOf(found.error) ?? null,
      rows: this.#session.all("recordsOfMessage", seq).map(toRecord),
    };
  }

  messageOfRow(seq: number): number | undefined {
    const found = this.#session.first("messageOfRow", seq);
    return found === undefined ? undefined : Number(found.message_seq);
  }
}

function toRecord(row: SqlRow): QueueRecord {
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
    lastError: textOf(row.last_error) ?? null,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  };
}
