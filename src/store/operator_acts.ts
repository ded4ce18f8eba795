/** What operators' acts decide and answer, whichever backend runs. Spec pipeline-store-cluster §3.6. */
import type { EdgeChange, TouchedLane } from "./intent_results.ts";
import type { RowStatus, Stage } from "./intents.ts";

/**
 * Returns the rows of a message that a replay requeues: its dead and pending ones if anything of it
 * is unfinished, else all its done ones. Rows in flight and cancelled ones stay.
 */
export function rowsToReplay<R extends { readonly status: unknown }>(rows: readonly R[]): R[] {
  // A row in flight is unfinished too: while it is on the wire nothing of its message is re-sent.
  const isFinished = rows.every(({ status }) => status === "done" || status === "cancelled");
  return rows.filter(({ status }) =>
    isFinished ? status === "done" : status === "dead" || status === "pending"
  );
}

/** Whether requeued rows run router or handlers again. */
export function reroutes(rows: readonly { readonly stage: unknown }[]): boolean {
  return rows.some(({ stage }) => stage === "ingress" || stage === "routed");
}

/** Counts `each` for every row of an (inbound, outbound) pair. */
export function edgesOf(
  rows: readonly { readonly channel: string; readonly lane: string }[],
  each: 1 | -1,
): EdgeChange[] {
  const edges = new Map<string, EdgeChange>();
  for (const { channel, lane: destination } of rows) {
    const key = JSON.stringify([channel, destination]);
    edges.set(key, { channel, destination, rows: (edges.get(key)?.rows ?? 0) + each });
  }
  return [...edges.values()];
}

/** The lanes of requeued rows, each once. */
export function lanesOf(
  rows: readonly { readonly stage: Stage; readonly lane: string }[],
): TouchedLane[] {
  const seen = new Map(rows.map(({ stage, lane }) => [`${stage} ${lane}`, { stage, lane }]));
  return [...seen.values()];
}

/** Whether a requeued outbound row counts as opened: a pending one was open before. */
export function opens(row: { readonly stage: Stage; readonly status: RowStatus }): boolean {
  return row.stage === "outbound" && row.status !== "pending";
}
