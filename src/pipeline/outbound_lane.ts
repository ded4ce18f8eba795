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
import { peekHeader } from "../hl7/mod.ts";
import type { Logger } from "../logging/logger.ts";
import type { ClaimResult, QueueRow, ResolveResult } from "../store/intents.ts";
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
  #resyncWanted = false;
  #resyncing = false;
  #claiming = false;
  #paused = false;
  #stopped = false;
  #haltedFor: string | undefined;
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;
  #parkMs = PARK_FIRST_MS;
  #parkedUntil = 0;
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
    const idle = this.memory.depth === 0 && !this.#isBlocked && !this.#claiming &&
      this.#parkedUntil <= this.#options.clock.monotonic();
    if (!this.memory.admit(payloadLength)) return { held: false, token: undefined };
    return { held: true, token: idle ? this.#options.store.nextToken() : undefined };
  }

  /** A held row is committed. */
  committed(item: OutboundItem, generation: number): void {
    if (generation !== this.memory.generation) return;
    this.#items.push(item);
    // While a delivery is on the wire the head is its; it is given back when that has ended.
    if (!this.#isBlocked) this.wake();
    else if (!this.#running) void this.#giveBack();
  }

  /** The commit of an admitted row failed or was not ours: it does not exist. */
  refused(payloadLength: number, held: boolean, generation: number): void {
    if (generation !== this.memory.generation) return;
    if (held) this.memory.drop(payloadLength);
    else this.memory.spilled -= 1;
  }

  /** Something may be sendable: a new row, a resumed lane, a due time. */
  wake(): void {
    if (this.#running || this.#isBlocked) return;
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
    if (!this.#isBlocked || this.#stopped) {
      this.wake();
      return Promise.resolve();
    }
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
    return this.#whenIdle();
  }

  /** Operator's stop: the delivery on the wire ends, nothing new begins. Resolves when drained. */
  pause(): Promise<void> {
    this.#paused = true;
    this.#clearTimer();
    return this.#running ? this.#whenIdle() : this.#giveBack();
  }

  resume(): void {
    this.#paused = false;
    if (this.#haltedFor !== undefined) {
      this.#haltedFor = undefined;
      this.#resyncWanted = true;
    }
    this.wake();
  }

  /** Ends the lane; a delivery on the wire gets `graceMs` to be answered. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#clearTimer();
    const timer = setTimeout(() => this.#sending.abort(), graceMs);
    await this.#whenIdle();
    clearTimeout(timer);
  }

  /** Releases a head that was claimed before the lane was blocked. */
  async #giveBack(): Promise<void> {
    try {
      await this.#releaseHead();
    } catch {
      this.#resyncWanted = true;
    }
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
      if (this.#resyncWanted && !this.#isBlocked && this.#wakeTimer === undefined) this.wake();
    }
  }

  // Ordered lanes.

  async #runOrdered(): Promise<void> {
    while (!this.#isBlocked) {
      if (this.#resyncWanted) await this.#resync();
      const head = this.#items[0] ?? await this.#claimCold();
      if (head === undefined) return;
      if (this.#sleepUntilDue(head)) return;
      if (head.token === undefined && !await this.#claimHead(head)) continue;
      this.#parkMs = PARK_FIRST_MS;
      await this.#deliver(head);
    }
    await this.#releaseHead();
    await this.#resyncStanding();
  }

  /** A blocked lane sends nothing, but knows how long it is. */
  async #resyncStanding(): Promise<void> {
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
    this.#wakeTimer = setTimeout(() => {
      this.#wakeTimer = undefined;
      this.wake();
    }, Math.ceil(waitMs));
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
    const { store, clock } = this.#options;
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
        at: micros(clock),
        attemptsMax: undefined,
      });
    } finally {
      this.#claiming = false;
    }
    if (generation !== this.memory.generation) {
      this.#resyncWanted = true;
      return undefined;
    }
    return this.#adopt(claim, expected, takesAll);
  }

  #adopt(claim: ClaimResult, expected: number, takesAll: boolean): OutboundItem | undefined {
    const { rows, drained, dueAt } = claim;
    if (rows.length === 0 && dueAt !== undefined) {
      // Rows that were promised a place in memory meanwhile stand behind the one that backs off.
      this.memory.reset();
      this.#items = [];
      this.memory.spilled = expected;
      this.#sleep((dueAt - micros(this.#options.clock)) / 1000);
      return undefined;
    }
    if (takesAll && (rows.length !== expected || !drained)) {
      // Another count than expected: keep the claimed head, recount once it is resolved.
      this.#resyncWanted = rows.length === 0;
      this.memory.reset();
      this.memory.spilled = 1;
    }
    if (!takesAll) this.memory.spilled = Math.max(0, this.memory.spilled - rows.length);
    const items: OutboundItem[] = [];
    for (const row of rows) {
      if (row.body === undefined) {
        if (row.token !== undefined) void this.#bury(row, row.token);
        break;
      }
      items.push({
        seq: row.seq,
        messageSeq: row.messageSeq,
        channel: row.channel,
        payload: row.body,
        attempts: row.attempts,
        createdAt: row.createdAt,
        token: row.token,
        dueAt: 0,
      });
      this.memory.adopt(row.body.length);
    }
    this.#items.unshift(...items);
    return this.#items[0];
  }

  /** Gives up a row whose content no configured key opens. */
  async #bury(row: QueueRow, token: number): Promise<void> {
    this.#resyncWanted = true;
    const { store, clock, observer } = this.#options;
    const error = "body cannot be decrypted";
    const { mine } = await store.submit({
      kind: "dead_letter",
      at: micros(clock),
      seq: row.seq,
      token,
      messageSeq: row.messageSeq,
      destination: this.name,
      error,
      next: undefined,
    });
    if (mine) observer.died(this, { ...row, payload: "", token, dueAt: 0 }, error);
  }

  async #deliver(head: OutboundItem): Promise<void> {
    const verdict = await this.#send(head);
    const { store, clock, observer, failpoints } = this.#options;
    failpoints.hit("delivery.after_send");
    const row = { seq: head.seq, token: head.token!, messageSeq: head.messageSeq };
    const at = micros(clock);
    const destination = this.name;
    let resolved: ResolveResult;
    switch (verdict.act) {
      case "complete":
      case "dead_letter": {
        const next = this.#nextClaim();
        const hint = { pressing: this.#march(next !== undefined) };
        resolved = verdict.act === "complete"
          ? await store.submit({ kind: "complete", ...row, at, destination, next }, hint)
          : await store.submit({
            kind: "dead_letter",
            ...row,
            at,
            destination,
            error: this.#options.redact(verdict.reason),
            next,
          }, hint);
        if (resolved.mine && this.#items[0] === head) this.#items.shift();
        if (resolved.mine) this.memory.drop(head.payload.length);
        if (next) this.#applyClaim(next, resolved.nextClaimed);
        break;
      }
      case "retry": {
        const error = this.#options.redact(verdict.reason);
        const dueAt = at + Math.round(verdict.waitMs * 1000);
        resolved = await store.submit({ kind: "retry", ...row, at, destination, dueAt, error });
        head.token = undefined;
        head.dueAt = clock.monotonic() + verdict.waitMs;
        break;
      }
      case "halt":
        resolved = await store.submit({ kind: "release", ...row, at });
        head.token = undefined;
        this.#haltedFor = verdict.reason;
        break;
    }
    failpoints.hit("delivery.after_resolve");
    if (!resolved.mine) this.#resyncWanted = true;
    else this.#report(observer, verdict, head);
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

  #nextClaim(): { seq: number; token: number } | undefined {
    const next = this.#items[1];
    if (!next || this.#isBlocked || this.#resyncWanted) return undefined;
    return { seq: next.seq, token: this.#options.store.nextToken() };
  }

  #applyClaim(next: { seq: number; token: number }, claimed: boolean): void {
    const [head] = this.#items;
    if (!claimed || head?.seq !== next.seq) {
      this.#resyncWanted = true;
      return;
    }
    head.token = next.token;
    head.attempts += 1;
  }

  #report(observer: OutboundObserver, verdict: Verdict, item: OutboundItem): void {
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
    this.memory.reset();
    this.#items = [];
    try {
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

  #park(): void {
    this.#resyncWanted = true;
    this.#parkedUntil = this.#options.clock.monotonic() + this.#parkMs;
    if (!this.#isBlocked) this.#sleep(this.#parkMs);
    this.#parkMs = Math.min(PARK_MAX_MS, this.#parkMs * 2);
  }

  #clearTimer(): void {
    if (this.#wakeTimer !== undefined) clearTimeout(this.#wakeTimer);
    this.#wakeTimer = undefined;
  }

  // Unordered lanes: claim what is due, send one by one, let failures rotate back.

  async #runUnordered(): Promise<void> {
    const { store, clock } = this.#options;
    while (!this.#isBlocked) {
      if (this.#resyncWanted) await this.#resync();
      if (this.memory.spilled === 0) return;
      const claim = await store.submit({
        kind: "claim",
        stage: "outbound",
        lane: this.name,
        limit: UNORDERED_ROWS,
        readAhead: 0,
        token: store.nextToken(UNORDERED_ROWS),
        after: 0,
        unordered: true,
        at: micros(clock),
        attemptsMax: undefined,
      });
      if (claim.rows.length === 0) {
        if (claim.dueAt === undefined) this.#resyncWanted = !claim.drained;
        else this.#sleep((claim.dueAt - micros(clock)) / 1000);
        return;
      }
      this.#claimed = claim.rows.length;
      for (const row of claim.rows) {
        await this.#deliverUnordered(row);
        this.#claimed -= 1;
      }
    }
    await this.#resyncStanding();
  }

  async #deliverUnordered(row: ClaimResult["rows"][number]): Promise<void> {
    const { store, clock, observer } = this.#options;
    const { seq, messageSeq, token, body } = row;
    if (token === undefined) return;
    const at = micros(clock);
    if (this.#isBlocked) {
      await store.submit({ kind: "release", seq, token, at });
      return;
    }
    if (body === undefined) return this.#bury(row, token);
    const item: OutboundItem = { ...row, payload: body, token, dueAt: 0 };
    const verdict = await this.#send(item);
    const destination = this.name;
    const now = micros(clock);
    let resolved: ResolveResult;
    if (verdict.act === "complete") {
      resolved = await store.submit({
        kind: "complete",
        seq,
        token,
        messageSeq,
        destination,
        at: now,
        next: undefined,
      });
    } else if (verdict.act === "dead_letter") {
      const error = this.#options.redact(verdict.reason);
      resolved = await store.submit({
        kind: "dead_letter",
        seq,
        token,
        messageSeq,
        destination,
        error,
        at: now,
        next: undefined,
      });
    } else if (verdict.act === "retry") {
      const error = this.#options.redact(verdict.reason);
      const dueAt = now + Math.round(verdict.waitMs * 1000);
      resolved = await store.submit({
        kind: "retry",
        seq,
        token,
        messageSeq,
        destination,
        dueAt,
        error,
        at: now,
      });
    } else {
      this.#haltedFor = verdict.reason;
      resolved = await store.submit({ kind: "release", seq, token, at: now });
    }
    const isOver = verdict.act === "complete" || verdict.act === "dead_letter";
    if (!resolved.mine) this.#resyncWanted = true;
    else {
      if (isOver) this.memory.spilled = Math.max(0, this.memory.spilled - 1);
      this.#report(observer, verdict, item);
    }
  }
}

/** What the partner's acknowledgement has to name; only HL7 payloads have one. */
function controlIdOf(payload: string): string | undefined {
  if (!payload.startsWith("MSH")) return undefined;
  const peek = peekHeader(payload);
  return peek.ok ? peek.header.controlId : undefined;
}

function micros(clock: Clock): number {
  return Math.round(clock.now() * 1000);
}
