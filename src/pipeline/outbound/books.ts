/**
 * What memory holds of one outbound lane, and how it gets to know again once that is in doubt.
 *
 * Memory is a prefix of the lane, or nothing. Whoever finds that the store holds other rows than
 * memory took for granted asks for a resync; nothing is argued with, everything is counted anew.
 */
import { micros } from "../../clock.ts";
import { LaneMemory } from "../memory.ts";
import type { OutboundItem, OutboundLaneOptions } from "../outbound_lane.ts";
import type { Delivery } from "./delivery.ts";
import type { LaneRest } from "./rest.ts";

export class LaneBooks {
  readonly memory: LaneMemory;
  readonly #options: OutboundLaneOptions;
  readonly #delivery: Delivery;
  readonly #rest: LaneRest;
  /** Head first. Only the head may be in flight. Empty on an unordered lane, whose rows all spill. */
  #items: OutboundItem[] = [];
  #resyncWanted = false;
  #resyncing = false;
  /** More or fewer rows are open than memory thought: count again once it has run what it holds. */
  #stale = false;

  constructor(options: OutboundLaneOptions, delivery: Delivery, rest: LaneRest) {
    this.memory = new LaneMemory(options.budget, options.open);
    this.#options = options;
    this.#delivery = delivery;
    this.#rest = rest;
  }

  get head(): OutboundItem | undefined {
    return this.#items[0];
  }

  /** The row behind the head. */
  get second(): OutboundItem | undefined {
    return this.#items[1];
  }

  /** Epoch microseconds of the oldest row held of one inbound. */
  oldestOf(channel: string): number | undefined {
    return this.#items.find((item) => item.channel === channel)?.createdAt;
  }

  get isResyncWanted(): boolean {
    return this.#resyncWanted;
  }

  /** Nothing more is to be run before the store was asked. */
  get mustResync(): boolean {
    return this.#resyncWanted || this.#stale && this.#items.length === 0;
  }

  /** A lane that will not run owes the store a claim to give back, or itself a count. */
  get isOwing(): boolean {
    return this.#resyncWanted || this.head?.token !== undefined;
  }

  /** Memory and store disagree: the lane counts before it goes on. */
  wantResync(): void {
    this.#resyncWanted = true;
  }

  /** Reserves room for a row about to be committed; false when it spills. */
  admit(payloadLength: number): boolean {
    // What a resync is about to count, or counts just now, may not be held beside.
    if (!this.#resyncWanted && !this.#resyncing) return this.memory.admit(payloadLength);
    this.memory.spilled += 1;
    return false;
  }

  /** A row that found room is committed. */
  add(item: OutboundItem): void {
    this.#items.push(item);
  }

  /** Takes rows read back from the store; they stand before all that came meanwhile. */
  takeBack(items: readonly OutboundItem[]): void {
    for (const item of items) this.memory.adopt(item.payload.length);
    this.#items.unshift(...items);
  }

  /** The head is resolved for good. */
  removeHead(): void {
    const head = this.#items.shift();
    if (head) this.memory.drop(head.payload.length);
  }

  /** Forgets every row held; `spilled` are open in the store as far as is known. */
  forget(spilled = 0): void {
    this.memory.reset();
    this.memory.spilled = spilled;
    this.#items = [];
    this.#stale = false;
  }

  /**
   * Forgets all but `items`, which the store has just given: memory is no more than a part of the
   * lane, whatever it was promised meanwhile. The count follows when they have run.
   */
  beginAgain(items: readonly OutboundItem[], spilled: number): void {
    this.forget(spilled);
    this.#stale = true;
    // One wanted while the store was asked is still owed: the answer may be older than its cause.
    this.#resyncWanted ||= items.length === 0;
    this.takeBack(items);
  }

  /** Re-pends what this lane holds and counts what is open; no delivery is on the wire here. */
  async resync(): Promise<void> {
    this.#resyncWanted = false;
    this.#resyncing = true;
    this.memory.inQuestion = this.memory.openRows;
    this.forget();
    try {
      if (this.#delivery.owesNote) {
        await this.#delivery.noteSend();
        // What came meanwhile is submitted already: the count that follows sees it.
        this.forget();
      }
      const { store, clock, definition } = this.#options;
      const { open } = await store.submit({
        kind: "resync",
        stage: "outbound",
        lane: definition.name,
        at: micros(clock),
      });
      this.memory.spilled += open;
      this.memory.inQuestion = 0;
    } finally {
      this.#resyncing = false;
    }
  }

  /** A blocked lane holds nothing in flight and sends nothing, but knows how long it is. */
  async standStill(): Promise<void> {
    if (!this.#rest.isBlocked) return;
    await this.#releaseHead();
    if (this.#resyncWanted && !this.#rest.isStopped) await this.resync();
  }

  /** A head claimed for a send that will not happen now gives its attempt back. */
  async #releaseHead(): Promise<void> {
    const { head } = this;
    if (head?.token === undefined) return;
    const { store, clock } = this.#options;
    const { seq, token } = head;
    head.token = undefined;
    head.attempts -= 1;
    await store.submit({ kind: "release", seq, token, at: micros(clock) });
  }
}
