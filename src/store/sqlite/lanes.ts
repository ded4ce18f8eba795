/**
 * Intents that read or change many rows at once: claims from cold, resync, sweeps, notes. They run on
 * the tables, when everything on its way has been stored (spec pipeline-store-cluster §1.3, §3).
 * Errors they write are the store's own words, and sealed like any other.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import { answerOf } from "../answer_ref.ts";
import type { EventRecord } from "../changes.ts";
import type { ClaimResult, QueueRow, SweepResult } from "../intent_results.ts";
import type {
  ClaimIntent,
  ConnectionEventsIntent,
  NoteEventIntent,
  ResyncIntent,
  RowStatus,
  SweepMissingIntent,
} from "../intents.ts";
import { planPrefix, rowsRead } from "../lane_claim.ts";
import { cellsOf } from "../fold.ts";
import { textOf } from "./cell_text.ts";
import type { Session, SqlRow } from "./session.ts";

export function claim(session: Session, intent: ClaimIntent, cipher: CellCipher): ClaimResult {
  return intent.unordered ? claimDue(session, intent) : claimPrefix(session, intent, cipher);
}

/** Any due rows of an unordered lane, oldest first; those that back off are skipped. */
function claimDue(session: Session, intent: ClaimIntent): ClaimResult {
  const { stage, lane, limit, at, after } = intent;
  const read = session.all("readDueLane", stage, lane, after, at, limit + 1);
  const rows = read.slice(0, limit).map((row, index) => {
    const token = intent.token + index;
    session.change("claimRow", token, at, Number(row.seq));
    return toQueueRow(row, Number(row.attempts) + 1, token);
  });
  const none = { exhausted: 0, suspect: false };
  if (read.length > limit) return { rows, drained: false, dueAt: undefined, ...none };
  const rest = session.first("laneRest", stage, lane, after);
  const dueAt = rows.length > 0 || rest?.due_at === null ? undefined : Number(rest?.due_at);
  return { rows, drained: Number(rest?.open) === rows.length, dueAt, ...none };
}

/** The contiguous due prefix of an ordered lane. */
function claimPrefix(session: Session, intent: ClaimIntent, cipher: CellCipher): ClaimResult {
  const { stage, lane, at, after } = intent;
  const read = session.all("readLane", stage, lane, after, rowsRead(intent)).map((row) => ({
    row,
    status: row.status as RowStatus,
    attempts: Number(row.attempts),
    dueAt: Number(row.next_attempt_at),
  }));
  const { take, ahead, exhausted, ...plan } = planPrefix(read, intent);
  for (const { row } of exhausted) {
    exhaust(session, row, { at, error: cipher.seal("attempts exhausted") });
  }
  const claimed = take.map(({ row, attempts }, index) => {
    const token = intent.token + index;
    session.change("claimRow", token, at, Number(row.seq));
    return toQueueRow(row, attempts + 1, token);
  });
  const rows = [
    ...claimed,
    ...ahead.map(({ row, attempts }) => toQueueRow(row, attempts, undefined)),
  ];
  return { rows, exhausted: exhausted.length, ...plan };
}

/** Event and disposition of a message one of whose rows was just given up. */
function buryMessage(
  session: Session,
  { messageSeq, destination, error, at }: {
    messageSeq: number;
    destination: string | null;
    error: string;
    at: number;
  },
): void {
  addEvent(session, messageSeq, at, "dead", destination, error);
  session.change("noteError", error, messageSeq);
  session.change("finalize", messageSeq);
}

function exhaust(
  session: Session,
  row: SqlRow,
  { at, error }: { readonly at: number; readonly error: string },
): void {
  session.change("killOpenRow", error, at, Number(row.seq));
  const destination = row.handler_name === null ? null : String(row.handler_name);
  buryMessage(session, { messageSeq: Number(row.message_seq), destination, error, at });
}

function toQueueRow(row: SqlRow, attempts: number, token: number | undefined): QueueRow {
  return {
    seq: Number(row.seq),
    messageSeq: Number(row.message_seq),
    messageId: String(row.message_id),
    channel: String(row.channel_id),
    handler: row.handler_name === null ? undefined : String(row.handler_name),
    ...cellsOf(textOf(row.body), textOf(row.base), row.base_seq !== null),
    attempts,
    createdAt: Number(row.created_at),
    receivedAt: Number(row.received_at),
    token,
    metadata: textOf(row.metadata),
    answer: answerOf(textOf(row.answer)),
  };
}

export function resync(session: Session, { stage, lane, at }: ResyncIntent) {
  session.change("resyncLane", at, stage, lane);
  return { open: Number(session.first("countOpen", stage, lane)?.open ?? 0) };
}

// Sweeps and notes.

export function sweepMissing(
  session: Session,
  intent: SweepMissingIntent,
  cipher: CellCipher,
): SweepResult {
  const { at } = intent;
  const destinations = new Set(intent.destinations);
  const handlers = new Set(intent.handlers);
  let dead = 0;
  for (const { lane } of session.all("openOutbound")) {
    if (destinations.has(String(lane))) continue;
    const error = cipher.seal("destination removed");
    for (const row of session.all("openRowsOfLane", "outbound", String(lane))) {
      session.change("killOpenRow", error, at, Number(row.seq));
      const messageSeq = Number(row.message_seq);
      buryMessage(session, { messageSeq, destination: String(lane), error, at });
      dead += 1;
    }
  }
  for (const row of session.all("openRouted")) {
    const handler = String(row.handler_name);
    if (handlers.has(handler)) continue;
    const error = cipher.seal("handler removed");
    session.change("killOpenRow", error, at, Number(row.seq));
    buryMessage(session, { messageSeq: Number(row.message_seq), destination: handler, error, at });
    dead += 1;
  }
  return { dead };
}

/** Returns the entry that was made; undefined when the tables have no such message. */
export function noteEvent(
  session: Session,
  { id, event, at }: NoteEventIntent,
): EventRecord | undefined {
  const row = session.first("findMessage", id);
  if (!row) return undefined;
  const messageSeq = Number(row.seq);
  return addEvent(session, messageSeq, at, event, null, null);
}

export function connectionEvents(session: Session, { events }: ConnectionEventsIntent) {
  for (const e of events) {
    session.change(
      "insertConnectionEvent",
      e.at,
      e.connection,
      e.transport,
      e.direction,
      e.event,
      e.peer ?? null,
      e.reason ?? null,
    );
  }
  return {};
}

export function addEvent(
  session: Session,
  messageSeq: number,
  at: number,
  event: string,
  destination: string | null,
  detail: string | null,
): EventRecord {
  const seq = session.next();
  session.change("putEvent", messageSeq, seq, at, event, destination, detail);
  return { messageSeq, seq, at, event, destination, detail };
}
