/** What an ordered and an unordered lane have in common: their parts, and how they are driven. */
import type { ClaimResult, QueueRow } from "../../store/intent_results.ts";
import type { OutboundItem, OutboundLaneOptions } from "../outbound_lane.ts";
import type { LaneBooks } from "./books.ts";
import type { Delivery } from "./delivery.ts";
import type { LaneRest } from "./rest.ts";

/** Of one lane; all of them are its own. */
export interface LaneParts {
  readonly options: OutboundLaneOptions;
  readonly rest: LaneRest;
  readonly delivery: Delivery;
  readonly books: LaneBooks;
}

/** How a row about to be committed is born. */
export interface Admission {
  /** It has its place in memory; else it spills. */
  readonly held: boolean;
  /** Set when it is born in flight. */
  readonly token: number | undefined;
}

/** The order in which a lane takes its rows. */
export interface LaneRun {
  /** Rows claimed and not resolved. */
  readonly inFlight: number;
  admit(payloadLength: number): Admission;
  /**
   * Delivers until nothing is left to do or nothing may be done. Never runs twice at a time.
   *
   * @throws what the store throws, and nothing else.
   */
  run(): Promise<void>;
}

export const SPILLED: Admission = { held: false, token: undefined };

/** Claims up to `limit` rows of the lane from the store, and reads on behind an ordered lane's head. */
export function claimRows(
  { rest, options: { store, definition } }: LaneParts,
  { limit, readAhead, unordered }: {
    readonly limit: number;
    readonly readAhead: number;
    readonly unordered: boolean;
  },
): Promise<ClaimResult> {
  return store.submit({
    kind: "claim",
    stage: "outbound",
    lane: definition.name,
    limit,
    readAhead,
    token: store.nextToken(limit),
    after: 0,
    unordered,
    at: rest.claimAt(),
    attemptsMax: undefined,
  });
}

export function toItem(row: QueueRow): OutboundItem {
  return {
    seq: row.seq,
    messageSeq: row.messageSeq,
    messageId: row.messageId,
    metadata: row.metadata,
    channel: row.channel,
    payload: row.body ?? "",
    attempts: row.attempts,
    createdAt: row.createdAt,
    token: row.token,
    dueAt: 0,
  };
}
