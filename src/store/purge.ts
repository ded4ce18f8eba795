/**
 * What retention may ask of the store: one bounded batch of one pass, and the end of a pass.
 *
 * A batch looks at the oldest rows there are, empties what is due of them and keeps its count, all in
 * one commit. The end appends the audit row with those counts and begins anew, also in one commit:
 * however a pass ends, each change is told of in one row. Source: spec pipeline-store-cluster §5.
 */
import type { ActAudit } from "./intents.ts";

/** What a batch is about, in the order of a pass. */
export const purgeKinds = [
  /** Bodies, errors and summaries of messages without an open row; dead deliveries keep theirs. */
  "messages",
  /** Bodies and errors of dead deliveries. */
  "dead_letters",
  /** Transform state: its entries are deleted. */
  "state",
  /** Connection events: deleted. */
  "connection_events",
  /** Alerts that are resolved: deleted. */
  "alerts",
] as const;
export type PurgeKind = (typeof purgeKinds)[number];

export type PurgeCounts = Readonly<Record<PurgeKind, number>>;

/** Where a batch ended: the message or dead letter it looked at last. */
export interface PurgeMark {
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
}

export interface PurgeIntent {
  readonly kind: "purge";
  readonly of: PurgeKind;
  /** Microseconds since the epoch: what is older is due, what is of this very moment is not. */
  readonly before: number;
  /**
   * Connections with a moment of their own in its place: inbounds for messages, outbounds for dead
   * letters, nothing else. 0: nothing of it is due.
   */
  readonly exceptions?: readonly (readonly [connection: string, before: number])[];
  /** How many rows it looks at, at most. */
  readonly limit: number;
  /** Where the batch before it ended; undefined: this one is the first. */
  readonly after: PurgeMark | undefined;
  /** Microseconds since the epoch. */
  readonly at: number;
}

export interface PurgeResult {
  /** Messages, dead letters, entries, events or alerts. */
  readonly purged: number;
  /** Where the next batch begins; undefined: nothing that is due is left to look at. */
  readonly next: PurgeMark | undefined;
  /** State entries that are gone. */
  readonly state: readonly { readonly namespace: string; readonly key: string }[];
}

export interface EndPurgeIntent {
  readonly kind: "end_purge";
  /** `detail` gets the counts. */
  readonly audit: ActAudit;
  /** The row is written even if nothing was purged. */
  readonly isNoted: boolean;
  /** The logs hold nothing any more of what was purged. */
  readonly logsAreClean: boolean;
  /** Local day, `"2026-11-28"`, on which free space was given back. */
  readonly reclaimedOn: string | undefined;
}

export interface EndPurgeResult {
  readonly counts: PurgeCounts;
  readonly audited: boolean;
}

/** What the passes so far left behind. */
export interface PurgeRecord {
  /** Purged and not told of in an audit row: a pass is under way, or its process ended. */
  readonly counts: PurgeCounts;
  /** The logs beside the database may hold what was purged from it. */
  readonly logsHoldPurged: boolean;
  readonly reclaimedOn: string | undefined;
}

export const noCounts: PurgeCounts = {
  messages: 0,
  dead_letters: 0,
  state: 0,
  connection_events: 0,
  alerts: 0,
};

/** Reads counts from a row of the `retention` table. */
export function countsOf(row: Readonly<Record<string, unknown>>): PurgeCounts {
  const count = (kind: PurgeKind) => Number(row[kind] ?? 0);
  return {
    messages: count("messages"),
    dead_letters: count("dead_letters"),
    state: count("state"),
    connection_events: count("connection_events"),
    alerts: count("alerts"),
  };
}

/**
 * Care for a store's own files. A backend that is a server has none: its administrator does this.
 */
export interface StoreUpkeep {
  /** Bytes of the database and the logs beside it. */
  sizeBytes(): Promise<number>;

  /**
   * Copies SQLite's log back and cuts it off; with `commitLog` cuts that one off too.
   *
   * @returns false when a reader of another process was in the way.
   */
  checkpoint(options: { readonly commitLog: boolean }): Promise<boolean>;

  /** Gives free pages at the end of the file back, at most so many; returns how many are left. */
  reclaim(pagesMax: number): Promise<number>;
}
