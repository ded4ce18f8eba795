/** One store under test: its clock, and the short forms in which the contract speaks. */
import assert from "node:assert/strict";
import type {
  ClaimResult,
  HandOffResult,
  QueueRow,
  ReceiveResult,
  ResolveResult,
} from "../../../src/store/intent_results.ts";
import type {
  ClaimIntent,
  HandOffIntent,
  NewDelivery,
  NewMessage,
  NextClaim,
  Stage,
} from "../../../src/store/intents.ts";
import type {
  EndPurgeIntent,
  PurgeCounts,
  PurgeIntent,
  PurgeKind,
  PurgeMark,
} from "../../../src/store/purge.ts";
import type { Store } from "../../../src/store/store.ts";

/** What a backend brings to run the contract. Times are microseconds since the epoch. */
export interface StoreBackend {
  /** Begins every test's name. */
  readonly name: string;
  /** Opens a store that nobody used before. */
  open(now: () => number): Promise<Store>;
  /** Opens what a closed store left. */
  reopen(closed: Store, now: () => number): Promise<Store>;
  /** Removes what a closed store left. */
  remove(closed: Store): Promise<void>;
}

/** A row somebody holds in flight. */
export interface Held {
  readonly id: string;
  readonly channel: string;
  readonly messageSeq: number;
  readonly seq: number;
  readonly token: number;
}

/** What an operator sees of a message, one line a row and an event. */
export interface Look {
  readonly status: string;
  readonly error: string | null;
  /** `"outbound OB_LAB done 1"`: stage, destination or handler, status, attempts. */
  readonly rows: readonly string[];
  /** `"delivered OB_LAB"`: event, and destination if it has one. */
  readonly events: readonly string[];
}

export type HandOffParts = Partial<
  Pick<HandOffIntent, "handlers" | "deliveries" | "failures" | "state">
>;

/** What makes a message long enough to be worth saying what was changed in it. */
const PATIENT = `PID|1||4711^^^MAIN^MR||DOE^JANE^Q||19700101|F|||${
  "1 MAIN ST^^TOWN~".repeat(20)
}\r`;

/** A message as a handler sends it on that sets a field. */
export function readdressed(raw: string, to: string): string {
  return raw.replace("|A|B|", `|A|${to}|`);
}

/** Every bench begins at this moment. */
const START = 1_700_000_000_000_000;

export class StoreBench implements AsyncDisposable {
  readonly #backend: StoreBackend;
  #messages = 0;
  /** Bodies by message: who hands off says what it handed off. */
  readonly #raws = new Map<string, string>();
  store: Store;
  /** Microseconds; moves only when a test moves it. */
  now = START;

  private constructor(backend: StoreBackend, store: Store) {
    this.#backend = backend;
    this.store = store;
  }

  static async open(backend: StoreBackend): Promise<StoreBench> {
    return new StoreBench(backend, await backend.open(() => START));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.#backend.remove(this.store);
  }

  /** Closes the store and opens it again, as a clean restart does. */
  async reopen(): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    this.store = await this.#backend.reopen(this.store, () => this.now);
  }

  /** Purges what is older than `before`, in batches as small as asked; returns how much. */
  async purge(
    of: PurgeKind,
    before: number,
    limit = 100,
    exceptions: PurgeIntent["exceptions"] = [],
  ): Promise<number> {
    let purged = 0;
    let after: PurgeMark | undefined;
    do {
      const intent = { kind: "purge", of, before, exceptions, limit, after, at: this.now } as const;
      const batch = await this.store.submit(intent);
      assert.ok(batch.purged <= limit, `${batch.purged} purged in a batch of ${limit}`);
      purged += batch.purged;
      after = batch.next;
    } while (after !== undefined);
    return purged;
  }

  /** Ends a pass; the counts of its audit row, undefined when it has none. */
  async endPurge(parts: Partial<EndPurgeIntent> = {}): Promise<PurgeCounts | undefined> {
    const act = { at: this.now, actor: "system", action: "retention_purge", channel: null };
    const { audited, counts } = await this.store.submit({
      ...{ kind: "end_purge", audit: { ...act, detail: { messages_days: 1 } } },
      ...{ isNoted: false, logsAreClean: false, reclaimedOn: undefined },
      ...parts,
    });
    return audited ? counts : undefined;
  }

  passSeconds(seconds: number): void {
    this.now += seconds * 1_000_000;
  }

  message(parts: Partial<NewMessage> = {}): NewMessage {
    const number = this.#messages += 1;
    const message = {
      id: number.toString(16).padStart(32, "0"),
      channel: "IB_ADT",
      receivedAt: this.now,
      sourceType: "mllp",
      controlId: `C${number}`,
      messageType: "ADT^A01",
      raw: `MSH|^~\\&|A|B|||20240101||ADT^A01|C${number}|P|2.5\r${PATIENT}`,
      ...parts,
    };
    this.#raws.set(message.id, message.raw);
    return message;
  }

  /** T1, in flight. */
  async receive(parts: Partial<NewMessage> = {}): Promise<Held> {
    const message = this.message(parts);
    const token = this.store.nextToken();
    const { messageSeq, seq } = await this.store.submit({ kind: "receive", message, token });
    return { id: message.id, channel: message.channel, messageSeq, seq, token };
  }

  /** T1, pending. */
  async receiveCold(parts: Partial<NewMessage> = {}): Promise<ReceiveResult & { id: string }> {
    const message = this.message(parts);
    const result = await this.store.submit({ kind: "receive", message, token: undefined });
    return { ...result, id: message.id };
  }

  handOff(held: Held, parts: HandOffParts = {}): Promise<HandOffResult> {
    return this.store.submit(this.handOffIntent(held, parts));
  }

  handOffIntent(
    { id, channel, messageSeq, seq, token }: Held,
    parts: HandOffParts,
  ): HandOffIntent {
    const deliveries = parts.deliveries ?? [];
    const failures = parts.failures ?? [];
    const handlers = parts.handlers ?? Math.max(1, deliveries.length + failures.length);
    const state = parts.state ?? [];
    const at = this.now;
    const ours = { at, seq, token, messageSeq, messageText: this.#raws.get(id) };
    return { kind: "hand_off", ...ours, channel, handlers, deliveries, failures, state };
  }

  /** A message whose outbound rows wait, one a destination; returns its id. */
  async queued(
    destinations: readonly string[],
    parts: Partial<NewMessage> = {},
  ): Promise<{ id: string; messageSeq: number; seqs: readonly number[] }> {
    const held = await this.receive(parts);
    const deliveries = destinations.map((destination) => delivery(destination));
    const { seqs } = await this.handOff(held, { deliveries });
    return { id: held.id, messageSeq: held.messageSeq, seqs };
  }

  claim(stage: Stage, lane: string, parts: Partial<ClaimIntent> = {}): Promise<ClaimResult> {
    return this.store.submit({
      kind: "claim",
      stage,
      lane,
      limit: 1,
      readAhead: 0,
      token: this.store.nextToken(parts.limit ?? 1),
      after: 0,
      unordered: false,
      at: this.now,
      attemptsMax: undefined,
      ...parts,
    });
  }

  /** Claims the head of a lane that must have one. */
  async take(stage: Stage, lane: string): Promise<Held> {
    const { rows: [row] } = await this.claim(stage, lane);
    if (row === undefined) throw new Error(`Nothing to claim in ${stage} lane "${lane}"`);
    return heldOf(row);
  }

  complete(held: Held, destination: string, next?: NextClaim): Promise<ResolveResult> {
    const { seq, token, messageSeq } = held;
    const at = this.now;
    return this.store.submit({ kind: "complete", at, seq, token, messageSeq, destination, next });
  }

  retry(
    held: Held,
    destination: string,
    dueAt: number,
    error = "no answer",
  ): Promise<ResolveResult> {
    const { seq, token, messageSeq } = held;
    const at = this.now;
    return this.store.submit({
      kind: "retry",
      at,
      seq,
      token,
      messageSeq,
      destination,
      dueAt,
      error,
    });
  }

  bury(
    held: Held,
    destination: string | undefined,
    error = "partner answered AR",
    next?: NextClaim,
  ): Promise<ResolveResult> {
    const { seq, token, messageSeq } = held;
    const at = this.now;
    const kind = "dead_letter";
    return this.store.submit({ kind, at, seq, token, messageSeq, destination, error, next });
  }

  release({ seq, token }: Held): Promise<ResolveResult> {
    return this.store.submit({ kind: "release", at: this.now, seq, token });
  }

  /** Gives back what is held of a lane; returns how many rows are open. */
  async resync(stage: Stage, lane: string): Promise<number> {
    const { open } = await this.store.submit({ kind: "resync", stage, lane, at: this.now });
    return open;
  }

  async look(id: string): Promise<Look> {
    const detail = await this.store.message(id);
    if (detail === undefined) throw new Error(`No message "${id}"`);
    return {
      status: detail.status,
      error: detail.error,
      rows: detail.rows.map(({ stage, destination, handler, status, attempts }) =>
        `${stage} ${stage === "routed" ? handler : destination} ${status} ${attempts}`
      ),
      events: detail.events.map(({ event, destination }) =>
        destination === null ? event : `${event} ${destination}`
      ),
    };
  }

  /** What is open in a lane, head first, without touching it. */
  async lane(stage: Stage, lane: string): Promise<readonly QueueRow[]> {
    return (await this.claim(stage, lane, { limit: 0, readAhead: 1_000 })).rows;
  }
}

export function heldOf(row: QueueRow): Held {
  const { messageId, channel, messageSeq, seq, token } = row;
  if (token === undefined) throw new Error(`Row ${seq} was read, not claimed`);
  return { id: messageId, channel, messageSeq, seq, token };
}

export function delivery(destination: string, parts: Partial<NewDelivery> = {}): NewDelivery {
  return { destination, handler: "to_lab", payload: undefined, token: undefined, ...parts };
}

/** A value no typed caller can pass, as a defect would. */
export function notText(): string {
  return null as unknown as string;
}
