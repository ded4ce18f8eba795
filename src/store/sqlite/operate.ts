/** What operators do to rows: replay and cancel. Source: spec pipeline-store-cluster §3.6. */
import type { CancelResult, ReplayResult } from "../intent_results.ts";
import type { CancelIntent, ReplayDeadIntent, ReplayIntent, RowStatus, Stage } from "../intents.ts";
import { edgesOf, lanesOf, opens, reroutes, rowsToReplay } from "../operator_acts.ts";
import { addEvent } from "./lanes.ts";
import type { Session, SqlRow } from "./session.ts";

/**
 * Requeues a message: its dead and pending rows if anything of it is unfinished, else all its done
 * rows. Rows in flight and cancelled ones stay; a purged body is never sent.
 */
export function replayMessage(session: Session, { id, at }: ReplayIntent): ReplayResult {
  const message = session.first("findMessage", id);
  if (!message) return { found: false, requeued: 0, bodyPurged: false, lanes: [], edges: [] };
  const channel = String(message.channel_id);
  const rows = session.all("rowsOfMessage", Number(message.seq)).map((row) => ({
    channel,
    seq: Number(row.seq),
    lane: String(row.lane),
    stage: row.stage as Stage,
    status: row.status as RowStatus,
    isPurged: row.purged === 1,
  }));
  const chosen = rowsToReplay(rows);
  const kept = chosen.filter(({ isPurged }) => !isPurged);
  const bodyPurged = kept.length < chosen.length;
  if (kept.length === 0) return { found: true, requeued: 0, bodyPurged, lanes: [], edges: [] };
  for (const { seq } of kept) session.change("requeueRow", at, seq);
  session.change("unpurgeMessage", Number(message.seq));
  addEvent(session, Number(message.seq), at, "replayed", null, null);
  session.change(
    "updateMessage",
    reroutes(kept) ? "received" : "routed",
    null,
    Number(message.seq),
  );
  return {
    found: true,
    requeued: kept.length,
    bodyPurged,
    lanes: lanesOf(kept),
    edges: edgesOf(kept.filter(opens), 1),
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
  const requeued = kept.map((row) => ({ ...placeOf(row), stage: "outbound" as const }));
  const bodyPurged = kept.length < rows.length;
  return {
    found: true,
    requeued: kept.length,
    bodyPurged,
    lanes: lanesOf(requeued),
    edges: edgesOf(requeued, 1),
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
  return { cancelled: cancelled.length, edges: edgesOf(cancelled.map(placeOf), -1) };
}

function placeOf(row: SqlRow): { channel: string; lane: string } {
  return { channel: String(row.channel_id), lane: String(row.lane) };
}
