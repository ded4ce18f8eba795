/**
 * Intents that read or change many rows at once: claims from cold, resync, sweeps, notes. They run on
 * the tables, when everything on its way has been stored (spec pipeline-store-cluster §1.3, §3).
 * Errors they write are the store's own words, and sealed like any other.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import type {
  AnswerRef,
  ClaimIntent,
  ClaimResult,
  ConnectionEventsIntent,
  NoteEventIntent,
  QueueRow,
  ResponseOutcome,
  ResyncIntent,
  SweepMissingIntent,
  SweepResult,
} from "../intents.ts";
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
  const { stage, lane, limit, readAhead, at, after, attemptsMax, suspects = false } = intent;
  const wanted = limit + readAhead;
  const read = session.all("readLane", stage, lane, after, wanted + 1);
  const rows: QueueRow[] = [];
  let claimed = 0;
  let exhausted = 0;
  let dueAt: number | undefined;
  let blocked = false;
  let suspect = false;
  for (const row of read.slice(0, wanted)) {
    // In flight under another claim of this lane: its holder goes on from here.
    if (row.status !== "pending") break;
    const due = Number(row.next_attempt_at);
    if (due > at) {
      dueAt = due;
      break;
    }
    const attempts = Number(row.attempts);
    if (attemptsMax !== undefined && attempts >= attemptsMax) {
      exhaust(session, row, { at, error: cipher.seal("attempts exhausted") });
      exhausted += 1;
      continue;
    }
    // Alone, so that its neighbours do not spend their attempts on its crashes.
    const isSuspect = attemptsMax !== undefined && attempts >= 2;
    suspect = isSuspect && claimed === 0 && !suspects;
    if (isSuspect && (claimed > 0 || !suspects)) break;
    if (claimed < limit && !blocked) {
      const token = intent.token + claimed;
      session.change("claimRow", token, at, Number(row.seq));
      rows.push(toQueueRow(row, attempts + 1, token));
      claimed += 1;
      if (isSuspect) break;
    } else {
      blocked = true;
      rows.push(toQueueRow(row, attempts, undefined));
    }
  }
  const drained = read.length <= wanted && rows.length + exhausted === read.length;
  return { rows, drained, dueAt: claimed === 0 ? dueAt : undefined, exhausted, suspect };
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

/** Changes of a body that is gone are no body. */
function bodyOf(row: SqlRow): Pick<QueueRow, "body" | "base"> {
  if (row.base_seq === null) return { body: textOf(row.body) };
  const base = textOf(row.base);
  return base === undefined ? { body: undefined } : { body: textOf(row.body), base };
}

function toQueueRow(row: SqlRow, attempts: number, token: number | undefined): QueueRow {
  return {
    seq: Number(row.seq),
    messageSeq: Number(row.message_seq),
    messageId: String(row.message_id),
    channel: String(row.channel_id),
    handler: row.handler_name === null ? undefined : String(row.handler_name),
    ...bodyOf(row),
    attempts,
    createdAt: Number(row.created_at),
    receivedAt: Number(row.received_at),
    token,
    metadata: textOf(row.metadata),
    answer: answerOf(row.answer),
  };
}

/** `"1 accepted"` */
function answerOf(text: SqlRow[string] | undefined): AnswerRef | undefined {
  if (typeof text !== "string") return undefined;
  const [seq, outcome] = text.split(" ");
  return { seq: Number(seq), outcome: outcome as ResponseOutcome };
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

export function noteEvent(session: Session, { id, event, at }: NoteEventIntent) {
  const row = session.first("findMessage", id);
  if (!row) return { found: false };
  addEvent(session, Number(row.seq), at, event, null, null);
  return { found: true };
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
): void {
  session.change("putEvent", messageSeq, session.next(), at, event, destination, detail);
}
