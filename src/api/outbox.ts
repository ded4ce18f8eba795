/** How many outbound rows stand where. */
import type { Engine } from "../engine.ts";

/**
 * Counts outbound rows by status; a status without rows is left out.
 *
 * What is open is known to memory, the rest to the store, so the sum of the two can be off by what
 * is being committed right now.
 */
export async function outboxByStatus({ store, pipeline }: Engine): Promise<Record<string, number>> {
  const { deliveries, dead, cancelled } = await store.outbox();
  const open = pipeline.statistics.edges().reduce((sum, { depth }) => sum + depth, 0);
  const lanes = [...pipeline.outbounds.values()];
  const inflight = Math.min(open, lanes.reduce((sum, lane) => sum + lane.inFlight, 0));
  const counts = {
    pending: open - inflight,
    inflight,
    done: deliveries - dead - cancelled - open,
    dead,
    cancelled,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, rows]) => rows > 0));
}
