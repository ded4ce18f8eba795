/**
 * One outbound's queue: takes in its rows, runs while there is something to deliver, rests else.
 *
 * Here stands when a lane runs. What it does then is told in `outbound/`: in which order rows go
 * (`ordered_run.ts`, `unordered_run.ts`), what a delivery is (`delivery.ts`), what memory holds
 * (`books.ts`), what keeps the lane from running (`rest.ts`).
 */
import type { Clock } from "../clock.ts";
import type { Destination } from "../connectors/connector.ts";
import { errorClass } from "../errors.ts";
import type { Failpoints } from "../failpoints.ts";
import type { OutboundDefinition } from "../graph/graph.ts";
import type { Logger } from "../logging/logger.ts";
import type { Store } from "../store/store.ts";
import type { IngressLane } from "./ingress_lane.ts";
import type { LaneMemory, MemoryBudget } from "./memory.ts";
import { LaneBooks } from "./outbound/books.ts";
import { Delivery } from "./outbound/delivery.ts";
import { OrderedRun } from "./outbound/ordered_run.ts";
import { LaneRest } from "./outbound/rest.ts";
import type { Admission, LaneRun } from "./outbound/run.ts";
import { UnorderedRun } from "./outbound/unordered_run.ts";

/** A row of this lane with its content. */
export interface OutboundItem {
  readonly seq: number;
  readonly messageSeq: number;
  readonly messageId: string;
  /** Of the message. */
  readonly metadata: string | undefined;
  readonly channel: string;
  readonly payload: string;
  /** Claims so far, the current one included once claimed. */
  attempts: number;
  /** Epoch microseconds the row was made at. */
  readonly createdAt: number;
  /** Set while this process holds the row in flight. */
  token: number | undefined;
  /** Milliseconds of the monotonic clock before which it is not sent again. */
  dueAt: number;
}

export interface OutboundLaneOptions {
  readonly definition: OutboundDefinition;
  readonly destination: Destination;
  readonly store: Store;
  readonly budget: MemoryBudget;
  readonly open: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoints: Failpoints;
  readonly simulate: boolean;
  readonly redact: (text: string) => string;
  /** The lane of a loopback that takes answers in. */
  readonly responseLane: (loopback: string) => IngressLane | undefined;
  readonly observer: OutboundObserver;
  /** Whether this node may act at this moment; asked before each send. */
  readonly mayAct?: () => boolean;
}

/** What the rest of the engine wants to know of a lane. */
export interface OutboundObserver {
  delivered(lane: OutboundLane, item: OutboundItem): void;
  /** The partner answered that it does not take it, for now or for good. */
  refused(lane: OutboundLane, item: OutboundItem): void;
  retried(lane: OutboundLane, item: OutboundItem, reason: string): void;
  died(lane: OutboundLane, item: OutboundItem, reason: string): void;
  halted(lane: OutboundLane, item: OutboundItem, reason: string): void;
}

export class OutboundLane {
  readonly name: string;
  definition: OutboundDefinition;
  destination: Destination;
  readonly #options: OutboundLaneOptions;
  readonly #rest: LaneRest;
  readonly #delivery: Delivery;
  readonly #books: LaneBooks;
  readonly #run: LaneRun;
  #running = false;
  /** The lane of a graph before still ends what it has on the wire; this one waits for it. */
  #isWaiting = false;
  #idle: (() => void)[] = [];

  constructor(options: OutboundLaneOptions) {
    const { definition, destination, clock } = options;
    this.#options = options;
    this.name = definition.name;
    this.definition = definition;
    this.destination = destination;
    this.#rest = new LaneRest({
      clock,
      maxBackoffMs: definition.retry.maxBackoffMs,
      mayAct: options.mayAct ?? always,
      onDue: () => this.#onDue(),
    });
    this.#delivery = new Delivery(this, options, this.#rest);
    this.#books = new LaneBooks(options, this.#delivery, this.#rest);
    const parts = { options, rest: this.#rest, delivery: this.#delivery, books: this.#books };
    this.#run = this.#isOrdered ? new OrderedRun(parts) : new UnorderedRun(parts);
  }

  get memory(): LaneMemory {
    return this.#books.memory;
  }

  get depth(): number {
    return this.memory.depth;
  }

  /** Epoch microseconds of the oldest row known here. */
  get oldestCreatedAt(): number | undefined {
    return this.#books.head?.createdAt;
  }

  /** The same of one inbound's rows. */
  oldestOf(channel: string): number | undefined {
    return this.#books.oldestOf(channel);
  }

  /** Rows claimed and not resolved. */
  get inFlight(): number {
    return this.#run.inFlight;
  }

  /** Delivers at its own pace now: its backlog is the engine's to work off, not the partner's. */
  get isFlowing(): boolean {
    return this.#delivery.isFlowing;
  }

  get isPaused(): boolean {
    return this.#rest.isPaused;
  }

  get isBusy(): boolean {
    return this.#running || this.#isWaiting;
  }

  get haltedFor(): string | undefined {
    return this.#rest.haltedFor;
  }

  get #isOrdered(): boolean {
    return this.definition.ordering === "fifo";
  }

  /** Takes over a definition that its parts need not know. */
  adopt(definition: OutboundDefinition): void {
    this.definition = definition;
  }

  /** Begins when its predecessor has ended, with whatever rows the store then holds. */
  follow(predecessor: Promise<unknown>): void {
    this.#isWaiting = true;
    this.#books.wantResync();
    void predecessor.finally(() => {
      this.#isWaiting = false;
      void this.recount();
      if (!this.#running) this.#tellIdle();
    });
  }

  /**
   * Decides how a row about to be committed is born: in flight under a token (head of an idle
   * lane), held in memory as pending, or spilled.
   */
  admit(payloadLength: number): Admission {
    return this.#run.admit(payloadLength);
  }

  /** A held row is committed. */
  committed(item: OutboundItem, generation: number): void {
    if (generation !== this.memory.generation) return;
    this.#books.add(item);
    // While a delivery is on the wire the head is its; it is given back when that has ended.
    if (!this.#rest.isBlocked) this.wake();
    else void this.#standDown();
  }

  /** The commit of an admitted row failed or was not ours: it does not exist. */
  refused(payloadLength: number, held: boolean, generation: number): void {
    if (generation !== this.memory.generation) return;
    if (held) this.memory.drop(payloadLength);
    else this.memory.spilled -= 1;
    // What spilled behind it waited for it.
    if (held && this.memory.spilled > 0) this.wake();
  }

  /** Something may be sendable: a new row, a resumed lane, a due time. */
  wake(): void {
    if (this.#rest.isBlocked) return;
    if (this.#running) return this.#rest.lookAgain();
    // A head that backs off and a lane whose store failed are not hurried by rows behind them.
    if (this.#rest.isAsleep && (this.#isOrdered || this.#books.isResyncWanted)) return;
    this.#start();
  }

  /** Runs if it has something to do, waits for nothing and was not woken. */
  nudge(): void {
    if (this.isBusy || this.#rest.isAsleep) return;
    if (this.depth > 0 || this.#books.isResyncWanted) this.wake();
  }

  /**
   * Rows changed behind memory's back: forget it and ask the store. Resolves at once on a lane
   * that runs, and on one that stands still when it has counted.
   */
  recount(): Promise<void> {
    this.#books.wantResync();
    this.#rest.endSleep();
    if (this.#rest.isBlocked) return this.#standDown();
    this.wake();
    return Promise.resolve();
  }

  /** Operator's stop: the delivery on the wire ends, nothing new begins. Resolves when drained. */
  pause(): Promise<void> {
    this.#rest.pause();
    return this.#standDown();
  }

  resume(): void {
    const wasHalted = this.#rest.resume();
    if (wasHalted) this.#books.wantResync();
    this.wake();
  }

  /**
   * Ends the lane; a delivery on the wire gets `graceMs` to be answered. What is claimed and will
   * not be sent is given back.
   */
  async stop(graceMs: number): Promise<void> {
    this.#rest.stop();
    const timer = setTimeout(() => this.#delivery.abort(), graceMs);
    await this.#whenIdle();
    clearTimeout(timer);
    try {
      if (this.#books.isOwing) await this.#books.resync();
    } catch {
      // The rows stay in flight and are recovered at the next start.
    } finally {
      // What it held takes no memory from the others any more.
      this.#books.forget(this.depth);
    }
  }

  /** The time it slept until has come. */
  #onDue(): void {
    if (this.#rest.isBlocked) void this.#standDown();
    else this.wake();
  }

  /** A blocked lane gives back what it holds and counts what it has to; resolves when it has. */
  #standDown(): Promise<void> {
    if (this.#books.isOwing && !this.#running && !this.#rest.isStopped) this.#start();
    return this.#whenIdle();
  }

  #whenIdle(): Promise<void> {
    if (!this.isBusy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #tellIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #start(): void {
    if (this.#isWaiting) return;
    this.#running = true;
    void this.#runOnce();
  }

  async #runOnce(): Promise<void> {
    try {
      await this.#run.run();
    } catch (thrown) {
      // Only the store throws here: nothing it was asked counts, so memory no longer knows.
      this.#options.logger.error("delivery.store_failed", {
        connection: this.name,
        error: errorClass(thrown),
      });
      this.#park();
    } finally {
      this.#delivery.march(false);
      this.#running = false;
      this.#tellIdle();
      this.#lookOnceMore();
    }
  }

  /** The store failed: memory no longer knows, and asks again after a while. */
  #park(): void {
    this.#books.forget(this.depth);
    this.#books.wantResync();
    this.#rest.park();
  }

  /** What happened while the lane came to its end is not slept over. */
  #lookOnceMore(): void {
    const { isBlocked, isWoken, isAsleep } = this.#rest;
    if (!isBlocked && (isWoken || this.#books.isResyncWanted)) this.wake();
    else if (!isAsleep) void this.#standDown();
  }
}

function always(): boolean {
  return true;
}
