/**
 * Messages on their way, in memory, and what the tables do not know of them yet.
 *
 * A change of a message is made here and recorded twice: for the commit it is part of (`redo`), and
 * on the message itself, for the tables. They take it in later, when the message has come to rest
 * or when somebody has to read them. So a message that passes through costs the tables one insert
 * for each thing that remains of it.
 *
 * Upstream: `execute.ts` changes what is here. Downstream: a backend's writer takes from it. What is not
 * here the loader finds in the tables.
 */
import type {
  Changes,
  CommitChanges,
  EventRecord,
  QueueRecord,
  ResponseRecord,
  StateRecord,
} from "./changes.ts";
import type { Disposition, NewMessage } from "./intents.ts";

/** Gives out the store's numbers; a higher one was given out later. */
export interface Numbers {
  next(): number;
}

/** A message as the tables hold it. */
export interface StoredMessage {
  readonly seq: number;
  readonly status: Disposition;
  readonly error: string | null;
  readonly rows: readonly QueueRecord[];
  /** How many answers of each destination there are; left out, it is asked for when it matters. */
  readonly responses?: ReadonlyMap<string, number>;
}

export interface Loader {
  message(seq: number): StoredMessage | undefined;
  messageOfRow(seq: number): number | undefined;
  /** How many answers of each destination to a message the tables hold. */
  responsesOf(seq: number): ReadonlyMap<string, number>;
}

/** A row of the queue on its way. */
export interface WorkRow extends QueueRecord {
  status: QueueRecord["status"];
  attempts: number;
  dueAt: number;
  token: number | null;
  lastError: string | null;
  updatedAt: number;
  /** The tables hold it as of some time, and what changed since. */
  isStored: boolean;
  isChanged: boolean;
}

/** A message on its way, with all its rows. */
export interface WorkMessage {
  readonly seq: number;
  /** What it came as; undefined once the tables hold it. */
  entry: NewMessage | undefined;
  readonly enteredAs: "received" | "error";
  status: Disposition;
  error: string | null;
  readonly rows: WorkRow[];
  /** What the tables do not hold. */
  isChanged: boolean;
  ended: number[];
  events: EventRecord[];
  bodies: (readonly [seq: number, text: string, baseSeq: number | null])[];
  /** Answers of partners that the tables do not hold. */
  responses: ResponseRecord[];
  /** How many of each destination there are; undefined until one is asked for. */
  responseCounts: Map<string, number> | undefined;
}

export type NewRow = Omit<WorkRow, "isStored" | "isChanged" | "createdAt" | "updatedAt"> & {
  /** Microseconds: created and updated. */
  readonly at: number;
};

export class WorkingSet<R extends CommitChanges = CommitChanges> {
  readonly #numbers: Numbers;
  readonly #loader: Loader;
  readonly #messages = new Map<number, WorkMessage>();
  readonly #rows = new Map<number, WorkRow>();
  /** Messages of which the tables do not know all, and the first frame that does, oldest first. */
  readonly #dirty = new Map<WorkMessage, number>();
  /** Those of them without an open row. */
  readonly #finished = new Set<WorkMessage>();
  /** State values the tables do not hold, by namespace and key. */
  readonly #state = new Map<string, StateRecord>();
  #stateSince = 0;
  #bodyChars = 0;
  /** What the current commit did. */
  readonly redo: R;
  /** Number of the log frame the current commit will be. */
  frame = 0;

  constructor(numbers: Numbers, loader: Loader, redo: R) {
    this.#numbers = numbers;
    this.#loader = loader;
    this.redo = redo;
  }

  /** Messages held, whether the tables know of them or not. */
  get size(): number {
    return this.#messages.size;
  }

  get finished(): number {
    return this.#finished.size;
  }

  /** UTF-16 units of the bodies that wait for the tables. */
  get bodyChars(): number {
    return this.#bodyChars;
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0 || this.#state.size > 0;
  }

  /** The first frame that says something the tables do not hold; `frame` when there is none. */
  get dirtySince(): number {
    const [oldest = this.frame] = this.#dirty.values();
    return this.#state.size > 0 ? Math.min(oldest, this.#stateSince) : oldest;
  }

  /** The lowest number the tables do not hold; Infinity when they hold all. */
  get lowestUnstored(): number {
    let lowest = Infinity;
    for (const { seq, entry, rows } of this.#dirty.keys()) {
      if (entry !== undefined) lowest = Math.min(lowest, seq);
      for (const row of rows) if (!row.isStored) lowest = Math.min(lowest, row.seq);
    }
    return lowest;
  }

  // What the engine does to messages.

  nextNumber(): number {
    return this.#numbers.next();
  }

  /** A message of the current commit. */
  add(seq: number, entry: NewMessage, error: string | null): WorkMessage {
    requireTexts(entry.id, entry.channel, entry.sourceType, entry.raw);
    requireTextsOrNone(entry.controlId, entry.messageType, entry.metadata, error);
    requireWhole(entry.receivedAt);
    const enteredAs = error === null ? "received" : "error";
    const message: WorkMessage = {
      ...{ seq, entry, enteredAs, status: enteredAs, error },
      ...{ isChanged: false, rows: [], ended: [], events: [], bodies: [] },
      ...{ responses: [], responseCounts: undefined },
    };
    this.#messages.set(seq, message);
    this.#soil(message);
    this.redo.message(seq, entry, message);
    this.addBody(message, seq, entry.raw, null);
    return message;
  }

  /** Returns a message with all its rows. @throws {RangeError} when there is none. */
  message(seq: number): WorkMessage {
    const message = this.#messages.get(seq) ?? this.#load(seq);
    if (message === undefined) throw new RangeError("Cannot find the message of a row");
    return message;
  }

  /** Whether the message is here, with all its rows. */
  holds(seq: number): boolean {
    return this.#messages.has(seq);
  }

  /** Whether the row is here, and so its message. */
  holdsRow(seq: number): boolean {
    return this.#rows.has(seq);
  }

  row(seq: number): WorkRow | undefined {
    const row = this.#rows.get(seq);
    if (row !== undefined) return row;
    const messageSeq = this.#loader.messageOfRow(seq);
    // A message that is here has all its rows here: this one has ended.
    if (messageSeq === undefined || this.#messages.has(messageSeq)) return undefined;
    this.#load(messageSeq);
    return this.#rows.get(seq);
  }

  /** `baseSeq` is the body that `text` is changes of. */
  addBody(message: WorkMessage, seq: number, text: string, baseSeq: number | null): void {
    requireTexts(text);
    message.bodies.push([seq, text, baseSeq]);
    this.#bodyChars += text.length;
    this.redo.body(seq, text, baseSeq);
  }

  addRow(message: WorkMessage, { at, ...rest }: NewRow): void {
    requireTexts(rest.lane, rest.channel);
    requireTextsOrNone(rest.handler, rest.lastError);
    requireWhole(at, rest.dueAt, rest.token ?? 0);
    const row = { ...rest, createdAt: at, updatedAt: at, isStored: false, isChanged: false };
    message.rows.push(row);
    this.#rows.set(row.seq, row);
    this.#soil(message);
    this.redo.row(row);
  }

  /** Notes that a row was changed at `at`. */
  changed(message: WorkMessage, row: WorkRow, at: number): void {
    requireTextsOrNone(row.lastError);
    requireWhole(at, row.dueAt, row.token ?? 0);
    row.updatedAt = at;
    row.isChanged = true;
    this.#soil(message);
    this.redo.rowChange(row);
  }

  /** A row is consumed by a hand-off. */
  endRow(message: WorkMessage, row: WorkRow): void {
    message.rows.splice(message.rows.indexOf(row), 1);
    this.#rows.delete(row.seq);
    if (row.isStored) message.ended.push(row.seq);
    this.#soil(message);
    this.redo.rowEnd(row.seq);
  }

  addEvent(message: WorkMessage, event: Omit<EventRecord, "messageSeq" | "seq">): void {
    requireTextsOrNone(event.destination, event.detail);
    requireWhole(event.at);
    const record = { messageSeq: message.seq, seq: this.#numbers.next(), ...event };
    message.events.push(record);
    this.#soil(message);
    this.redo.events([record]);
  }

  /** Keeps a partner's answer; returns which of its destination it is, from 1. */
  addResponse(
    message: WorkMessage,
    response: Omit<ResponseRecord, "messageSeq" | "responseSeq">,
  ): number {
    const { destination } = response;
    requireTexts(destination, response.outcome);
    requireTextsOrNone(response.detail);
    requireWhole(response.at);
    // The message has been here since its first count: the tables got no other meanwhile.
    const counts = message.responseCounts ??= new Map(this.#loader.responsesOf(message.seq));
    const responseSeq = (counts.get(destination) ?? 0) + 1;
    counts.set(destination, responseSeq);
    const record = { messageSeq: message.seq, responseSeq, ...response };
    message.responses.push(record);
    this.#soil(message);
    this.redo.response(record);
    return responseSeq;
  }

  dispose(message: WorkMessage, status: Disposition, error = message.error): void {
    requireTextsOrNone(error);
    message.status = status;
    message.error = error;
    message.isChanged = true;
    this.#soil(message);
    this.redo.disposition(message.seq, status, error);
    if (status !== "received" && status !== "routed") this.#finished.add(message);
  }

  setState(record: StateRecord): void {
    requireTexts(record.namespace, record.key, record.value);
    if (this.#state.size === 0) this.#stateSince = this.frame;
    this.#state.set(JSON.stringify([record.namespace, record.key]), record);
    this.redo.state(record);
  }

  // What becomes of it.

  /** Takes the oldest finished message out, for the tables. */
  takeFinished(into: Changes): void {
    for (const message of this.#finished) {
      tell(message, into);
      this.#drop(message.seq);
      return;
    }
  }

  /**
   * Takes for the tables what frames before `frame` say (all: Infinity). Finished messages go, the
   * others stay, for they will be asked for.
   */
  takeUntil(frame: number, into: Changes): void {
    for (const [message, since] of this.#dirty) {
      if (since >= frame) break;
      tell(message, into);
      if (this.#finished.has(message)) this.#drop(message.seq);
      else this.#clean(message);
    }
    this.takeState(into);
  }

  /** Takes the state values the tables do not hold. */
  takeState(into: Changes): void {
    if (this.#state.size === 0) return;
    for (const record of this.#state.values()) into.state(record);
    this.#state.clear();
  }

  /** Forgets messages of which the tables know all, oldest first, until `max` are left. */
  shrink(max: number): void {
    for (const message of this.#messages.values()) {
      if (this.#messages.size <= max) return;
      if (!this.#dirty.has(message)) this.#drop(message.seq);
    }
  }

  /** Forgets everything: the tables or the log hold it, or it was rolled back. */
  forget(): void {
    this.#messages.clear();
    this.#rows.clear();
    this.#dirty.clear();
    this.#finished.clear();
    this.#state.clear();
    this.#bodyChars = 0;
    this.redo.clear();
  }

  #soil(message: WorkMessage): void {
    if (!this.#dirty.has(message)) this.#dirty.set(message, this.frame);
  }

  #clean(message: WorkMessage): void {
    message.entry = undefined;
    message.isChanged = false;
    if (message.ended.length > 0) message.ended = [];
    if (message.events.length > 0) message.events = [];
    if (message.responses.length > 0) message.responses = [];
    this.#letBodiesGo(message);
    for (const row of message.rows) {
      row.isStored = true;
      row.isChanged = false;
    }
    this.#dirty.delete(message);
  }

  #drop(seq: number): void {
    const message = this.#messages.get(seq);
    if (message === undefined) return;
    this.#messages.delete(seq);
    this.#dirty.delete(message);
    this.#finished.delete(message);
    for (const row of message.rows) this.#rows.delete(row.seq);
    this.#letBodiesGo(message);
  }

  #letBodiesGo(message: WorkMessage): void {
    if (message.bodies.length === 0) return;
    for (const [, text] of message.bodies) this.#bodyChars -= text.length;
    message.bodies = [];
  }

  /** Takes in a message that is not here as the tables hold it. */
  #load(seq: number): WorkMessage | undefined {
    const stored = this.#loader.message(seq);
    if (stored === undefined) return undefined;
    const { status, error, rows, responses: counts } = stored;
    const message: WorkMessage = {
      ...{ seq, entry: undefined, enteredAs: "received", status, error },
      rows: rows.map((row) => ({ ...row, isStored: true, isChanged: false })),
      ...{ isChanged: false, ended: [], events: [], bodies: [] },
      ...{ responses: [], responseCounts: counts === undefined ? undefined : new Map(counts) },
    };
    this.#messages.set(seq, message);
    for (const row of message.rows) this.#rows.set(row.seq, row);
    return message;
  }
}

/** Says what the tables do not hold of a message. */
function tell(message: WorkMessage, into: Changes): void {
  const { seq, entry, isChanged, status, error } = message;
  for (const [bodySeq, text, baseSeq] of message.bodies) into.body(bodySeq, text, baseSeq);
  if (entry !== undefined) into.message(seq, entry, message);
  else if (isChanged) into.disposition(seq, status, error);
  for (const response of message.responses) into.response(response);
  for (const ended of message.ended) into.rowEnd(ended);
  for (const row of message.rows) {
    if (!row.isStored) into.row(row);
    else if (row.isChanged) into.rowChange(row);
  }
  into.events(message.events);
}

// What the tables would refuse is refused before it is here: later it would be nobody's fault.

function requireTexts(...values: unknown[]): void {
  for (const value of values) if (typeof value !== "string") throw new TypeError("Not a text");
}

function requireTextsOrNone(...values: unknown[]): void {
  for (const value of values) {
    if (value !== null && value !== undefined && typeof value !== "string") {
      throw new TypeError("Not a text");
    }
  }
}

function requireWhole(...values: unknown[]): void {
  for (const value of values) {
    if (!Number.isSafeInteger(value)) throw new TypeError("Not a whole number");
  }
}
