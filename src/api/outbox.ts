/** How many outbound rows stand where, and how many rows are open at all. */
import type { Engine } from "../engine.ts";
import type { OpenRows } from "../store/store.ts";

export interface RowFigures {
  /** Outbound rows; a status without rows is left out. */
  readonly outboxByStatus: Record<string, number>;
  /** Open rows of every stage. */
  readonly inPipeline: number;
}

/**
 * Counts rows by where they stand.
 *
 * What is open is known to the memory of the node that runs the lanes, the rest to the store, so the
 * sum of the two can be off by what is being committed right now. A standby has no lanes: it asks the
 * store for both, or what waits would look delivered.
 */
export async function rowFigures(engine: Engine): Promise<RowFigures> {
  const { store, cluster } = engine;
  const [{ deliveries, dead, cancelled }, counted] = await Promise.all([
    store.outbox(),
    cluster === undefined || cluster.isServing ? undefined : store.openRows(),
  ]);
  const { pending, inflight, inPipeline } = counted ?? rememberedRows(engine);
  const counts = {
    pending,
    inflight,
    done: deliveries - dead - cancelled - pending - inflight,
    dead,
    cancelled,
  };
  const outboxByStatus = Object.fromEntries(Object.entries(counts).filter(([, rows]) => rows > 0));
  return { outboxByStatus, inPipeline };
}

function rememberedRows({ pipeline }: Engine): OpenRows {
  const open = pipeline.statistics.edges().reduce((sum, { depth }) => sum + depth, 0);
  const lanes = [...pipeline.outbounds.values()];
  const inflight = Math.min(open, lanes.reduce((sum, lane) => sum + lane.inFlight, 0));
  return { pending: open - inflight, inflight, inPipeline: pipeline.openRows };
}
