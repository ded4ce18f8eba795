/** Cancels the pending rows of an outbound that is stopped and drained; `top` only its head. */
import { auditRecord } from "../audit/mod.ts";
import type { Engine } from "../engine.ts";
import type { ActAudit } from "../store/intents.ts";
import { approvable } from "./approval.ts";
import { requireUnscoped } from "./channel_scope.ts";
import { findOutbound, type Outbound, requireServing } from "./connection.ts";
import { operation, OperationError, stamp } from "./operation.ts";

export interface Purge {
  readonly name: string;
  readonly scope: "all" | "top";
}

/** Rows one commit cancels, so that intake never waits long for a long lane. */
const ROWS_A_COMMIT = 500;

const purge = operation({
  permission: "messages:purge",
  async run(
    engine,
    { name, scope }: Purge,
    rowOf,
    actor,
  ): Promise<{ readonly cancelled: number }> {
    requireUnscoped(actor, name);
    requireServing(engine);
    const outbound = findOutbound(engine, name);
    requireDrained(outbound);
    const audit = rowOf("connection_purge", { connection: name, scope });
    const { depth } = outbound;
    return { cancelled: await cancelAll(engine, { name, scope, audit, depth }) };
  },
  // Each commit that cancelled something has told of its own row.
  audit: ({ name, scope }, { cancelled }) =>
    cancelled > 0 ? undefined : {
      action: "connection_purge",
      fields: { connection: name, scope, cancelled },
    },
});

export const purgeConnection = approvable(purge, {
  key: "connection_purge",
  check: (engine, { name }, actor) => {
    requireUnscoped(actor, name);
    requireServing(engine);
    requireDrained(findOutbound(engine, name));
  },
  here: requireServing,
  label: ({ name, scope }) => `Purge ${name} (${scope === "all" ? "all that waits" : "its head"})`,
  params: ({ name, scope }) => ({ name, scope }),
  input: ({ name, scope }): Purge => ({
    name: String(name),
    scope: scope === "top" ? "top" : "all",
  }),
  result: ({ cancelled }) => ({ cancelled }),
  skipped: (thrown) => {
    const why = thrown instanceof OperationError ? whySkipped.get(thrown.code) : undefined;
    return why === undefined ? undefined : { cancelled: 0, skipped: why };
  },
});

/** What an approver is told of an act that cannot be any more: the request itself was found. */
const whySkipped: ReadonlyMap<string, string> = new Map([
  ["connection.not_stopped", "outbound running"],
  ["connection.not_found", "outbound gone"],
]);

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

/**
 * A long lane leaves one row a commit, each with the count of its own. What comes meanwhile stays,
 * and so does what is left once somebody has started the connection.
 */
async function cancelAll(
  engine: Engine,
  { name, scope, audit, depth }: Purge & {
    readonly audit: ActAudit;
    /** Rows that waited when it was asked for. */
    readonly depth: number;
  },
): Promise<number> {
  const { store, logger } = engine;
  let cancelled = 0;
  let left = Math.max(depth, ROWS_A_COMMIT);
  try {
    for (;;) {
      const limit = Math.min(left, ROWS_A_COMMIT);
      const result = await store.submit({
        kind: "cancel",
        destination: name,
        scope,
        limit,
        audit,
        at: stamp(engine),
      });
      cancelled += result.cancelled;
      left -= result.cancelled;
      if (result.cancelled > 0) {
        const detail = JSON.stringify({ ...audit.detail, cancelled: result.cancelled });
        logger.audit(auditRecord({ ...audit, detail }));
      }
      void engine.touched([], result.edges);
      if (scope === "top" || left === 0 || result.cancelled < limit) return cancelled;
      const outbound = engine.pipeline.outbounds.get(name);
      if (outbound === undefined || !isDrained(outbound)) return cancelled;
    }
  } finally {
    await engine.touched([{ stage: "outbound", lane: name }]);
  }
}
