/**
 * Which rule an event falls under, and what follows. Pure.
 *
 * The first rule whose every set condition holds decides; an event of no rule is told to everybody,
 * so a rule never silences what it does not name. Source: A `[[alerts.rules]]`; spec
 * pipeline-store-cluster §8.
 */
import type { AlertsSettings } from "../settings/mod.ts";
import { matchesGlob } from "./connection_glob.ts";
import type { AlertEvent, Severity, Transport } from "./event.ts";

export type AlertRule = AlertsSettings["rules"][number];

export interface Decision {
  readonly severity: Severity;
  /** Whom to tell of those that are configured; undefined is all, empty is nobody. */
  readonly transports: readonly Transport[] | undefined;
  /** Shortest time from the last notice of the same event on the same connection. */
  readonly cooldownMs: number;
}

export function decide(
  event: AlertEvent,
  { rules, realertMs }: Pick<AlertsSettings, "rules" | "realertMs">,
): Decision {
  const rule = rules.find((candidate) => matches(candidate, event));
  return {
    severity: rule?.severity ?? "warning",
    // The declaration takes no other names.
    transports: rule?.transports as readonly Transport[] | undefined,
    cooldownMs: rule?.cooldownMs ?? realertMs,
  };
}

/** Thresholds are of a queue: a rule that has one is for `queue_buildup` only. */
export function matches(rule: AlertRule, event: AlertEvent): boolean {
  const { eventType, connection, minDepth, minOldestMs } = rule;
  if (eventType !== "any" && eventType !== event.type) return false;
  if (!matchesGlob(connection, event.connection)) return false;
  if (minDepth === undefined && minOldestMs === undefined) return true;
  if (event.type !== "queue_buildup") return false;
  if (minDepth !== undefined && event.depth < minDepth) return false;
  return minOldestMs === undefined || (event.oldestAgeMs ?? 0) >= minOldestMs;
}
