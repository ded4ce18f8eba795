/**
 * What upper rooms see of a store, whichever backend runs.
 *
 * Writes are intents (`intents.ts`) answered after their commit; reads go another way and see
 * committed rows only.
 */
import type { ResultOf } from "./intent_results.ts";
import type {
  ConnectionEventRow,
  Disposition,
  Intent,
  ResponseOutcome,
  RowStatus,
  Stage,
} from "./intents.ts";
import type { RegisterQueryName, RegisterRow, RegisterValue } from "./registers/mod.ts";
import type { SubmitHint } from "./group_commit.ts";
import type { PurgeRecord, StoreUpkeep } from "./purge.ts";

export interface Store extends AsyncDisposable {
  /** Rows that were in flight when the last process ended and are pending again. */
  readonly recovered: number;
  /** Lanes with open rows at opening, one entry for each inbound that feeds the lane. */
  readonly openLanes: readonly {
    readonly stage: string;
    readonly lane: string;
    readonly channel: string;
    readonly open: number;
  }[];
  readonly path: string;
  /** Undefined: whether a commit waits for the disk is the backend's own matter, and it does. */
  readonly synchronous: "normal" | "full" | undefined;
  /** Undefined: the backend takes care of its files itself. */
  readonly upkeep: StoreUpkeep | undefined;
  /** Of the key that seals cells; undefined without one. */
  readonly keyId: string | undefined;

  /** A number for one claim; `count` reserves a run of them. Never repeats, also after a restart. */
  nextToken(count?: number): number;

  /**
   * Executes an intent in the next commit; resolves once it is durable.
   * @throws {StoreError} nothing was written.
   */
  submit<I extends Intent>(intent: I, hint?: SubmitHint): Promise<ResultOf<I>>;

  /** A lane begins (1) or ceases (-1) to wait for one commit a delivery; see `group_commit.ts`. */
  march(change: 1 | -1): void;

  /** Senders are held back until something is committed, or no longer; see `group_commit.ts`. */
  crowd(areHeld: boolean): void;

  /** Sends gathered intents to the writer without holding the batch open. */
  flush(): void;

  counters(): Promise<StoreCounters>;

  messages(filter: MessageFilter, page: Page): Promise<MessagePage>;
  /**
   * Up to `limit` messages with their bodies, newest first, older than message number `before` when
   * that is set. For searches: each page reads as many bodies.
   */
  messageBodies(
    filter: MessageFilter,
    page: { readonly before: number | undefined; readonly limit: number },
  ): Promise<readonly MessageBody[]>;
  /**
   * The texts of those of these messages that are not emptied and take at most so many bytes in the
   * store, by number; of messages that a read has shown.
   */
  bodiesOf(
    numbers: readonly number[],
    bytesMax: number,
  ): Promise<ReadonlyMap<number, string>>;
  message(id: string): Promise<MessageDetail | undefined>;
  outboundOf(id: string): Promise<readonly OutboundPayload[] | undefined>;
  /** What partners answered to a message, oldest first; none when there is no such message. */
  responsesOf(id: string): Promise<readonly StoredResponse[]>;
  deadLetters(filter: DeadLetterFilter, page: Page): Promise<DeadLetterPage>;
  connectionEvents(filter: ConnectionEventFilter): Promise<readonly ConnectionEventRecord[]>;
  outbox(): Promise<OutboxTotals>;
  /** Counts the open rows, one by one: for whoever does not run the lanes and so has no memory of them. */
  openRows(): Promise<OpenRows>;
  /**
   * When the oldest open row of each inbound that feeds an outbound was made, microseconds since
   * the epoch. Looks at the first rows of the lane only; an inbound without any there is left out.
   */
  oldestOpen(destination: string): Promise<ReadonlyMap<string, number>>;
  /** When the first open row of a lane was made, of any stage; undefined when none is open. */
  oldestInLane(stage: Stage, lane: string): Promise<number | undefined>;
  /** Every stored state entry; read once at start. */
  state(): Promise<readonly { namespace: string; key: string; value: string }[]>;
  totals(): Promise<StoreTotals>;
  /** What retention left behind. */
  retention(): Promise<PurgeRecord>;
  /** Reads the whole file; minutes for a large one. */
  checkIntegrity(): Promise<{ readonly ok: boolean; readonly detail: string }>;

  /** Rows of a register, sealed columns opened; those of a key that is gone come as null. */
  register(
    name: RegisterQueryName,
    ...values: readonly RegisterValue[]
  ): Promise<readonly RegisterRow[]>;
}

export interface StoreCounters {
  readonly commits: number;
  /** Participations in commits: intents executed. */
  readonly intents: number;
  readonly statements: number;
  readonly checkpoints: number;
}

export interface Page {
  readonly limit: number;
  readonly offset: number;
}

export interface MessageFilter {
  readonly channel?: string;
  /** Whoever asks sees messages of these inbounds only. */
  readonly channels?: readonly string[];
  readonly status?: string;
  readonly messageType?: string;
  readonly controlId?: string;
}

/** Times are microseconds since the epoch. */
export interface MessageSummary {
  /** Number of the message; a higher one came later. */
  readonly seq: number;
  readonly id: string;
  readonly channel: string;
  readonly receivedAt: number;
  readonly sourceType: string;
  readonly controlId: string | null;
  readonly messageType: string | null;
  readonly status: Disposition;
  readonly error: string | null;
  readonly metadata: string | null;
  /** Microseconds since the epoch: when retention emptied it. Null: it has not, or it was replayed. */
  readonly purgedAt: number | null;
  /** False once retention has emptied it, whether or not it was replayed since. */
  readonly hasBody: boolean;
  /** Latest timeline event. */
  readonly event: string | null;
}

export interface MessageBody extends MessageSummary {
  /** Empty when it is purged. */
  readonly raw: string;
}

export interface MessagePage {
  readonly total: number;
  readonly messages: readonly MessageSummary[];
}

export interface MessageDetail extends MessageSummary {
  readonly raw: string;
  readonly rows: readonly {
    readonly seq: number;
    readonly stage: string;
    readonly destination: string;
    readonly handler: string | null;
    readonly status: RowStatus;
    readonly attempts: number;
    readonly nextAttemptAt: number;
    readonly lastError: string | null;
  }[];
  readonly events: readonly {
    readonly at: number;
    readonly event: string;
    readonly destination: string | null;
    readonly detail: string | null;
  }[];
}

export interface OutboundPayload {
  readonly seq: number;
  readonly destination: string;
  readonly status: RowStatus;
  readonly payload: string;
}

/** A partner's answer. */
export interface StoredResponse {
  readonly destination: string;
  /** Of this destination to this message, from 1. */
  readonly responseSeq: number;
  readonly outcome: ResponseOutcome;
  readonly detail: string | null;
  /** Null when it had none or retention took it away. */
  readonly body: string | null;
  /** Microseconds since the epoch. */
  readonly capturedAt: number;
}

export interface DeadLetterFilter {
  readonly channel?: string;
  /** Whoever asks sees rows of these inbounds only. */
  readonly channels?: readonly string[];
  readonly destination?: string;
}

export interface DeadLetter {
  readonly seq: number;
  /** Number of the message. */
  readonly messageSeq: number;
  readonly messageId: string;
  readonly channel: string;
  readonly destination: string;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly failedAt: number;
  readonly controlId: string | null;
  readonly messageType: string | null;
  readonly receivedAt: number;
  /** Of the message: false once retention has emptied it. */
  readonly hasBody: boolean;
}

export interface DeadLetterPage {
  readonly total: number;
  readonly deadLetters: readonly DeadLetter[];
}

export interface ConnectionEventFilter {
  readonly connection?: string;
  /** Whoever asks sees events of these inbounds only. */
  readonly inbounds?: readonly string[];
  readonly kinds?: readonly string[];
  /** Microseconds since the epoch. */
  readonly since?: number;
  readonly limit: number;
}

export interface ConnectionEventRecord extends ConnectionEventRow {
  readonly id: number;
}

/**
 * Outbound rows. The open ones are not counted here, for that takes a look at each: memory knows
 * them, and what is neither open nor dead nor cancelled is done.
 */
export interface OutboxTotals {
  /** Of any status. */
  readonly deliveries: number;
  readonly dead: number;
  readonly cancelled: number;
}

/** Rows that are pending or in flight. */
export interface OpenRows {
  /** Of every stage. */
  readonly inPipeline: number;
  /** Of outbounds; so the next one. */
  readonly pending: number;
  readonly inflight: number;
}

export interface StoreTotals {
  readonly messages: number;
  /** Of the whole timeline; up to ten seconds old. */
  readonly events: number;
  readonly sizeBytes: number;
}
