/** What the writer answers to each intent, once its commit is durable. */
import type { AnswerRef, Intent, Stage } from "./intents.ts";
import type { EndPurgeResult, PurgeResult } from "./purge.ts";
import type { RegisterResult } from "./registers/mod.ts";

/** A row with its content, as claimed or read ahead. */
export interface QueueRow {
  readonly seq: number;
  readonly messageSeq: number;
  readonly messageId: string;
  readonly channel: string;
  readonly handler: string | undefined;
  /** Undefined when the body is lost or no configured key opens it: the row must be given up. */
  readonly body: string | undefined;
  /** Of a backend that keeps payloads as changes: the message body, until both are opened. */
  readonly base?: string;
  readonly attempts: number;
  /** Microseconds; order never rests on it. */
  readonly createdAt: number;
  readonly receivedAt: number;
  /** Set when the row was claimed by this call. */
  readonly token: number | undefined;
  /** Of its message. */
  readonly metadata: string | undefined;
  /** Response stage: which answer of the partner it is; undefined for what a handler sent. */
  readonly answer: AnswerRef | undefined;
}

export interface ReceiveResult {
  readonly messageSeq: number;
  readonly seq: number;
}

export interface HandOffResult {
  readonly mine: boolean;
  /** Row numbers of the deliveries, then of the re-entries, in order; empty when not mine. */
  readonly seqs: readonly number[];
}

export interface RouteResult {
  readonly mine: boolean;
  readonly seqs: readonly number[];
}

export interface ResolveResult {
  readonly mine: boolean;
  /** Whether `next` was claimed; false also when none was asked for. */
  readonly nextClaimed: boolean;
}

export interface ResponseResult extends ResolveResult {
  /** Which answer of this destination to this message it is, from 1; 0 when not mine. */
  readonly responseSeq: number;
  /** Number of the row that waits for its re-ingress, if there is one. */
  readonly reingressSeq: number | undefined;
}

export interface ReingressResult extends ReceiveResult {
  readonly mine: boolean;
}

export interface ClaimResult {
  /** Claimed rows first, then rows read ahead, in lane order. */
  readonly rows: readonly QueueRow[];
  /** Nothing open is left in the lane beyond `rows`. */
  readonly drained: boolean;
  /** Microseconds until which the head backs off, when nothing was claimed for that reason. */
  readonly dueAt: number | undefined;
  /** Rows given up for too many claims without an outcome. */
  readonly exhausted: number;
  /** The head is a suspect and was left alone, for `suspects` was false. */
  readonly suspect: boolean;
}

export interface ResyncResult {
  /** Open rows left in the lane. */
  readonly open: number;
}

/** A lane that an operator's act made runnable. */
export interface TouchedLane {
  readonly stage: Stage;
  readonly lane: string;
}

/** Rows of one (inbound, outbound) pair that an act opened; negative: that it closed. */
export interface EdgeChange {
  readonly channel: string;
  readonly destination: string;
  readonly rows: number;
}

export interface ReplayResult {
  readonly found: boolean;
  readonly requeued: number;
  readonly bodyPurged: boolean;
  readonly lanes: readonly TouchedLane[];
  /** Outbound rows that were not open before. */
  readonly edges: readonly EdgeChange[];
}

export interface CancelResult {
  readonly cancelled: number;
  readonly edges: readonly EdgeChange[];
}

export interface SweepResult {
  readonly dead: number;
}

export interface NoteResult {
  readonly found: boolean;
}

export interface IntentResults {
  receive: ReceiveResult;
  record_error: ReceiveResult;
  hand_off: HandOffResult;
  route_hand_off: RouteResult;
  transform_hand_off: HandOffResult;
  complete: ResolveResult;
  complete_with_response: ResponseResult;
  reingress: ReingressResult;
  retry: ResolveResult;
  dead_letter: ResolveResult;
  release: ResolveResult;
  claim_row: ResolveResult;
  claim: ClaimResult;
  resync: ResyncResult;
  replay: ReplayResult;
  replay_dead: ReplayResult;
  cancel: CancelResult;
  sweep_missing: SweepResult;
  note_event: NoteResult;
  connection_events: Record<string, never>;
  purge: PurgeResult;
  end_purge: EndPurgeResult;
  register: RegisterResult;
}

export type ResultOf<I extends Intent> = IntentResults[I["kind"]];
