/** What operators do to rows: replay and cancel. Source: spec pipeline-store-cluster §3.6. */
import type {
  CancelIntent,
  CancelResult,
  EdgeChange,
  ReplayDeadIntent,
  ReplayIntent,
  ReplayResult,
  Stage,
  TouchedLane,
} from "../intents.ts";
import { addEvent } from "./lanes.ts";
import type { Session, SqlRow } from "./session.ts";

/**
 * Requeues a message: its dead and pending rows if anything of it is unfinished, else all its done
 * rows. Rows in flight and cancelled ones stay; a purged body is never sent.
 */
export function replayMessage(session: Session, { id, at }: ReplayIntent): ReplayResult {
  const message = session.first("findMessage", id);
  if (!message) return { found: false, requeued: 0, bodyPurged: false, lanes: [], edges: [] };
  const rows = session.all("rowsOfMessage", Number(message.seq));
  // A row in flight is unfinished too: while it is on the wire nothing of its message is re-sent.
  const isFinished = rows.every((row) => row.status === "done" || row.status === "cancelled");
  const chosen = rows.filter(({ status }) =>
    isFinished ? status === "done" : status === "dead" || status === "pending"
  );
  const kept = chosen.filter((row) => !row.purged);
  const bodyPurged = kept.length < chosen.length;
  if (kept.length === 0) return { found: true, requeued: 0, bodyPurged, lanes: [], edges: [] };
  for (const row of kept) session.change("requeueRow", at, Number(row.seq));
  session.change("unpurgeMessage", Number(message.seq));
  addEvent(session, Number(message.seq), at, "replayed", null, null);
  const reroutes = kept.some((row) => row.stage === "ingress" || row.stage === "routed");
  session.change(
    "updateMessage",
    reroutes ? "received" : "routed",
    null,
    Number(message.seq),
  );
  const lanes = kept.map((row) => ({ stage: row.stage as Stage, lane: String(row.lane) }));
  const opened = kept.filter((row) => row.stage === "outbound" && row.status !== "pending")
    .map((row) => ({ ...row, channel_id: message.channel_id! }));
  return {
    found: true,
    requeued: kept.length,
    bodyPurged,
    lanes: distinct(lanes),
    edges: edgesOf(opened, 1),
  };
}

/** Requeues outbound dead letters by inbound and destination, all or none. */
export function replayDead(session: Session, intent: ReplayDeadIntent): ReplayResult {
  const { channel, destination, at } = intent;
  const rows = session.all("deadDeliveries", channel ?? null, destination ?? null);
  const messages = new Set<number>();
  const kept = rows.filter((row) => !row.purged);
  for (const row of kept) {
    session.change("requeueRow", at, Number(row.seq));
    messages.add(Number(row.message_seq));
  }
  for (const messageSeq of messages) {
    session.change("unpurgeMessage", messageSeq);
    addEvent(session, messageSeq, at, "replayed", destination ?? null, null);
    session.change("reviveMessage", messageSeq);
  }
  const lanes = kept.map((row) => ({ stage: "outbound" as const, lane: String(row.lane) }));
  const bodyPurged = kept.length < rows.length;
  return {
    found: true,
    requeued: kept.length,
    bodyPurged,
    lanes: distinct(lanes),
    edges: edgesOf(kept, 1),
  };
}

/**
 * Cancels pending rows of an outbound; rows in flight and dead letters stay. `top` means the
 * lane's head and nothing else: while that is in flight, no row behind it is cancelled instead.
 */
export function cancelQueued(session: Session, intent: CancelIntent): CancelResult {
  const { destination, scope, limit = -1, at } = intent;
  const rows = scope === "top"
    ? session.all("laneHead", "outbound", destination)
    : session.all("cancellable", destination, limit);
  const cancelled: SqlRow[] = [];
  for (const row of rows) {
    if (session.change("cancelRow", at, Number(row.seq)) === 0) continue;
    cancelled.push({ ...row, lane: destination });
    addEvent(session, Number(row.message_seq), at, "cancelled", destination, null);
    session.change("finalize", Number(row.message_seq));
  }
  if (cancelled.length > 0) session.change("addCancelled", destination, cancelled.length);
  return { cancelled: cancelled.length, edges: edgesOf(cancelled, -1) };
}

/** Counts `each` for every row of an (inbound, outbound) pair. */
function edgesOf(rows: readonly SqlRow[], each: 1 | -1): EdgeChange[] {
  const edges = new Map<string, EdgeChange>();
  for (const row of rows) {
    const [channel, destination] = [String(row.channel_id), String(row.lane)];
    const key = JSON.stringify([channel, destination]);
    edges.set(key, { channel, destination, rows: (edges.get(key)?.rows ?? 0) + each });
  }
  return [...edges.values()];
}

function distinct(lanes: readonly TouchedLane[]): TouchedLane[] {
  const seen = new Map(lanes.map((lane) => [`${lane.stage} ${lane.lane}`, lane]));
  return [...seen.values()];
}
