/** Gathers what a batch has changed, a list a column of its statements. */
import type {
  Changes,
  EnteredMessage,
  EventRecord,
  QueueRecord,
  ResponseRecord,
  StateRecord,
} from "../changes.ts";
import type { ConnectionEventRow, Disposition, NewMessage } from "../intents.ts";
import type { Parts, ServerCell } from "./dialect.ts";
import type { ChangeStatement } from "./statement_names.ts";

/** Takes a statement with its values. */
type Say = (name: ChangeStatement, values: readonly (readonly ServerCell[])[]) => void;

/** The columns of a statement, in its order. */
class Columns {
  #columns: ServerCell[][];

  constructor(count: number) {
    this.#columns = Array.from({ length: count }, () => []);
  }

  add(...values: readonly ServerCell[]): void {
    for (const [at, value] of values.entries()) this.#columns[at]!.push(value);
  }

  /** Says what was gathered, if anything was, and begins anew. */
  say(name: ChangeStatement, say: Say): void {
    if (this.#columns[0]!.length === 0) return;
    say(name, this.#columns);
    this.#columns = this.#columns.map(() => []);
  }
}

export class ChangeSet implements Changes {
  readonly #bodies = new Columns(3);
  readonly #messages = new Columns(11);
  readonly #dispositions = new Columns(3);
  readonly #rows = new Columns(14);
  readonly #rowChanges = new Columns(7);
  readonly #events = new Columns(6);
  readonly #responses = new Columns(7);
  readonly #connectionEvents = new Columns(8);
  #ended: number[] = [];
  /** The last write of a key wins. */
  readonly #state = new Map<string, StateRecord>();
  readonly #totals = new Map<string, [kind: string, name: string, total: number]>();

  body(seq: number, text: string, baseSeq: number | null): void {
    this.#bodies.add(seq, text, baseSeq);
  }

  message(seq: number, m: NewMessage, { enteredAs, status, error }: EnteredMessage): void {
    const { id, channel, receivedAt, sourceType, controlId = null, messageType = null } = m;
    const entry = [id, channel, receivedAt, sourceType, controlId, messageType];
    this.#messages.add(seq, ...entry, enteredAs, status, error, m.metadata ?? null);
    this.count("messages", channel, 1);
  }

  row(r: QueueRecord): void {
    const place = [r.seq, r.messageSeq, r.stage, r.lane, r.channel, r.handler, r.bodySeq];
    const stand = [r.status, r.attempts, r.dueAt, r.token, r.lastError];
    this.#rows.add(...place, ...stand, r.createdAt, r.updatedAt);
    if (r.stage === "outbound") this.count("deliveries", r.lane, 1);
  }

  rowChange(r: QueueRecord): void {
    this.#rowChanges.add(
      ...[r.seq, r.status, r.attempts, r.dueAt, r.token, r.lastError, r.updatedAt],
    );
  }

  rowEnd(seq: number): void {
    this.#ended.push(seq);
  }

  response(r: ResponseRecord): void {
    const which = [r.messageSeq, r.destination, r.responseSeq];
    this.#responses.add(...which, r.outcome, r.detail, r.bodySeq, r.at);
  }

  events(events: readonly EventRecord[]): void {
    for (const { messageSeq, seq, at, event, destination, detail } of events) {
      this.#events.add(messageSeq, seq, at, event, destination, detail);
    }
  }

  disposition(messageSeq: number, status: Disposition, error: string | null): void {
    this.#dispositions.add(messageSeq, status, error);
  }

  state(record: StateRecord): void {
    this.#state.set(JSON.stringify([record.namespace, record.key]), record);
  }

  connectionEvent(id: number, e: ConnectionEventRow): void {
    const { at, connection, transport, direction, event, peer = null, reason = null } = e;
    this.#connectionEvents.add(id, at, connection, transport, direction, event, peer, reason);
  }

  /** Adds to a total. */
  count(kind: string, name: string, by: number): void {
    const key = `${kind} ${name}`;
    const former = this.#totals.get(key);
    this.#totals.set(key, [kind, name, (former?.[2] ?? 0) + by]);
  }

  /**
   * Returns all of it and begins anew; undefined: nothing has changed. The parts touch different
   * rows, so their order does not matter.
   */
  tell(): Parts | undefined {
    const parts: Parts[number][] = [];
    this.#say((name, values) => parts.push({ name, values }));
    return parts.length === 0 ? undefined : parts;
  }

  #say(say: Say): void {
    this.#bodies.say("insertBodies", say);
    this.#messages.say("insertMessages", say);
    this.#dispositions.say("updateMessages", say);
    this.#rows.say("insertRows", say);
    this.#rowChanges.say("updateRows", say);
    if (this.#ended.length > 0) say("deleteRows", [this.#ended]);
    this.#ended = [];
    this.#events.say("insertEvents", say);
    this.#responses.say("insertResponses", say);
    this.#connectionEvents.say("insertConnectionEvents", say);
    this.#sayState(say);
    this.#sayTotals(say);
  }

  #sayState(say: Say): void {
    const columns = new Columns(5);
    for (const { namespace, key, value, at, messageSeq } of this.#state.values()) {
      columns.add(namespace, key, value, at, messageSeq);
    }
    columns.say("upsertState", say);
    this.#state.clear();
  }

  #sayTotals(say: Say): void {
    const columns = new Columns(3);
    for (const total of this.#totals.values()) columns.add(...total);
    columns.say("addTotals", say);
    this.#totals.clear();
  }
}
