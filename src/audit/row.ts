/** An audit row as upper rooms write it. */
import type { AuditFields } from "../crypto/audit_chain.ts";

/** Names, ids, counts and flags. Nothing of a message belongs here, not even its path's value. */
export type AuditFacts = Readonly<
  Record<string, string | number | boolean | null | undefined | readonly string[]>
>;

export interface AuditRowInput {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly actor: string;
  /** Source of the names: spec api §2.12. */
  readonly action: string;
  /** An inbound. */
  readonly channel?: string;
  readonly facts?: AuditFacts;
}

/** A committed row as the log tells it. `ts` is in seconds. Source: spec api §2.11. */
export function auditRecord({ at, actor, action, channel, detail }: AuditFields) {
  return { ts: at / 1e6, action, actor, channelId: channel, detail };
}

export function auditRow({ now, actor, action, channel, facts }: AuditRowInput): AuditFields {
  const detail = facts === undefined ? null : JSON.stringify(facts);
  return {
    at: Math.round(now * 1000),
    actor,
    action,
    channel: channel ?? null,
    detail: detail === "{}" ? null : detail,
  };
}
