/**
 * One inbound's FIFO of messages to route, or of answers to take in, held in memory while it is hot
 * and read back from the store in contiguous prefixes while it is not.
 */
import type { ClaimResult, QueueRow, ResyncResult } from "../store/intent_results.ts";
import type { AnswerRef } from "../store/intents.ts";
import type { Store } from "../store/store.ts";
import { LaneMemory, type MemoryBudget } from "./memory.ts";

/** A claimed row whose content is here. */
export interface IngressItem {
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
  readonly text: string;
  /** Epoch microseconds. */
  readonly receivedAt: number;
  /**
   * Set on rows of the durable split: the one handler to run. Of a row to take in: the outbound
   * whose partner answered, or the handler that sent it.
   */
  readonly handler: string | undefined;
  readonly attempts: number;
  readonly messageId: string;
  /** Of the message. */
  readonly metadata: string | undefined;
  /** Of a row to take in: which answer of the partner it is; undefined for what a handler sent. */
  readonly answer: AnswerRef | undefined;
}

export type IngressStage = "ingress" | "routed" | "response";

export interface IngressLaneOptions {
  readonly stage: IngressStage;
  readonly name: string;
  readonly store: Store;
  readonly budget: MemoryBudget;
  /** Open rows found at start. */
  readonly open: number;
  /** Microseconds. */
  readonly now: () => number;
  /** The lane has work for the routing. */
  readonly onReady: (lane: IngressLane) => void;
  /** Rows were given up for too many claims without an outcome. */
  readonly onExhausted: (lane: IngressLane, rows: number) => void;
  /** The head may be what ended the process; it waits for `claimSuspect()`. */
  readonly onSuspect: (lane: IngressLane) => void;
  /** A body could not be opened: the row is to be given up. */
  readonly onUnreadable: (
    lane: IngressLane,
    row: { seq: number; token: number; messageSeq: number },
  ) => void;
}

/** Rows one cold claim reads. */
const CLAIM_ROWS = 64;
/** A row claimed this often without an outcome is what ends the process: it is given up. */
export const ATTEMPTS_MAX = 5;
const PARK_FIRST_MS = 1_000;
const PARK_MAX_MS = 60_000;

export class IngressLane {
  readonly name: string;
  readonly stage: IngressStage;
  readonly memory: LaneMemory;
  readonly #options: IngressLaneOptions;
  #items: IngressItem[] = [];
  /** Items handed out and not yet removed. */
  #taken = 0;
  /** Items with the sandbox, whatever memory holds by now. */
  #out = 0;
  /** Those of them that memory has forgotten: until they are back, none of them may run again. */
  #strays = 0;
  #onStraysBack: (() => void) | undefined;
  #claiming = false;
  #resyncing = false;
  /** The store holds other rows than memory expected: run what is here, then count again. */
  #stale = false;
  #parked: ReturnType<typeof setTimeout> | undefined;
  #parkMs = PARK_FIRST_MS;
  /** Microseconds; ahead of the clock after that has stepped back. */
  #notBefore = 0;
  /** Halted by policy or by its inbound's absence: nothing is claimed until resumed. */
  halted: string | undefined;
  #stopped = false;
  /** The routing keeps a lane in its ready list at most once. */
  queued = false;

  constructor(options: IngressLaneOptions) {
    this.#options = options;
    this.name = options.name;
    this.stage = options.stage;
    this.memory = new LaneMemory(options.budget, options.open);
  }

  get depth(): number {
    return this.memory.depth;
  }

  /** Nothing is open, as far as memory can tell for certain. */
  get isEmpty(): boolean {
    return this.depth === 0 && !this.#claiming && !this.#resyncing && !this.#stale &&
      this.#parked === undefined;
  }

  get oldestReceivedAt(): number | undefined {
    return this.#items[0]?.receivedAt;
  }

  /** Reserves memory for a message about to be committed; the token makes its row ours. */
  admit(text: string): number | undefined {
    if (
      this.#stale || this.#resyncing || this.#parked !== undefined || this.halted !== undefined
    ) {
      this.memory.spilled += 1;
      return undefined;
    }
    return this.memory.admit(text.length) ? this.#options.store.nextToken() : undefined;
  }

  /** The message admitted under `generation` is committed. */
  committed(item: IngressItem, generation: number): void {
    if (generation !== this.memory.generation) return;
    this.#items.push(item);
    this.#announce();
  }

  /** The commit of an admitted message failed: nothing of it exists. */
  refused(text: string, hot: boolean, generation: number): void {
    if (generation !== this.memory.generation) return;
    if (hot) this.memory.drop(text.length);
    else this.memory.spilled -= 1;
  }

  /** A spilled row was committed, or an operator requeued rows: look at the store. */
  wake(): void {
    if (this.#items.length - this.#taken > 0) this.#announce();
    else this.#claim();
  }

  /** Looks for work if there may be any: whoever should have woken it did not. */
  nudge(): void {
    if (!this.isEmpty) this.wake();
  }

  /** Rows came into being that memory was not told of: ask the store how many there are. */
  recount(): void {
    this.#resync();
  }

  /** Hands out the next items, in order, at most `max`. */
  take(max: number): IngressItem[] {
    if (!this.hasReady) return [];
    const items = this.#items.slice(this.#taken, this.#taken + max);
    this.#taken += items.length;
    this.#out += items.length;
    return items;
  }

  get hasReady(): boolean {
    return this.#items.length > this.#taken && this.halted === undefined && !this.#claiming &&
      !this.#resyncing && this.#strays === 0;
  }

  /** An item taken under `generation` is back from the sandbox, with a result or without. */
  cameBack(generation: number): void {
    this.#out -= 1;
    if (generation === this.memory.generation) return;
    this.#strays -= 1;
    if (this.#strays > 0) return;
    this.#onStraysBack?.();
    this.#announce();
  }

  /** The first taken item is resolved: its handoff is durable. Items resolve in order. */
  resolved(item: IngressItem, generation: number): void {
    if (generation !== this.memory.generation) return;
    this.#parkMs = PARK_FIRST_MS;
    const index = this.#items[0] === item ? 0 : this.#items.indexOf(item);
    if (index < 0) return;
    if (index === 0) this.#items.shift();
    else this.#items.splice(index, 1);
    this.#taken -= 1;
    this.memory.drop(item.text.length);
    if (this.#items.length === 0) this.#claim();
  }

  /** The store failed on an item: forget memory, wait, and read the lane back. */
  park(): void {
    if (this.#parked !== undefined || this.#stopped) return;
    const { depth } = this.memory;
    this.#forget();
    this.memory.spilled = depth;
    this.#parked = setTimeout(() => {
      this.#parked = undefined;
      this.#resync();
    }, this.#parkMs);
    this.#parkMs = Math.min(PARK_MAX_MS, this.#parkMs * 2);
  }

  /** Claims a suspect while nothing else runs; resolves to whether there is one to run now. */
  async claimSuspect(): Promise<boolean> {
    await this.#claim(true);
    return this.hasReady;
  }

  /** Stops handing out items; rows stay where they are. Resolves when no claim of them is left. */
  halt(reason: string): Promise<void> {
    this.halted = reason;
    return this.#resync();
  }

  resume(): void {
    if (this.halted === undefined) return;
    this.halted = undefined;
    this.#resync();
  }

  /** Ends the lane; claims nothing came of are undone, for a restart must not cost attempts. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const holds = this.#items.length > 0 || this.#claiming || this.#resyncing || this.#stale ||
      this.#parked !== undefined;
    this.#unpark();
    if (!holds) return;
    const { store, stage, name, now } = this.#options;
    try {
      await store.submit({ kind: "resync", stage, lane: name, at: now() });
    } catch {
      // The rows stay in flight and are recovered at the next start.
    }
  }

  #announce(): void {
    if (this.hasReady) this.#options.onReady(this);
  }

  #forget(): void {
    this.memory.reset();
    this.#items = [];
    this.#taken = 0;
    this.#strays = this.#out;
  }

  #unpark(): void {
    if (this.#parked !== undefined) clearTimeout(this.#parked);
    this.#parked = undefined;
  }

  /** Re-pends what this process holds of the lane and counts what is open. */
  async #resync(suspects = false): Promise<void> {
    if (this.#resyncing || this.#stopped) return;
    this.#resyncing = true;
    this.#stale = false;
    this.#unpark();
    this.memory.inQuestion = this.memory.openRows;
    this.#forget();
    if (this.#strays > 0) await this.#straysBack();
    const { store, stage, name, now } = this.#options;
    try {
      const { open }: ResyncResult = await store.submit({
        kind: "resync",
        stage,
        lane: name,
        at: now(),
      });
      this.#resyncing = false;
      // Rows submitted after the count spilled meanwhile; they come on top.
      this.memory.spilled += open;
      this.memory.inQuestion = 0;
    } catch {
      this.#resyncing = false;
      return this.park();
    }
    await this.#claim(suspects);
  }

  /** What runs may be what ends the process: its claim counts until it has come back. */
  async #straysBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#onStraysBack = resolve);
    this.#onStraysBack = undefined;
    // What came meanwhile is submitted already: the count that follows sees it.
    this.#forget();
  }

  async #claim(suspects = false): Promise<void> {
    if (
      this.#claiming || this.#resyncing || this.#stopped || this.#parked !== undefined ||
      this.halted !== undefined || this.#items.length > 0
    ) return;
    if (this.#stale) return this.#resync(suspects);
    if (this.memory.spilled === 0) {
      this.#parkMs = PARK_FIRST_MS;
      return;
    }
    this.#claiming = true;
    const { store, stage, name, now } = this.#options;
    const { generation } = this.memory;
    // When this claim can take all that spilled, messages from now on may be held in memory again:
    // their rows come after every row this claim returns.
    const expected = this.memory.spilled;
    const takesAll = expected <= CLAIM_ROWS;
    if (takesAll) {
      this.memory.spilled = 0;
      this.memory.inQuestion = expected;
    }
    try {
      const claim = await store.submit({
        kind: "claim",
        stage,
        lane: name,
        limit: CLAIM_ROWS,
        readAhead: 0,
        token: store.nextToken(CLAIM_ROWS),
        after: 0,
        unordered: false,
        at: Math.max(now(), this.#notBefore),
        // No author's code runs over an answer, so it is not what ends the process.
        attemptsMax: stage === "response" ? undefined : ATTEMPTS_MAX,
        suspects,
      });
      this.#claiming = false;
      this.memory.inQuestion = 0;
      if (generation !== this.memory.generation) return this.recount();
      this.#adopt(claim, expected, takesAll);
    } catch {
      this.#claiming = false;
      this.park();
    }
  }

  #adopt(claim: ClaimResult, expected: number, takesAll: boolean): void {
    const { rows, exhausted, drained, suspect, dueAt } = claim;
    const seen = rows.length + exhausted;
    if (takesAll ? seen !== expected || !drained : drained) {
      // Another count than expected. Rows that were promised a place in memory meanwhile wait in
      // the store for the next count.
      this.#forget();
      this.memory.spilled = Math.max(0, expected - seen);
      this.#stale = true;
    } else if (!takesAll) this.memory.spilled = Math.max(0, this.memory.spilled - seen);
    if (exhausted > 0) this.#options.onExhausted(this, exhausted);
    const items = rows.flatMap((row) => this.#toItem(row));
    for (const item of items) this.memory.adopt(item.text.length);
    this.#items.unshift(...items);
    // Nothing backs off in these stages: what is not due yet was made before the clock stepped back.
    if (dueAt !== undefined) this.#notBefore = dueAt;
    if (this.#items.length > 0) this.#announce();
    else if (suspect) this.#options.onSuspect(this);
    else if (seen > 0 || drained || dueAt !== undefined) this.#claim();
    else this.park();
  }

  #toItem(row: QueueRow): IngressItem[] {
    const { token, body } = row;
    if (token === undefined) return [];
    if (body === undefined) {
      this.#options.onUnreadable(this, { seq: row.seq, token, messageSeq: row.messageSeq });
      return [];
    }
    const { seq, messageSeq, receivedAt, handler, attempts } = row;
    const { messageId, metadata, answer } = row;
    const message = { messageSeq, messageId, metadata, receivedAt, text: body };
    return [{ ...message, seq, token, handler, attempts, answer }];
  }
}
