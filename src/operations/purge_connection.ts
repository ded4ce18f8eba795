/** Cancels the pending rows of an outbound that is stopped and drained; `top` only its head. */
import type { Engine } from "../engine.ts";
import { findOutbound, type Outbound } from "./connection.ts";
import { operation, OperationError, stamp } from "./operation.ts";

export interface Purge {
  readonly name: string;
  readonly scope: "all" | "top";
}

/** Rows one commit cancels, so that intake never waits long for a long lane. */
const ROWS_A_COMMIT = 500;

export const purgeConnection = operation({
  permission: "messages:purge",
  approval: "connection_purge",
  async run(engine, { name, scope }: Purge): Promise<{ readonly cancelled: number }> {
    const outbound = findOutbound(engine, name);
    requireDrained(outbound);
    return { cancelled: await cancelAll(engine, { name, scope }) };
  },
  audit: ({ name, scope }, { cancelled }) => ({
    action: "connection_purge",
    fields: { connection: name, scope, cancelled },
  }),
});

/** True when nothing of an outbound is on the wire, nor will be until it is started. */
export function isDrained(outbound: Outbound): boolean {
  return outbound.isPaused && !outbound.isBusy;
}

function requireDrained(outbound: Outbound): void {
  if (isDrained(outbound)) return;
  throw new OperationError(
    "connection.not_stopped",
    "Only a connection that is stopped, with nothing on the wire, can be purged",
    { hint: "Stop it and wait until its status is stopped" },
  );
}

async function cancelAll(engine: Engine, { name, scope }: Purge): Promise<number> {
  const { store, pipeline } = engine;
  let cancelled = 0;
  try {
    for (;;) {
      const result = await store.submit({
        kind: "cancel",
        destination: name,
        scope,
        limit: ROWS_A_COMMIT,
        at: stamp(engine),
      });
      cancelled += result.cancelled;
      void pipeline.touched([], result.edges);
      if (scope === "top" || result.cancelled < ROWS_A_COMMIT) return cancelled;
    }
  } finally {
    await pipeline.touched([{ stage: "outbound", lane: name }]);
  }
}
