/** A live alert instance, and how an act on one finds it. */
import type { Engine } from "../engine.ts";
import type { RegisterChange, RegisterRow } from "../store/registers/mod.ts";
import { isInScope } from "./channel_scope.ts";
import { type Actor, ChannelDenied, OperationError, type RowOf } from "./operation.ts";

/** One alert instance as it is kept. Times are microseconds since the epoch. */
export interface AlertInstance {
  readonly id: number;
  readonly eventType: string;
  readonly connection: string;
  readonly severity: string;
  readonly status: string;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly count: number;
  readonly reason: string | null;
  readonly ackedBy: string | null;
  readonly ackedAt: number | null;
  readonly resolvedAt: number | null;
}

function alertInstance(row: RegisterRow): AlertInstance {
  return {
    id: Number(row.id),
    eventType: String(row.event_type),
    connection: String(row.connection),
    severity: String(row.severity),
    status: String(row.status),
    firstSeen: Number(row.first_seen),
    lastSeen: Number(row.last_seen),
    count: Number(row.count),
    reason: text(row.reason),
    ackedBy: text(row.acked_by),
    ackedAt: number(row.acked_at),
    resolvedAt: number(row.resolved_at),
  };
}

/** Newest first; whoever is held to channels sees those of their inbounds alone. */
export async function liveAlerts(
  engine: Engine,
  { actor, limit }: { readonly actor: Actor; readonly limit: number },
): Promise<readonly AlertInstance[]> {
  const isHeld = actor.channels !== undefined;
  const rows = await engine.store.register("alertsLive", isHeld ? LIVE_MAX : limit);
  return rows.map(alertInstance).filter(({ connection }) => isInScope(actor, connection))
    .slice(0, limit);
}

/** More than connections have kinds of events. */
const LIVE_MAX = 100_000;

/**
 * Changes one live instance and appends the act's audit row, in one commit.
 *
 * @throws {OperationError} `alert.not_found`: it is resolved already, was never there, or is out of
 * the actor's channels, which is written down.
 */
export async function changeAlert(
  engine: Engine,
  { id, actor, change, audit }: {
    readonly id: number;
    readonly actor: Actor;
    readonly change: Omit<RegisterChange, "expect">;
    readonly audit: ReturnType<RowOf>;
  },
): Promise<AlertInstance> {
  const [before] = await engine.store.register("alertById", id);
  if (before !== undefined && !isInScope(actor, String(before.connection))) {
    throw new ChannelDenied(String(before.connection), "alert.not_found", NOT_FOUND);
  }
  const { applied } = await engine.store.submit({
    kind: "register",
    changes: [{ ...change, expect: 1 }],
    audit: [{ ...audit, detail: JSON.stringify(audit.detail) }],
  });
  if (applied) {
    const [row] = await engine.store.register("alertById", id);
    // Retention may have taken what was just resolved.
    if (row !== undefined) return alertInstance(row);
  }
  throw new OperationError("alert.not_found", NOT_FOUND);
}

const NOT_FOUND = "No live alert has this id";

function text(value: RegisterRow[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function number(value: RegisterRow[string] | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
