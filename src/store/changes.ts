/**
 * What a commit did to messages, as plain values, and who takes it: the commit log, the tables.
 *
 * Each change says what is true afterwards, never what to add: taking one twice changes nothing.
 */
import type {
  Disposition,
  NewMessage,
  ResponseOutcome,
  RowStatus,
  Stage,
  StateWrite,
} from "./intents.ts";

/** A row of the queue; times are microseconds since the epoch. */
export interface QueueRecord {
  readonly seq: number;
  readonly messageSeq: number;
  readonly stage: Stage;
  readonly lane: string;
  readonly channel: string;
  readonly handler: string | null;
  readonly bodySeq: number;
  readonly status: RowStatus;
  readonly attempts: number;
  readonly dueAt: number;
  readonly token: number | null;
  readonly lastError: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface EventRecord {
  readonly messageSeq: number;
  readonly seq: number;
  readonly at: number;
  readonly event: string;
  readonly destination: string | null;
  readonly detail: string | null;
}

/** A partner's answer; its body is stored apart, like any other. */
export interface ResponseRecord {
  readonly messageSeq: number;
  readonly destination: string;
  readonly responseSeq: number;
  readonly outcome: ResponseOutcome;
  readonly detail: string | null;
  /** 0: none. */
  readonly bodySeq: number;
  readonly at: number;
}

export interface StateRecord extends StateWrite {
  readonly at: number;
  readonly messageSeq: number;
}

/** How a message entered, and what became of it. */
export interface EnteredMessage {
  readonly enteredAs: string;
  readonly status: Disposition;
  readonly error: string | null;
}

/** Takes what is true now. */
export interface Changes {
  /** `baseSeq` is the body that `text` is changes of (`text_changes.ts`). */
  body(seq: number, text: string, baseSeq: number | null): void;
  message(seq: number, message: NewMessage, entered: EnteredMessage): void;
  row(row: QueueRecord): void;
  rowChange(row: QueueRecord): void;
  rowEnd(seq: number): void;
  response(record: ResponseRecord): void;
  events(events: readonly EventRecord[]): void;
  disposition(messageSeq: number, status: Disposition, error: string | null): void;
  state(record: StateRecord): void;
}

/** Takes the changes of the commit under way. */
export interface CommitChanges extends Changes {
  clear(): void;
}

/** For a backend that asks the working set at the end of a commit instead of listening. */
export const untold: CommitChanges = {
  body() {},
  message() {},
  row() {},
  rowChange() {},
  rowEnd() {},
  response() {},
  events() {},
  disposition() {},
  state() {},
  clear() {},
};
