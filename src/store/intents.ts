/**
 * What the pipeline may ask of the store's writer: the transactions T0–T8 of the staged queue as
 * plain data. What each is answered is in `intent_results.ts`.
 *
 * Many intents share one commit; each is all-or-nothing on its own. A guard that no longer holds
 * (the row was cancelled, re-pended or already resolved) answers `mine: false` and writes nothing.
 * Source: spec pipeline-store-cluster §1.3.
 */

import type { EndPurgeIntent, PurgeIntent } from "./purge.ts";
import type { AuditFields, RegisterIntent } from "./registers/mod.ts";

export type Stage = "ingress" | "routed" | "outbound" | "response";
export type RowStatus = "pending" | "inflight" | "done" | "dead" | "cancelled";
export type Disposition = "received" | "routed" | "unrouted" | "filtered" | "processed" | "error";

/** A message as intake stores it; times are integer microseconds since the epoch. */
export interface NewMessage {
  readonly id: string;
  readonly channel: string;
  readonly receivedAt: number;
  readonly sourceType: string;
  readonly controlId: string | undefined;
  readonly messageType: string | undefined;
  readonly raw: string;
  /** JSON object of what is known about the message beside its body: what it came from. */
  readonly metadata?: string;
}

/** T1. `token` set: the ingress row is born in flight under it (hot lane). */
export interface ReceiveIntent {
  readonly kind: "receive";
  readonly message: NewMessage;
  readonly token: number | undefined;
}

/** T0: a message that never enters the pipeline. `error` is redacted text. */
export interface RecordErrorIntent {
  readonly kind: "record_error";
  readonly message: NewMessage;
  readonly error: string;
}

/** One outbound row to create. `payload` undefined: the row refers to the message body. */
export interface NewDelivery {
  readonly destination: string;
  readonly handler: string;
  readonly payload: string | undefined;
  /** Set by a backend for itself: `payload` is changes of the message body (`text_changes.ts`). */
  readonly isChanges?: boolean;
  /** Set: born in flight under this token, for the lane is idle and this is its head. */
  readonly token: number | undefined;
}

/** What a handler sends to a loopback: it waits as a row of its message until it is taken in. */
export interface NewReentry {
  /** The loopback. */
  readonly lane: string;
  readonly handler: string;
  /** Undefined: the row refers to the message body. */
  readonly payload: string | undefined;
  /** Set: born in flight under this token. */
  readonly token: number | undefined;
}

export interface StateWrite {
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
}

/**
 * T3+T4 fused: the ingress row becomes outbound rows, dead routed rows, state and events. Fails when
 * an earlier hand-off of its lane failed and the lane has not been resynced since (`lane_gate.ts`);
 * so do the other two.
 */
export interface HandOffIntent {
  readonly kind: "hand_off";
  /** The message body, if the caller has it: a backend may keep payloads as changes of it. */
  readonly messageText?: string;
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  readonly channel: string;
  /** How many handlers the router chose; 0 makes the message UNROUTED. */
  readonly handlers: number;
  readonly deliveries: readonly NewDelivery[];
  /** Handlers that failed: each leaves a dead routed row that a replay re-runs alone. */
  readonly failures: readonly { readonly handler: string; readonly error: string }[];
  readonly state: readonly StateWrite[];
  /** Absent: none. */
  readonly reentries?: readonly NewReentry[];
}

/** T3 alone: the durable split. */
export interface RouteHandOffIntent {
  readonly kind: "route_hand_off";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  readonly channel: string;
  readonly handlers: readonly string[];
}

/** T4 alone: one routed row becomes outbound rows. */
export interface TransformHandOffIntent {
  readonly kind: "transform_hand_off";
  /** The message body, if the caller has it: a backend may keep payloads as changes of it. */
  readonly messageText?: string;
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  readonly channel: string;
  readonly deliveries: readonly NewDelivery[];
  readonly state: readonly StateWrite[];
  /** Absent: none. */
  readonly reentries?: readonly NewReentry[];
}

/** A row memory holds as the next head of its lane; claimed in the commit that frees the lane. */
export interface NextClaim {
  readonly seq: number;
  readonly token: number;
}

/** T5: delivered. */
export interface CompleteIntent {
  readonly kind: "complete";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  readonly destination: string;
  readonly next: NextClaim | undefined;
  /** The outbound only pretends to send: the timeline says `simulated`, not `delivered`. */
  readonly simulated?: boolean;
}

/**
 * What kind of answer a partner gave: `accepted`; `rejected` by the content of an answer that is
 * none by its transport; `unparseable`; `no_reply` for a success without a body.
 */
export type ResponseOutcome = "accepted" | "rejected" | "unparseable" | "no_reply";

export interface AnswerRef {
  /** Which of its destination to its message, from 1. */
  readonly seq: number;
  readonly outcome: ResponseOutcome;
}

/** A partner's answer as it is kept with its delivery. */
export interface NewResponse {
  readonly outcome: ResponseOutcome;
  readonly detail: string | undefined;
  /** Undefined: it had none. Then nothing is taken in either. */
  readonly body: string | undefined;
  /** The loopback that takes the body in, and the token its row is born in flight under. */
  readonly reingress: { readonly lane: string; readonly token: number | undefined } | undefined;
}

/** T5r: delivered, and the answer kept in the same commit; with it the row of its re-ingress. */
export interface CompleteWithResponseIntent extends Omit<CompleteIntent, "kind"> {
  readonly kind: "complete_with_response";
  readonly response: NewResponse;
}

/**
 * T9: a row of the response stage becomes a message of its loopback, all in one. The row of an
 * answer goes; that of a handler's own send becomes a delivery that is done.
 */
export interface ReingressIntent {
  readonly kind: "reingress";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  /** Of the message the row belongs to. */
  readonly messageSeq: number;
  /** A partner's answer; else what a handler sent to the loopback. */
  readonly isAnswer: boolean;
  readonly message: NewMessage;
  /** Set: the message cannot enter the pipeline, and why; redacted. */
  readonly error: string | undefined;
  /** Its ingress row is born in flight under it. */
  readonly ingressToken: number | undefined;
}

/** T6: back to pending, due later. `dueAt` microseconds. */
export interface RetryIntent {
  readonly kind: "retry";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  readonly destination: string;
  readonly dueAt: number;
  readonly error: string;
}

/** T7: given up. Any stage. */
export interface DeadLetterIntent {
  readonly kind: "dead_letter";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  /** Destination, handler or inbound the row was meant for; shown in the event. */
  readonly destination: string | undefined;
  readonly error: string;
  readonly next: NextClaim | undefined;
}

/** T8: undoes one claim: pending again, the attempt given back. */
export interface ReleaseIntent {
  readonly kind: "release";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
}

/** T2 for a row whose content memory already holds. */
export interface ClaimRowIntent {
  readonly kind: "claim_row";
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly seq: number;
  readonly token: number;
}

/**
 * T2 from cold: claims the contiguous due prefix of a lane, at most `limit` rows, and reads the
 * content of up to `readAhead` rows after it without claiming them.
 *
 * `token` numbers the claims: the i-th claimed row gets `token + i`. A fifo lane claims 1.
 * `unordered` claims the oldest due rows wherever they stand and reads nothing ahead.
 */
export interface ClaimIntent {
  readonly kind: "claim";
  readonly stage: Stage;
  readonly lane: string;
  readonly limit: number;
  readonly readAhead: number;
  readonly token: number;
  /** Rows numbered up to here are already in the caller's memory. */
  readonly after: number;
  readonly unordered: boolean;
  /** Microseconds since the epoch. */
  readonly at: number;
  /** Rows claimed this often without an outcome are dead-lettered instead (ingress, routed). */
  readonly attemptsMax: number | undefined;
  /**
   * Whether a row that was claimed twice without an outcome may be claimed. It may be what ended the
   * process, so it is claimed alone, and only while nothing else runs.
   */
  readonly suspects?: boolean;
}

/** Re-pends every row of a lane that this process holds; the caller forgets its memory of it. */
export interface ResyncIntent {
  readonly kind: "resync";
  readonly stage: Stage;
  readonly lane: string;
  /** Microseconds since the epoch. */
  readonly at: number;
}

/**
 * The audit row of an operator's act, appended in its commit and only when it did something. `detail`
 * gets the counts of what was done.
 */
export interface ActAudit extends Omit<AuditFields, "detail"> {
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

/** Operator: requeues a message's rows. */
export interface ReplayIntent {
  readonly kind: "replay";
  readonly id: string;
  readonly audit?: ActAudit;
  /** Microseconds since the epoch. */
  readonly at: number;
}

/** Operator: requeues outbound dead letters by inbound and destination; both optional. */
export interface ReplayDeadIntent {
  readonly kind: "replay_dead";
  readonly audit?: ActAudit;
  readonly channel: string | undefined;
  readonly destination: string | undefined;
  /** Microseconds since the epoch. */
  readonly at: number;
}

/** Operator: cancels pending rows of an outbound; `top` only its head, unless that is in flight. */
export interface CancelIntent {
  readonly kind: "cancel";
  readonly audit?: ActAudit;
  readonly destination: string;
  readonly scope: "all" | "top";
  /** Rows at most; a long lane is cancelled in several commits. Absent: all. */
  readonly limit?: number;
  /** Microseconds since the epoch. */
  readonly at: number;
}

/** Start-up: rows whose handler or destination is not in the graph are given up. */
export interface SweepMissingIntent {
  readonly kind: "sweep_missing";
  readonly destinations: readonly string[];
  readonly handlers: readonly string[];
  /** Microseconds since the epoch. */
  readonly at: number;
}

/** A timeline entry a reader causes (`viewed`). */
export interface NoteEventIntent {
  readonly kind: "note_event";
  readonly audit?: ActAudit;
  readonly id: string;
  readonly event: "viewed";
  /** Microseconds since the epoch. */
  readonly at: number;
}

export interface ConnectionEventRow {
  readonly at: number;
  readonly connection: string;
  readonly transport: string;
  readonly direction: "inbound" | "outbound";
  readonly event: string;
  readonly peer: string | undefined;
  readonly reason: string | undefined;
}

export interface ConnectionEventsIntent {
  readonly kind: "connection_events";
  readonly events: readonly ConnectionEventRow[];
}

export type Intent =
  | ReceiveIntent
  | RecordErrorIntent
  | HandOffIntent
  | RouteHandOffIntent
  | TransformHandOffIntent
  | CompleteIntent
  | CompleteWithResponseIntent
  | ReingressIntent
  | RetryIntent
  | DeadLetterIntent
  | ReleaseIntent
  | ClaimRowIntent
  | ClaimIntent
  | ResyncIntent
  | ReplayIntent
  | ReplayDeadIntent
  | CancelIntent
  | SweepMissingIntent
  | NoteEventIntent
  | ConnectionEventsIntent
  | PurgeIntent
  | EndPurgeIntent
  | RegisterIntent;
