/**
 * One outbound's FIFO: sends its head, resolves it, claims the next row in the same commit.
 *
 * At most one delivery of an ordered lane is on the wire. A head that backs off blocks its lane.
 * Rows behind the head wait in memory while the lane is hot and are read ahead from the store
 * while it is not; either way a row is claimed durably before it is sent.
 */
import type { Clock } from "../clock.ts";
import type { DeliveryAnswer, Destination } from "../connectors/connector.ts";
import { errorClass } from "../errors.ts";
import type { Failpoints } from "../failpoints.ts";
import type { OutboundDefinition } from "../graph/graph.ts";
import { peekControlId } from "../hl7/mod.ts";
import type { Logger } from "../logging/logger.ts";
import type { ClaimResult, NextClaim, QueueRow, ResolveResult } from "../store/intents.ts";
import type { Store } from "../store/store.ts";
import { LaneMemory, type MemoryBudget } from "./memory.ts";
import { judgeAnswer, judgeFailure, type Verdict } from "./retry.ts";

/** A row of this lane with its content. */
export interface OutboundItem {
  readonly seq: number;
  readonly messageSeq: number;
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
  readonly observer: OutboundObserver;
}

/** What the rest of the engine wants to know of a lane. */
export interface OutboundObserver {
  delivered(lane: OutboundLane, item: OutboundItem): void;
  retried(lane: OutboundLane, item: OutboundItem, reason: string): void;
  died(lane: OutboundLane, item: OutboundItem, reason: string): void;
  halted(lane: OutboundLane, reason: string): void;
}

/** Rows one cold claim reads beside the head it claims. */
const READ_AHEAD = 63;
const UNORDERED_ROWS = 20;
/** A lane this deep marches: its commits wait for the other lanes' and for nothing else. */
const MARCHING_DEPTH = 4;
/** A partner this quick, on average, is worth waiting for. */
const MARCHING_PARTNER_MS = 3;
const PARK_FIRST_MS = 1_000;
const PARK_MAX_MS = 60_000;
/** By how much wall clock and monotonic clock may part while a row backs off. */
const CLOCK_SLACK_MS = 1_000;
/** Lanes whose partner answers slower than this on average are the partner's pace, not ours. */
const PARTNER_SLOW_MS = 25;

export class OutboundLane {
  readonly name: string;
  readonly definition: OutboundDefinition;
  readonly memory: LaneMemory;
  readonly #options: OutboundLaneOptions;
  destination: Destination;
  /** Head first. Only the head may be in flight. */
  #items: OutboundItem[] = [];
  #running = false;
  /** Something happened while the lane ran: it looks again before it rests. */
  #woken = false;
  #resyncWanted = false;
  /** Was sent, and the store failed to note what came of it. */
  #unnoted: OutboundItem | undefined;
  /** More or fewer rows are open than memory thought: count again once it has run what it holds. */
  #stale = false;
  #resyncing = false;
  #claiming = false;
  #paused = false;
  #stopped = false;
  #haltedFor: string | undefined;
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;
  #parkMs = PARK_FIRST_MS;
  /** Microseconds: what the next claim takes for now, once, after the clock has stepped back. */
  #notBefore = 0;
  #sending = new AbortController();
  #marches = false;
  /** Rows an unordered lane claimed and has not resolved. */
  #claimed = 0;
  #partnerMs = 0;
  #lastDeliveredAt = Number.NEGATIVE_INFINITY;
  #idle: (() => void)[] = [];

  constructor(options: OutboundLaneOptions) {
    this.#options = options;
    this.name = options.definition.name;
    this.definition = options.definition;
    this.destination = options.destination;
    this.memory = new LaneMemory(options.budget, options.open);
  }

  get depth(): number {
    return this.memory.depth;
  }

  /** Epoch microseconds of the oldest row known here. */
  get oldestCreatedAt(): number | undefined {
    return this.#items[0]?.createdAt;
  }

  /** The same of one inbound's rows. */
  oldestOf(channel: string): number | undefined {
    return this.#items.find((item) => item.channel === channel)?.createdAt;
  }

  /** Rows claimed and not resolved. */
  get inFlight(): number {
    if (!this.#isOrdered) return this.#claimed;
    return this.#items[0]?.token === undefined ? 0 : 1;
  }

  /** Delivers at its own pace now: its backlog is the engine's to work off, not the partner's. */
  get isFlowing(): boolean {
    return this.#partnerMs < PARTNER_SLOW_MS &&
      this.#options.clock.monotonic() - this.#lastDeliveredAt < 500;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isBusy(): boolean {
    return this.#running;
  }

  get haltedFor(): string | undefined {
    return this.#haltedFor;
  }

  get #isOrdered(): boolean {
    return this.definition.ordering === "fifo";
  }

  get #isBlocked(): boolean {
    return this.#paused || this.#stopped || this.#haltedFor !== undefined;
  }

  /**
   * Decides how a row about to be committed is born: in flight under a token (head of an idle
   * lane), held in memory as pending, or spilled.
   */
  admit(payloadLength: number): { readonly held: boolean; readonly token: number | undefined } {
    if (!this.#isOrdered || this.#resyncWanted || this.#resyncing) {
      this.memory.spilled += 1;
      return { held: false, token: undefined };
    }
    const idle = this.memory.depth === 0 && !this.#isBlocked && !this.#claiming;
    if (!this.memory.admit(payloadLength)) return { held: false, token: undefined };
    return { held: true, token: idle ? this.#options.store.nextToken() : undefined };
  }

  /** A held row is committed. */
  committed(item: OutboundItem, generation: number): void {
    if (generation !== this.memory.generation) return;
    this.#items.push(item);
    // While a delivery is on the wire the head is its; it is given back when that has ended.
    if (!this.#isBlocked) this.wake();
    else void this.#standDown();
  }

  /** The commit of an admitted row failed or was not ours: it does not exist. */
  refused(payloadLength: number, held: boolean, generation: number): void {
    if (generation !== this.memory.generation) return;
    if (held) this.memory.drop(payloadLength);
    else this.memory.spilled -= 1;
  }

  /** Something may be sendable: a new row, a resumed lane, a due time. */
  wake(): void {
    if (this.#isBlocked) return;
    if (this.#running) {
      this.#woken = true;
      return;
    }
    // A head that backs off and a lane whose store failed are not hurried by rows behind them.
    if (this.#wakeTimer !== undefined && (this.#isOrdered || this.#resyncWanted)) return;
    this.#start();
  }

  #start(): void {
    this.#running = true;
    void this.#run();
  }

  /**
   * Rows changed behind memory's back: forget it and ask the store. Resolves at once on a lane
   * that runs, and on one that stands still when it has counted.
   */
  recount(): Promise<void> {
    this.#resyncWanted = true;
    this.#clearTimer();
    if (this.#isBlocked) return this.#standDown();
    this.wake();
    return Promise.resolve();
  }

  /** Operator's stop: the delivery on the wire ends, nothing new begins. Resolves when drained. */
  pause(): Promise<void> {
    this.#paused = true;
    this.#clearTimer();
    return this.#standDown();
  }

  resume(): void {
    this.#paused = false;
    if (this.#haltedFor !== undefined) {
      this.#haltedFor = undefined;
      this.#resyncWanted = true;
    }
    this.#clearTimer();
    this.wake();
  }

  /**
   * Ends the lane; a delivery on the wire gets `graceMs` to be answered. What is claimed and will
   * not be sent is given back.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#clearTimer();
    const timer = setTimeout(() => this.#sending.abort(), graceMs);
    await this.#whenIdle();
    clearTimeout(timer);
    if (!this.#resyncWanted && this.#items[0]?.token === undefined) return;
    try {
      await this.#resync();
    } catch {
      // The rows stay in flight and are recovered at the next start.
    }
  }

  /** A blocked lane gives back what it holds and counts what it has to; resolves when it has. */
  #standDown(): Promise<void> {
    const isOwed = this.#resyncWanted || this.#items[0]?.token !== undefined;
    if (isOwed && !this.#running && !this.#stopped) this.#start();
    return this.#whenIdle();
  }

  #whenIdle(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    try {
      if (this.#isOrdered) await this.#runOrdered();
      else await this.#runUnordered();
    } catch (thrown) {
      // Only the store throws here: nothing it was asked counts, so memory no longer knows.
      this.#options.logger.error("delivery.store_failed", {
        connection: this.name,
        error: errorClass(thrown),
      });
      this.#park();
    } finally {
      this.#march(false);
      this.#running = false;
      for (const resolve of this.#idle.splice(0)) resolve();
      if (!this.#isBlocked && (this.#woken || this.#resyncWanted)) this.wake();
      else if (this.#wakeTimer === undefined) void this.#standDown();
    }
  }

  // Ordered lanes.

  async #runOrdered(): Promise<void> {
    while (!this.#isBlocked) {
      this.#woken = false;
      if (this.#resyncWanted || this.#stale && this.#items.length === 0) await this.#resync();
      const head = this.#items[0] ?? await this.#claimCold();
      if (head === undefined || this.#sleepUntilDue(head)) break;
      if (head.token === undefined && !await this.#claimHead(head)) continue;
      // Stopped or paused while it was claimed: nothing new begins.
      if (!this.#isBlocked) await this.#deliver(head);
    }
    await this.#standStill();
  }

  /** A blocked lane holds nothing in flight and sends nothing, but knows how long it is. */
  async #standStill(): Promise<void> {
    if (!this.#isBlocked) return;
    await this.#releaseHead();
    if (this.#resyncWanted && !this.#stopped) await this.#resync();
  }

  /** Arms the timer for a head that backs off; true when there is nothing to do until then. */
  #sleepUntilDue(head: OutboundItem): boolean {
    const waitMs = head.dueAt - this.#options.clock.monotonic();
    if (waitMs <= 0) return false;
    this.#sleep(waitMs);
    return true;
  }

  #sleep(waitMs: number): void {
    this.#clearTimer();
    if (this.#stopped) return;
    this.#wakeTimer = setTimeout(() => {
      this.#wakeTimer = undefined;
      if (this.#isBlocked) void this.#standDown();
      else this.wake();
    }, Math.ceil(waitMs));
  }

  /** Rests until a row in the store is due, in microseconds of the wall clock. */
  #sleepUntil(dueAt: number): void {
    const waitMs = (dueAt - micros(this.#options.clock)) / 1000;
    if (waitMs <= this.definition.retry.maxBackoffMs + CLOCK_SLACK_MS) return this.#sleep(waitMs);
    // No row backs off that long: it was stamped before the clock stepped back.
    this.#notBefore = dueAt;
    this.#woken = true;
  }

  /** The time a claim is made at. */
  #claimAt(): number {
    const at = Math.max(micros(this.#options.clock), this.#notBefore);
    this.#notBefore = 0;
    return at;
  }

  async #claimHead(head: OutboundItem): Promise<boolean> {
    const { store, clock } = this.#options;
    const token = store.nextToken();
    const { mine } = await store.submit({
      kind: "claim_row",
      seq: head.seq,
      token,
      at: micros(clock),
    });
    if (!mine) {
      this.#resyncWanted = true;
      return false;
    }
    head.token = token;
    head.attempts += 1;
    return true;
  }

  async #claimCold(): Promise<OutboundItem | undefined> {
    if (this.memory.spilled === 0) return undefined;
    const { store } = this.#options;
    const { generation } = this.memory;
    const expected = this.memory.spilled;
    const takesAll = expected <= READ_AHEAD + 1;
    if (takesAll) this.memory.spilled = 0;
    this.#claiming = true;
    let claim: ClaimResult;
    try {
      claim = await store.submit({
        kind: "claim",
        stage: "outbound",
        lane: this.name,
        limit: 1,
        readAhead: READ_AHEAD,
        token: store.nextToken(),
        after: 0,
        unordered: false,
        at: this.#claimAt(),
        attemptsMax: undefined,
      });
    } finally {
      this.#claiming = false;
    }
    if (generation !== this.memory.generation) {
      this.#resyncWanted = true;
      return undefined;
    }
    const [first] = claim.rows;
    if (first?.token !== undefined && first.body === undefined) {
      await this.#bury(first, first.token);
      return undefined;
    }
    return this.#adopt(claim, expected, takesAll);
  }

  #adopt(claim: ClaimResult, expected: number, takesAll: boolean): OutboundItem | undefined {
    const { rows, drained, dueAt } = claim;
    // What came meanwhile stands behind every row of the claim.
    const open = this.memory.depth + (takesAll ? expected : 0);
    if (rows.length === 0 && dueAt !== undefined) {
      this.#forget();
      this.memory.spilled = open;
      this.#sleepUntil(dueAt);
      return undefined;
    }
    const unreadable = rows.findIndex(({ body }) => body === undefined);
    const items = (unreadable < 0 ? rows : rows.slice(0, unreadable)).map(toItem);
    const isOff = takesAll ? rows.length !== expected || !drained : drained;
    if (isOff || unreadable >= 0) {
      // Memory is no more than a part of the lane, whatever it was promised meanwhile.
      this.#forget();
      this.memory.spilled = Math.max(1, open - items.length);
      this.#stale = true;
      this.#resyncWanted = items.length === 0;
    } else if (!takesAll) {
      this.memory.spilled = Math.max(1, open - items.length);
    }
    for (const item of items) this.memory.adopt(item.payload.length);
    this.#items.unshift(...items);
    return this.#items[0];
  }

  /** Gives up a row whose content no configured key opens. */
  async #bury(row: QueueRow, token: number): Promise<void> {
    this.#resyncWanted = true;
    const item: OutboundItem = { ...row, payload: "", token, dueAt: 0 };
    const verdict: Verdict = { act: "dead_letter", reason: "body cannot be decrypted" };
    const { mine } = await this.#resolve(item, verdict);
    if (mine) this.#report(verdict, item);
  }

  async #deliver(head: OutboundItem): Promise<void> {
    const verdict = await this.#send(head);
    this.#options.failpoints.hit("delivery.after_send");
    const isOver = verdict.act === "complete" || verdict.act === "dead_letter";
    const next = isOver ? this.#nextClaim() : undefined;
    const { mine, nextClaimed } = await this.#resolve(head, verdict, next);
    this.#options.failpoints.hit("delivery.after_resolve");
    if (!mine) {
      this.#resyncWanted = true;
      return;
    }
    if (isOver) {
      this.#items.shift();
      this.memory.drop(head.payload.length);
    } else {
      head.token = undefined;
      if (verdict.act === "retry") head.dueAt = this.#options.clock.monotonic() + verdict.waitMs;
      else head.attempts -= 1;
    }
    if (next) this.#applyClaim(next, nextClaimed);
    this.#report(verdict, head);
  }

  /** Writes down what came of a claimed row; a positive answer ends its lane's time of waiting. */
  async #resolve(item: OutboundItem, verdict: Verdict, next?: NextClaim): Promise<ResolveResult> {
    const { store, clock, redact } = this.#options;
    const { seq, messageSeq } = item;
    const token = item.token!;
    const at = micros(clock);
    const destination = this.name;
    if (verdict.act !== "release") this.#unnoted = item;
    let resolved: ResolveResult;
    switch (verdict.act) {
      case "complete": {
        const hint = { pressing: this.#march(next !== undefined) };
        resolved = await store.submit(
          { kind: "complete", seq, token, messageSeq, at, destination, next },
          hint,
        );
        break;
      }
      case "dead_letter": {
        const hint = { pressing: this.#march(next !== undefined) };
        const error = redact(verdict.reason);
        resolved = await store.submit(
          { kind: "dead_letter", seq, token, messageSeq, at, destination, error, next },
          hint,
        );
        break;
      }
      case "retry": {
        const error = redact(verdict.reason);
        const dueAt = at + Math.round(verdict.waitMs * 1000);
        resolved = await store.submit(
          { kind: "retry", seq, token, messageSeq, at, destination, dueAt, error },
        );
        break;
      }
      default:
        resolved = await store.submit({ kind: "release", seq, token, at });
        if (verdict.act === "halt") this.#haltedFor = verdict.reason;
    }
    this.#unnoted = undefined;
    this.#parkMs = PARK_FIRST_MS;
    return resolved;
  }

  /** Joins or leaves the lanes that march; returns whether it does now. */
  #march(hasNext: boolean): boolean {
    const marches = hasNext && this.memory.depth > MARCHING_DEPTH &&
      this.#partnerMs < MARCHING_PARTNER_MS;
    if (marches !== this.#marches) {
      this.#marches = marches;
      this.#options.store.march(marches ? 1 : -1);
    }
    return marches;
  }

  #nextClaim(): NextClaim | undefined {
    const next = this.#items[1];
    if (!next || this.#isBlocked || this.#resyncWanted) return undefined;
    return { seq: next.seq, token: this.#options.store.nextToken() };
  }

  #applyClaim(next: NextClaim, claimed: boolean): void {
    const [head] = this.#items;
    if (!claimed || head?.seq !== next.seq) {
      this.#resyncWanted = true;
      return;
    }
    head.token = next.token;
    head.attempts += 1;
  }

  #report(verdict: Verdict, item: OutboundItem): void {
    const { observer } = this.#options;
    switch (verdict.act) {
      case "complete":
        this.#lastDeliveredAt = this.#options.clock.monotonic();
        observer.delivered(this, item);
        break;
      case "retry":
        observer.retried(this, item, verdict.reason);
        break;
      case "dead_letter":
        observer.died(this, item, verdict.reason);
        break;
      case "halt":
        observer.halted(this, verdict.reason);
    }
  }

  async #send(item: OutboundItem): Promise<Verdict> {
    const { clock, failpoints, simulate } = this.#options;
    failpoints.hit("delivery.before_send");
    if (simulate) return { act: "complete" };
    const startedAt = clock.monotonic();
    try {
      const answer: DeliveryAnswer = await this.destination.send(
        { text: item.payload, controlId: controlIdOf(item.payload) },
        this.#sending.signal,
      );
      this.#partnerMs += (clock.monotonic() - startedAt - this.#partnerMs) / 16;
      return judgeAnswer(answer, item.attempts, this.definition);
    } catch (thrown) {
      // Cut off by a stop: the partner is not to blame, so the row is sent again without a wait.
      if (this.#sending.signal.aborted) return { act: "release" };
      return judgeFailure(thrown, item.attempts, this.definition);
    }
  }

  /** A head claimed for a send that will not happen now gives its attempt back. */
  async #releaseHead(): Promise<void> {
    const [head] = this.#items;
    if (head?.token === undefined) return;
    const { store, clock } = this.#options;
    const { seq, token } = head;
    head.token = undefined;
    head.attempts -= 1;
    await store.submit({ kind: "release", seq, token, at: micros(clock) });
  }

  /** Re-pends what this lane holds and counts what is open; no delivery is on the wire here. */
  async #resync(): Promise<void> {
    this.#resyncWanted = false;
    this.#resyncing = true;
    this.#stale = false;
    this.#forget();
    try {
      if (this.#unnoted !== undefined) {
        await this.#noteSend(this.#unnoted);
        // What came meanwhile is submitted already: the count that follows sees it.
        this.#forget();
      }
      const { open } = await this.#options.store.submit({
        kind: "resync",
        stage: "outbound",
        lane: this.name,
        at: micros(this.#options.clock),
      });
      this.memory.spilled += open;
    } finally {
      this.#resyncing = false;
    }
  }

  /** A send is an attempt, also when the store was away for its outcome: the row is due again. */
  async #noteSend({ seq, messageSeq, token }: OutboundItem): Promise<void> {
    const { store, clock } = this.#options;
    const at = micros(clock);
    const error = "the store could not note the outcome";
    await store.submit({
      kind: "retry",
      seq,
      messageSeq,
      token: token!,
      at,
      destination: this.name,
      dueAt: at,
      error,
    });
    this.#unnoted = undefined;
  }

  #forget(): void {
    this.memory.reset();
    this.#items = [];
  }

  /** The store failed: memory no longer knows, and asks again after a while. */
  #park(): void {
    const open = this.memory.depth;
    this.#forget();
    this.memory.spilled = open;
    this.#resyncWanted = true;
    this.#sleep(this.#parkMs);
    this.#parkMs = Math.min(PARK_MAX_MS, this.#parkMs * 2);
  }

  #clearTimer(): void {
    if (this.#wakeTimer !== undefined) clearTimeout(this.#wakeTimer);
    this.#wakeTimer = undefined;
  }

  // Unordered lanes: claim what is due, send one by one, let failures rotate back.

  async #runUnordered(): Promise<void> {
    const { store } = this.#options;
    while (!this.#isBlocked) {
      this.#woken = false;
      if (this.#resyncWanted) await this.#resync();
      if (this.memory.spilled === 0) break;
      const { rows, dueAt, drained } = await store.submit({
        kind: "claim",
        stage: "outbound",
        lane: this.name,
        limit: UNORDERED_ROWS,
        readAhead: 0,
        token: store.nextToken(UNORDERED_ROWS),
        after: 0,
        unordered: true,
        at: this.#claimAt(),
        attemptsMax: undefined,
      });
      if (rows.length === 0) {
        if (dueAt === undefined) this.#resyncWanted = !drained;
        else this.#sleepUntil(dueAt);
        break;
      }
      this.#claimed = rows.length;
      for (const row of rows) {
        await this.#deliverUnordered(row);
        this.#claimed -= 1;
      }
    }
    await this.#standStill();
  }

  async #deliverUnordered(row: QueueRow): Promise<void> {
    if (row.token === undefined) return;
    if (row.body === undefined && !this.#isBlocked) return this.#bury(row, row.token);
    const item = toItem(row);
    const verdict: Verdict = this.#isBlocked ? { act: "release" } : await this.#send(item);
    const { mine } = await this.#resolve(item, verdict);
    if (!mine) {
      this.#resyncWanted = true;
      return;
    }
    const isOver = verdict.act === "complete" || verdict.act === "dead_letter";
    if (isOver) this.memory.spilled = Math.max(0, this.memory.spilled - 1);
    this.#report(verdict, item);
  }
}

function toItem(row: QueueRow): OutboundItem {
  return {
    seq: row.seq,
    messageSeq: row.messageSeq,
    channel: row.channel,
    payload: row.body ?? "",
    attempts: row.attempts,
    createdAt: row.createdAt,
    token: row.token,
    dueAt: 0,
  };
}

/** What the partner's acknowledgement has to name; only HL7 payloads have one. */
function controlIdOf(payload: string): string | undefined {
  return payload.startsWith("MSH") ? peekControlId(payload) : undefined;
}

function micros(clock: Clock): number {
  return Math.round(clock.now() * 1000);
}
