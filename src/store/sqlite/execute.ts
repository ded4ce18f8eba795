/**
 * What each intent does to the rows: T0–T8 of spec pipeline-store-cluster §1.3, inside the
 * transaction the writer holds open.
 */
import type {
  CancelIntent,
  ClaimIntent,
  ClaimResult,
  CompleteIntent,
  ConnectionEventsIntent,
  DeadLetterIntent,
  HandOffIntent,
  HandOffResult,
  Intent,
  NewDelivery,
  NewMessage,
  NextClaim,
  NoteEventIntent,
  QueueRow,
  ReceiveIntent,
  ReceiveResult,
  RecordErrorIntent,
  ReleaseIntent,
  ResolveResult,
  ResyncIntent,
  RetryIntent,
  RouteHandOffIntent,
  RouteResult,
  StateWrite,
  SweepMissingIntent,
  SweepResult,
  TransformHandOffIntent,
} from "../intents.ts";
import { cancelQueued, replayDead, replayMessage } from "./operate.ts";
import { textOf } from "./cell_text.ts";
import type { Session, SqlRow } from "./session.ts";

const NOT_MINE: HandOffResult = { mine: false, seqs: [] };
const UNRESOLVED: ResolveResult = { mine: false, nextClaimed: false };

/** Executes one intent and returns its answer, which holds once the batch is committed. */
export function execute(session: Session, intent: Intent): unknown {
  switch (intent.kind) {
    case "receive":
      return receive(session, intent);
    case "record_error":
      return recordError(session, intent);
    case "hand_off":
      return handOff(session, intent);
    case "route_hand_off":
      return routeHandOff(session, intent);
    case "transform_hand_off":
      return transformHandOff(session, intent);
    case "complete":
      return complete(session, intent);
    case "retry":
      return retry(session, intent);
    case "dead_letter":
      return deadLetter(session, intent);
    case "release":
      return release(session, intent);
    case "claim_row":
      return { mine: claimNext(session, intent), nextClaimed: false };
    case "claim":
      return claim(session, intent);
    case "resync":
      return resync(session, intent);
    case "replay":
      return replayMessage(session, intent);
    case "replay_dead":
      return replayDead(session, intent);
    case "cancel":
      return cancelQueued(session, intent satisfies CancelIntent);
    case "sweep_missing":
      return sweepMissing(session, intent);
    case "note_event":
      return noteEvent(session, intent);
    case "connection_events":
      return connectionEvents(session, intent);
  }
}

// Intake.

function insertMessage(
  session: Session,
  message: NewMessage,
  enteredAs: "received" | "error",
  error: string | null,
): number {
  const seq = session.next();
  session.change("insertBody", seq, message.raw);
  session.change(
    "insertMessage",
    seq,
    message.id,
    message.channel,
    message.receivedAt,
    message.sourceType,
    message.controlId ?? null,
    message.messageType ?? null,
    enteredAs,
    error,
  );
  return seq;
}

function receive(session: Session, { message, token }: ReceiveIntent): ReceiveResult {
  const messageSeq = insertMessage(session, message, "received", null);
  const seq = session.next();
  const hot = token !== undefined;
  session.change(
    "insertRow",
    seq,
    messageSeq,
    "ingress",
    message.channel,
    message.channel,
    null,
    messageSeq,
    hot ? "inflight" : "pending",
    hot ? 1 : 0,
    message.receivedAt,
    token ?? null,
    null,
    message.receivedAt,
    message.receivedAt,
  );
  return { messageSeq, seq };
}

function recordError(session: Session, { message, error }: RecordErrorIntent): ReceiveResult {
  const messageSeq = insertMessage(session, message, "error", error);
  return { messageSeq, seq: 0 };
}

// Handoffs.

function handOff(session: Session, intent: HandOffIntent): HandOffResult {
  if (session.change("consumeRow", intent.seq, intent.token) === 0) return NOT_MINE;
  const { messageSeq, channel, failures, at } = intent;
  if (intent.handlers === 0) {
    addEvent(session, messageSeq, at, "unrouted", null, null);
    session.change("setStatus", "unrouted", messageSeq);
    return { mine: true, seqs: [] };
  }
  if (failures.length < intent.handlers) {
    session.change("insertEventPair", messageSeq, session.next(), session.next(), at);
  } else {
    addEvent(session, messageSeq, at, "routed", null, null);
  }
  const seqs = insertDeliveries(session, intent);
  for (const { handler, error } of failures) {
    const seq = session.next();
    session.change(
      "insertRow",
      seq,
      messageSeq,
      "routed",
      channel,
      channel,
      handler,
      messageSeq,
      "dead",
      1,
      at,
      null,
      error,
      at,
      at,
    );
    addEvent(session, messageSeq, at, "dead", handler, error);
  }
  writeState(session, intent.state, at, messageSeq);
  // Every row of the message was made just now, so its disposition needs no counting.
  const status = seqs.length > 0 ? "routed" : failures.length > 0 ? "error" : "filtered";
  const [failure] = failures;
  if (failure) session.change("setStatusAndError", status, failure.error, messageSeq);
  else session.change("setStatus", status, messageSeq);
  return { mine: true, seqs };
}

function routeHandOff(session: Session, intent: RouteHandOffIntent): RouteResult {
  if (session.change("consumeRow", intent.seq, intent.token) === 0) return NOT_MINE;
  const { messageSeq, channel, handlers, at } = intent;
  const seqs = handlers.map((handler) => {
    const seq = session.next();
    session.change(
      "insertRow",
      seq,
      messageSeq,
      "routed",
      channel,
      channel,
      handler,
      messageSeq,
      "pending",
      0,
      at,
      null,
      null,
      at,
      at,
    );
    return seq;
  });
  const routed = handlers.length > 0;
  addEvent(session, messageSeq, at, routed ? "routed" : "unrouted", null, null);
  session.change("setStatus", routed ? "routed" : "unrouted", messageSeq);
  return { mine: true, seqs };
}

function transformHandOff(session: Session, intent: TransformHandOffIntent): HandOffResult {
  if (session.change("consumeRow", intent.seq, intent.token) === 0) return NOT_MINE;
  const { messageSeq, at } = intent;
  const seqs = insertDeliveries(session, intent);
  writeState(session, intent.state, at, messageSeq);
  addEvent(session, messageSeq, at, "transformed", null, null);
  session.change("finalize", messageSeq);
  return { mine: true, seqs };
}

interface DeliverySet {
  readonly messageSeq: number;
  readonly channel: string;
  readonly deliveries: readonly NewDelivery[];
  readonly at: number;
}

/** Inserts outbound rows in order; equal payloads share one body. */
function insertDeliveries(session: Session, set: DeliverySet): number[] {
  const { messageSeq, channel, deliveries, at } = set;
  let bodies: Map<string, number> | undefined;
  const seqs: number[] = [];
  for (const { destination, handler, payload, token } of deliveries) {
    const seq = session.next();
    let bodySeq = messageSeq;
    if (payload !== undefined) {
      const shared = bodies?.get(payload);
      if (shared === undefined) {
        bodySeq = seq;
        session.change("insertBody", bodySeq, payload);
        if (deliveries.length > 1) (bodies ??= new Map()).set(payload, bodySeq);
      } else {
        bodySeq = shared;
      }
    }
    const hot = token !== undefined;
    session.change(
      "insertRow",
      seq,
      messageSeq,
      "outbound",
      destination,
      channel,
      handler,
      bodySeq,
      hot ? "inflight" : "pending",
      hot ? 1 : 0,
      at,
      token ?? null,
      null,
      at,
      at,
    );
    seqs.push(seq);
  }
  return seqs;
}

function writeState(
  session: Session,
  state: readonly StateWrite[],
  at: number,
  messageSeq: number,
): void {
  for (const { namespace, key, value } of state) {
    session.change("upsertState", namespace, key, value, at, messageSeq);
  }
}

// Resolutions.

function complete(session: Session, intent: CompleteIntent): ResolveResult {
  const { seq, token, messageSeq, destination, next, at } = intent;
  if (session.change("completeRow", at, seq, token) === 0) return UNRESOLVED;
  addEvent(session, messageSeq, at, "delivered", destination, null);
  session.change("finalize", messageSeq);
  return { mine: true, nextClaimed: next !== undefined && claimNext(session, { ...next, at }) };
}

function retry(session: Session, intent: RetryIntent): ResolveResult {
  const { seq, token, messageSeq, destination, dueAt, error, at } = intent;
  if (session.change("retryRow", dueAt, error, at, seq, token) === 0) return UNRESOLVED;
  addEvent(session, messageSeq, at, "failed", destination, error);
  return { mine: true, nextClaimed: false };
}

function deadLetter(session: Session, intent: DeadLetterIntent): ResolveResult {
  const { seq, token, messageSeq, destination, error, next, at } = intent;
  if (session.change("killRow", error, at, seq, token) === 0) return UNRESOLVED;
  buryMessage(session, { messageSeq, destination: destination ?? null, error, at });
  return { mine: true, nextClaimed: next !== undefined && claimNext(session, { ...next, at }) };
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

function release(session: Session, { seq, token, at }: ReleaseIntent): ResolveResult {
  return { mine: session.change("releaseRow", at, seq, token) > 0, nextClaimed: false };
}

function claimNext(session: Session, next: NextClaim & { readonly at: number }): boolean {
  return session.change("claimRow", next.token, next.at, next.seq) > 0;
}

// Claims from cold.

function claim(session: Session, intent: ClaimIntent): ClaimResult {
  return intent.unordered ? claimDue(session, intent) : claimPrefix(session, intent);
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
function claimPrefix(session: Session, intent: ClaimIntent): ClaimResult {
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
      exhaust(session, row, at);
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

function exhaust(session: Session, row: SqlRow, at: number): void {
  const error = "attempts exhausted";
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
    body: textOf(row.body),
    attempts,
    createdAt: Number(row.created_at),
    receivedAt: Number(row.received_at),
    token,
  };
}

function resync(session: Session, { stage, lane, at }: ResyncIntent) {
  session.change("resyncLane", at, stage, lane);
  return { open: Number(session.first("countOpen", stage, lane)?.open ?? 0) };
}

// Sweeps and notes.

function sweepMissing(session: Session, intent: SweepMissingIntent): SweepResult {
  const { at } = intent;
  const destinations = new Set(intent.destinations);
  const handlers = new Set(intent.handlers);
  let dead = 0;
  for (const { lane } of session.all("openOutbound")) {
    if (destinations.has(String(lane))) continue;
    const error = "destination removed";
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
    const error = "handler removed";
    session.change("killOpenRow", error, at, Number(row.seq));
    buryMessage(session, { messageSeq: Number(row.message_seq), destination: handler, error, at });
    dead += 1;
  }
  return { dead };
}

function noteEvent(session: Session, { id, event, at }: NoteEventIntent) {
  const row = session.first("findMessage", id);
  if (!row) return { found: false };
  addEvent(session, Number(row.seq), at, event, null, null);
  return { found: true };
}

function connectionEvents(session: Session, { events }: ConnectionEventsIntent) {
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
  session.change("insertEvent", messageSeq, session.next(), at, event, destination, detail);
}
