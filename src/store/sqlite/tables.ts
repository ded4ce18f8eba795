/** Messages into the tables, and back from there as the working set holds them. */
import type { Disposition, NewMessage, RowStatus, Stage } from "../intents.ts";
import { textOf } from "./cell_text.ts";
import type { Changes, EnteredMessage, EventRecord, QueueRecord, StateRecord } from "./redo.ts";
import type { Session, SqlRow } from "./session.ts";
import type { Loader, StoredMessage } from "./working_set.ts";

/** Brings changes into the tables as they are told; the caller holds the transaction. */
export class Tables implements Changes {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  body(seq: number, text: string): void {
    this.#session.change("putBody", seq, text);
  }

  message(seq: number, m: NewMessage, { enteredAs, status, error }: EnteredMessage): void {
    this.#session.change(
      "putMessage",
      seq,
      m.id,
      m.channel,
      m.receivedAt,
      m.sourceType,
      m.controlId ?? null,
      m.messageType ?? null,
      enteredAs,
      status,
      error,
    );
  }

  row(r: QueueRecord): void {
    this.#session.change(
      "putRow",
      r.seq,
      r.messageSeq,
      r.stage,
      r.lane,
      r.channel,
      r.handler,
      r.bodySeq,
      r.status,
      r.attempts,
      r.dueAt,
      r.token,
      r.lastError,
      r.createdAt,
      r.updatedAt,
    );
  }

  rowChange(r: QueueRecord): void {
    this.#session.change(
      "updateRow",
      r.status,
      r.attempts,
      r.dueAt,
      r.token,
      r.lastError,
      r.updatedAt,
      r.seq,
    );
  }

  rowEnd(seq: number): void {
    this.#session.change("deleteRow", seq);
  }

  events(events: readonly EventRecord[]): void {
    let at = 0;
    // What a message that went through has: one statement instead of three.
    for (; at + 3 <= events.length; at += 3) this.#threeEvents(events, at);
    for (; at < events.length; at++) {
      const e = events[at]!;
      this.#session.change(
        "putEvent",
        e.messageSeq,
        e.seq,
        e.at,
        e.event,
        e.destination,
        e.detail,
      );
    }
  }

  disposition(messageSeq: number, status: Disposition, error: string | null): void {
    this.#session.change("updateMessage", status, error, messageSeq);
  }

  state({ namespace, key, value, at, messageSeq }: StateRecord): void {
    this.#session.change("upsertState", namespace, key, value, at, messageSeq);
  }

  #threeEvents(events: readonly EventRecord[], at: number): void {
    const [a, b, c] = [events[at]!, events[at + 1]!, events[at + 2]!];
    this.#session.change(
      "putThreeEvents",
      a.messageSeq,
      a.seq,
      a.at,
      a.event,
      a.destination,
      a.detail,
      b.messageSeq,
      b.seq,
      b.at,
      b.event,
      b.destination,
      b.detail,
      c.messageSeq,
      c.seq,
      c.at,
      c.event,
      c.destination,
      c.detail,
    );
  }
}

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
