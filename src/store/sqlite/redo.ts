/**
 * What a commit did, as plain values: the content of the commit log's frames, and how the tables
 * take it in.
 *
 * Every operation says what is true afterwards, never what to add: carrying out one that the tables
 * already hold changes nothing. Operations are one flat array: a code, then its values.
 */
import { Buffer } from "node:buffer";
import type { AuditRow } from "../audit_row.ts";
import type {
  Changes,
  CommitChanges,
  EnteredMessage,
  EventRecord,
  QueueRecord,
  ResponseRecord,
  StateRecord,
} from "../changes.ts";
import type { Disposition, NewMessage } from "../intents.ts";
import { frameHeaderBytes } from "./commit_log.ts";
import type { Session, SqlValue } from "./session.ts";
import type { StatementName } from "./statements.ts";

/** Operation codes. They are stored: a meaning never changes, a new one gets a new code. */
const MESSAGE = 1;
const ROW = 2;
const ROW_CHANGE = 3;
const ROW_END = 4;
const EVENT = 5;
const DISPOSITION = 6;
const BODY = 7;
const STATE = 8;
const CHANGED_BODY = 9;
const RESPONSE = 10;
const METADATA = 11;
const AUDIT = 12;

/** The statement that carries out an operation, and how many values it takes. */
const operations: ReadonlyMap<SqlValue, readonly [StatementName, number]> = new Map([
  [MESSAGE, ["putMessage", 10]],
  [ROW, ["putRow", 14]],
  [ROW_CHANGE, ["updateRow", 7]],
  [ROW_END, ["deleteRow", 1]],
  [EVENT, ["putEvent", 6]],
  [DISPOSITION, ["updateMessage", 3]],
  [BODY, ["putBody", 2]],
  [STATE, ["upsertState", 5]],
  [CHANGED_BODY, ["putChangedBody", 3]],
  [RESPONSE, ["putResponse", 7]],
  [METADATA, ["setMetadata", 2]],
  [AUDIT, ["putAuditRow", 8]],
]);

/** Takes what is true now: for the log's next frame, or into the tables at once. */
abstract class Operations implements Changes {
  /** Takes an operation with its values, in the order its statement has them. */
  protected abstract put(code: number, ...values: SqlValue[]): void;

  /** `baseSeq` is the body that `text` is changes of. */
  abstract body(seq: number, text: string, baseSeq: number | null): void;

  message(seq: number, m: NewMessage, { enteredAs, status, error }: EnteredMessage): void {
    const { controlId = null, messageType = null } = m;
    const entry = [m.id, m.channel, m.receivedAt, m.sourceType, controlId, messageType];
    this.put(MESSAGE, seq, ...entry, enteredAs, status, error);
    // Few messages have any, and what every message says is kept short.
    if (m.metadata !== undefined) this.put(METADATA, m.metadata, seq);
  }

  response(r: ResponseRecord): void {
    const which = [r.messageSeq, r.destination, r.responseSeq];
    this.put(RESPONSE, ...which, r.outcome, r.detail, r.bodySeq, r.at);
  }

  row(r: QueueRecord): void {
    const place = [r.seq, r.messageSeq, r.stage, r.lane, r.channel, r.handler, r.bodySeq];
    const stand = [r.status, r.attempts, r.dueAt, r.token, r.lastError];
    this.put(ROW, ...place, ...stand, r.createdAt, r.updatedAt);
  }

  rowChange(r: QueueRecord): void {
    const stand = [r.status, r.attempts, r.dueAt, r.token, r.lastError];
    this.put(ROW_CHANGE, ...stand, r.updatedAt, r.seq);
  }

  rowEnd(seq: number): void {
    this.put(ROW_END, seq);
  }

  events(events: readonly EventRecord[]): void {
    for (const event of events) this.put(EVENT, ...eventValues(event));
  }

  disposition(messageSeq: number, status: Disposition, error: string | null): void {
    this.put(DISPOSITION, status, error, messageSeq);
  }

  state({ namespace, key, value, at, messageSeq }: StateRecord): void {
    this.put(STATE, namespace, key, value, at, messageSeq);
  }
}

function eventValues(e: EventRecord): readonly SqlValue[] {
  return [e.messageSeq, e.seq, e.at, e.event, e.destination, e.detail];
}

/** Operations in the order they were done. */
export class Redo extends Operations implements CommitChanges {
  values: SqlValue[] = [];
  /** Texts of the bodies, in the order of their operations. */
  bodies: string[] = [];

  get isEmpty(): boolean {
    return this.values.length === 0;
  }

  clear(): void {
    if (this.isEmpty) return;
    this.values = [];
    this.bodies = [];
  }

  /** The text travels beside the values: it is by far the largest of them. */
  body(seq: number, text: string, baseSeq: number | null): void {
    if (baseSeq === null) this.put(BODY, seq, null);
    else this.put(CHANGED_BODY, seq, null, baseSeq);
    this.bodies.push(text);
  }

  audit({ id, at, actor, action, channel, detail, isKeyed, hash }: AuditRow): void {
    this.put(AUDIT, id, at, actor, action, channel, detail, isKeyed ? 1 : 0, hash);
  }

  protected put(code: number, ...values: SqlValue[]): void {
    this.values.push(code, ...values);
  }
}

/** Brings changes into the tables as they are told; the caller holds the transaction. */
export class Tables extends Operations {
  readonly #session: Session;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  body(seq: number, text: string, baseSeq: number | null): void {
    if (baseSeq === null) this.put(BODY, seq, text);
    else this.put(CHANGED_BODY, seq, text, baseSeq);
  }

  override events(events: readonly EventRecord[]): void {
    let at = 0;
    // What a message that went through has: one statement instead of three.
    for (; at + 3 <= events.length; at += 3) {
      const [a, b, c] = [events[at]!, events[at + 1]!, events[at + 2]!].map(eventValues);
      this.#session.change("putThreeEvents", ...a!, ...b!, ...c!);
    }
    super.events(events.slice(at));
  }

  protected put(code: number, ...values: SqlValue[]): void {
    this.#session.change(operations.get(code)![0], ...values);
  }
}

/** Brings operations into the tables; the caller holds the transaction. */
export function carryOut(
  session: Session,
  { values, bodies }: Pick<Redo, "values" | "bodies">,
): void {
  let body = 0;
  for (let at = 0; at < values.length;) {
    const code = values[at]!;
    const operation = operations.get(code);
    if (operation === undefined) throw new RangeError("Cannot carry out an unknown operation");
    const [name, arity] = operation;
    if (code === BODY) session.change(name, values[at + 1]!, bodies[body++]!);
    else if (code === CHANGED_BODY) {
      session.change(name, values[at + 1]!, bodies[body++]!, values[at + 3]!);
    } else session.change(name, ...values.slice(at + 1, at + 1 + arity));
    at += 1 + arity;
  }
}

const KEPT_BYTES = 512 * 1024;

/** Builds the payloads of log frames in one buffer that is used again and again. */
export class FrameBuffer {
  buffer = Buffer.allocUnsafe(KEPT_BYTES);

  /**
   * Writes operations behind the room for the frame's header; returns where they end.
   *
   * Payload: length of the values as JSON (4 bytes), the JSON, then length and text of each body.
   */
  write({ values, bodies }: Pick<Redo, "values" | "bodies">): number {
    const json = JSON.stringify(values);
    let room = frameHeaderBytes + 4 + json.length * 3;
    for (const text of bodies) room += 4 + text.length * 3;
    // A large batch is rare, and its memory is not kept for the small ones.
    if (room > this.buffer.length) this.buffer = Buffer.allocUnsafe(room);
    else if (this.buffer.length > KEPT_BYTES && room <= KEPT_BYTES) {
      this.buffer = Buffer.allocUnsafe(KEPT_BYTES);
    }
    let at = this.#text(json, frameHeaderBytes);
    for (const text of bodies) at = this.#text(text, at);
    return at;
  }

  #text(text: string, at: number): number {
    const bytes = this.buffer.write(text, at + 4, "utf8");
    this.buffer.writeUInt32LE(bytes, at);
    return at + 4 + bytes;
  }
}

/** Reads a frame's payload back. */
export function readPayload(payload: Buffer): Pick<Redo, "values" | "bodies"> {
  const texts: string[] = [];
  for (let at = 0; at < payload.length;) {
    const end = at + 4 + payload.readUInt32LE(at);
    texts.push(payload.toString("utf8", at + 4, end));
    at = end;
  }
  const [json = "[]", ...bodies] = texts;
  return { values: JSON.parse(json), bodies };
}
