/** What operators do to rows: replay and cancel. Source: spec pipeline-store-cluster §3.6. */
import type { CancelResult, ReplayResult } from "../intent_results.ts";
import type { CancelIntent, ReplayDeadIntent, ReplayIntent, RowStatus, Stage } from "../intents.ts";
import { edgesOf, lanesOf, opens, reroutes, rowsToReplay } from "../operator_acts.ts";
import { addEvent } from "./lanes.ts";
import type { Transaction } from "./transaction.ts";

/**
 * Requeues a message: its dead and pending rows if anything of it is unfinished, else all its done
 * rows. Rows in flight and cancelled ones stay; a purged body is never sent.
 */
export async function replayMessage(
  tx: Transaction,
  { id, at }: ReplayIntent,
): Promise<ReplayResult> {
  const message = await tx.first("findMessage", id);
  await tx.begun;
  const nothing = { requeued: 0, lanes: [], edges: [] };
  if (message === undefined) return { found: false, bodyPurged: false, ...nothing };
  const seq = Number(message.seq);
  const rows = (await tx.rows("rowsOfMessage", seq)).map((row) => ({
    channel: String(message.channel_id),
    seq: Number(row.seq),
    lane: String(row.lane),
    stage: row.stage as Stage,
    status: row.status as RowStatus,
    isPurged: row.purged === 1,
  }));
  const chosen = rowsToReplay(rows);
  const kept = chosen.filter(({ isPurged }) => !isPurged);
  const bodyPurged = kept.length < chosen.length;
  if (kept.length === 0) return { found: true, bodyPurged, ...nothing };
  requeue(tx, { rows: kept, messages: [seq], at });
  addEvent(tx, seq, { at, event: "replayed", destination: null, detail: null });
  tx.changes.disposition(seq, reroutes(kept) ? "received" : "routed", null);
  return {
    found: true,
    requeued: kept.length,
    bodyPurged,
    lanes: lanesOf(kept),
    edges: edgesOf(kept.filter(opens), 1),
  };
}

/** Requeues outbound dead letters by inbound and destination, all or none. */
export async function replayDead(
  tx: Transaction,
  { channel, destination, at }: ReplayDeadIntent,
): Promise<ReplayResult> {
  const rows = await tx.rows("deadDeliveries", channel ?? null, destination ?? null);
  await tx.begun;
  const kept = rows.filter(({ purged }) => purged !== 1).map((row) => ({
    seq: Number(row.seq),
    messageSeq: Number(row.message_seq),
    channel: String(row.channel_id),
    lane: String(row.lane),
    stage: "outbound" as const,
  }));
  const messages = [...new Set(kept.map(({ messageSeq }) => messageSeq))];
  if (kept.length > 0) requeue(tx, { rows: kept, messages, at });
  for (const seq of messages) {
    addEvent(tx, seq, { at, event: "replayed", destination: destination ?? null, detail: null });
  }
  if (messages.length > 0) void tx.all("reviveMessages", messages);
  return {
    found: true,
    requeued: kept.length,
    bodyPurged: kept.length < rows.length,
    lanes: lanesOf(kept),
    edges: edgesOf(kept, 1),
  };
}

function requeue(
  tx: Transaction,
  { rows, messages, at }: {
    readonly rows: readonly { readonly seq: number }[];
    readonly messages: readonly number[];
    readonly at: number;
  },
): void {
  void tx.all("requeueRows", at, rows.map(({ seq }) => seq));
  void tx.all("unpurgeMessages", messages);
}

/**
 * Cancels pending rows of an outbound; rows in flight and dead letters stay. `top` means the
 * lane's head and nothing else: while that is in flight, no row behind it is cancelled instead.
 */
export async function cancelQueued(
  tx: Transaction,
  { destination, scope, limit, at }: CancelIntent,
): Promise<CancelResult> {
  const found = scope === "top"
    ? await tx.rows("laneHead", destination)
    : await tx.rows("cancellable", destination, limit ?? null);
  await tx.begun;
  const rows = found.filter(({ status }) => status === "pending");
  if (rows.length === 0) return { cancelled: 0, edges: [] };
  void tx.all("cancelRows", at, rows.map(({ seq }) => Number(seq)));
  const messages = rows.map(({ message_seq }) => Number(message_seq));
  for (const seq of messages) {
    addEvent(tx, seq, { at, event: "cancelled", destination, detail: null });
  }
  tx.changes.count("cancelled", destination, rows.length);
  void tx.all("finalize", [...new Set(messages)]);
  const edges = rows.map((row) => ({ channel: String(row.channel_id), lane: destination }));
  return { cancelled: rows.length, edges: edgesOf(edges, -1) };
}
