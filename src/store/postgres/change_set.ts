/** Gathers what a batch has changed, a column an array, and says it in a few statements. */
import type {
  Changes,
  EnteredMessage,
  EventRecord,
  QueueRecord,
  ResponseRecord,
  StateRecord,
} from "../changes.ts";
import type { ConnectionEventRow, Disposition, NewMessage } from "../intents.ts";
import { type StatementName, statements } from "./statements.ts";
import { numberArray, textArray } from "./text.ts";

/** Takes a statement with its values. */
type Say = (name: StatementName, values: readonly string[]) => void;

/** What a batch has changed, as one statement. */
export interface Told {
  readonly name: string;
  readonly text: string;
  readonly values: readonly string[];
}

type Kind = "text" | "number";

/** The columns of a statement, in its order. */
class Columns {
  readonly #kinds: readonly Kind[];
  #columns: (string | number | null)[][];

  constructor(...kinds: Kind[]) {
    this.#kinds = kinds;
    this.#columns = kinds.map(() => []);
  }

  add(...values: readonly (string | number | null)[]): void {
    for (const [at, value] of values.entries()) this.#columns[at]!.push(value);
  }

  /** Says what was gathered, if anything was, and begins anew. */
  say(name: StatementName, say: Say): void {
    if (this.#columns[0]!.length === 0) return;
    say(
      name,
      this.#columns.map((values, at) =>
        this.#kinds[at] === "number"
          ? numberArray(values as (number | null)[])
          : textArray(values as (string | null)[])
      ),
    );
    this.#columns = this.#kinds.map(() => []);
  }
}

const codes = new Map(Object.keys(statements).map((name, index) => [name, index.toString(36)]));

/** The server tells prepared statements apart by their first 63 characters. */
function codeOf(name: StatementName): string {
  return codes.get(name)!;
}

const [t, n] = ["text", "number"] as const;

export class ChangeSet implements Changes {
  readonly #bodies = new Columns(n, t, n);
  readonly #messages = new Columns(n, t, t, n, t, t, t, t, t, t, t);
  readonly #dispositions = new Columns(n, t, t);
  readonly #rows = new Columns(n, n, t, t, t, t, n, t, n, n, n, t, n, n);
  readonly #rowChanges = new Columns(n, t, n, n, n, t, n);
  readonly #events = new Columns(n, n, n, t, t, t);
  readonly #responses = new Columns(n, t, n, t, t, n, n);
  readonly #connectionEvents = new Columns(n, n, t, t, t, t, t, t);
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
   * Returns all of it as one statement, and begins anew. Its parts touch different rows, so it does
   * not matter that each sees the tables as they were. Undefined: nothing has changed.
   */
  tell(): Told | undefined {
    const names: StatementName[] = [];
    const texts: string[] = [];
    const values: string[] = [];
    this.#say((name, own) => {
      const from = values.length;
      names.push(name);
      texts.push(statements[name].replace(/\$(\d+)/g, (_, at) => `$${from + Number(at)}`));
      values.push(...own);
    });
    const last = texts.pop();
    if (last === undefined) return undefined;
    const parts = texts.map((text, index) => `part_${index} AS (${text})`).join(",\n");
    const text = parts === "" ? last : `WITH ${parts}\n${last}`;
    return { name: names.map(codeOf).join("+"), text, values };
  }

  #say(say: Say): void {
    this.#bodies.say("insertBodies", say);
    this.#messages.say("insertMessages", say);
    this.#dispositions.say("updateMessages", say);
    this.#rows.say("insertRows", say);
    this.#rowChanges.say("updateRows", say);
    if (this.#ended.length > 0) say("deleteRows", [numberArray(this.#ended)]);
    this.#ended = [];
    this.#events.say("insertEvents", say);
    this.#responses.say("insertResponses", say);
    this.#connectionEvents.say("insertConnectionEvents", say);
    this.#sayState(say);
    this.#sayTotals(say);
  }

  #sayState(say: Say): void {
    const columns = new Columns(t, t, t, n, n);
    for (const { namespace, key, value, at, messageSeq } of this.#state.values()) {
      columns.add(namespace, key, value, at, messageSeq);
    }
    columns.say("upsertState", say);
    this.#state.clear();
  }

  #sayTotals(say: Say): void {
    const columns = new Columns(t, t, n);
    for (const total of this.#totals.values()) columns.add(...total);
    columns.say("addTotals", say);
    this.#totals.clear();
  }
}
