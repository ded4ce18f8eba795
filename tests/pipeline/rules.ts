/**
 * What must hold, looked at while a simulation runs and at its end. Numbers are those of the
 * invariants in spec pipeline-store-cluster §10.
 */
import type { InternalErrorPolicy } from "../../src/graph/graph.ts";
import type { FakeDatabase, FakeRow } from "./fake_database.ts";
import { childOf, COUNTER, deliveryKey, keyOf, planOf } from "./plan.ts";

export type Outcome = "taken" | "AE" | "AR" | "refused" | "lost" | "bug" | "aborted";

export interface RulesOptions {
  readonly database: FakeDatabase;
  readonly outbounds: number;
  readonly loopbacks: number;
  readonly retryMax: number | null;
  readonly internalError: InternalErrorPolicy;
  /** Milliseconds of virtual time, for reports. */
  readonly now: () => number;
  /** Microseconds of the wall clock. */
  readonly wall: () => number;
  readonly isOrdered: (lane: string) => boolean;
  /** False: a due time says nothing, for the wall clock steps. */
  readonly isClockSteady: boolean;
}

interface Sent {
  readonly lane: string;
  readonly seq: number;
  outcome: Outcome;
}

const DEFECTS_MAX = 10;

export class Rules {
  readonly defects: string[] = [];
  readonly #options: RulesOptions;
  readonly #sent: Sent[] = [];
  readonly #onWire = new Map<string, number>();
  /** Messages in the order they came, by inbound; true once the sender was told they are stored. */
  readonly #arrived = new Map<string, Map<string, boolean>>();
  /** Messages of which an operator requeued something: order says nothing of them. */
  readonly #replayedMessages = new Set<string>();
  /** How often a row may be taken once more: its answer was lost on the way to its row. */
  readonly #excuses = new Map<number, number>();
  /** Rows whose attempts count more than sends, for a process ended while it held them. */
  readonly #recovered = new Set<number>();
  /** Lanes an operator keeps from sending. */
  readonly paused = new Set<string>();
  /** Messages that end the process: they are given up, and only they. */
  readonly poisons = new Set<string>();

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  defect(text: string): void {
    if (this.defects.length < DEFECTS_MAX) this.defects.push(`${this.#options.now()} ms: ${text}`);
  }

  // What is told while it happens.

  arrived(inbound: string, id: string): void {
    const messages = this.#arrived.get(inbound) ?? new Map<string, boolean>();
    this.#arrived.set(inbound, messages.set(id, false));
  }

  answered(inbound: string, id: string, isStored: boolean): void {
    this.#arrived.get(inbound)!.set(id, isStored);
  }

  replayed(id: string): void {
    this.#replayedMessages.add(id);
  }

  /** A resolution of this row was not written. */
  unresolved(seq: number): void {
    this.#excuses.set(seq, (this.#excuses.get(seq) ?? 0) + 1);
  }

  /** A process ended while it held these rows. */
  abandoned(rows: readonly FakeRow[]): void {
    for (const { seq } of rows) {
      this.#recovered.add(seq);
      this.unresolved(seq);
    }
    this.#onWire.clear();
    this.paused.clear();
  }

  get busyLanes(): string[] {
    return [...this.#onWire].filter(([, count]) => count > 0).map(([lane]) => lane);
  }

  /** A partner gets a payload; returns what `ended()` wants. */
  began(lane: string, payload: string, outcome: Outcome): Sent {
    const key = keyOf(payload);
    const { database, isOrdered, isClockSteady, wall } = this.#options;
    const isFifo = isOrdered(lane);
    const onWire = (this.#onWire.get(lane) ?? 0) + 1;
    this.#onWire.set(lane, onWire);
    if (onWire > 1) this.defect(`I28: ${lane} has ${onWire} deliveries on the wire`);
    if (this.paused.has(lane)) this.defect(`${lane} begins to send although it is paused`);
    const open = database.open("outbound", lane);
    const row = open.find(({ body }) => keyOf(body) === key);
    if (row?.status !== "inflight") {
      this.defect(`I14: ${lane} sends ${key} without a durable claim (${row?.status})`);
    } else {
      if (isClockSteady && row.dueAt > wall()) {
        this.defect(`I32: ${lane} sends ${key} before it is due`);
      }
      const earlier = open.find(({ seq, replays }) => seq < row.seq && replays === 0);
      if (isFifo && earlier) this.defect(`I26: ${lane} sends ${key} past row ${earlier.seq}`);
      if (row.attempts !== row.retries + 1 && !this.#recovered.has(row.seq)) {
        this.defect(`I31: ${lane} sends ${key}, attempt ${row.attempts}, retries ${row.retries}`);
      }
    }
    const sent = { lane, seq: row?.seq ?? -1, outcome };
    this.#sent.push(sent);
    return sent;
  }

  ended(sent: Sent): void {
    this.#onWire.set(sent.lane, this.#onWire.get(sent.lane)! - 1);
  }

  /** I10: an accepted, unfinished message has an open row at every instant. I28: in the rows. */
  checkUnfinished(): void {
    const withRows = new Set<number>();
    const inFlight = new Set<string>();
    for (const { messageSeq, stage, lane, status } of this.#options.database.open()) {
      withRows.add(messageSeq);
      if (stage !== "outbound" || status !== "inflight" || !this.#options.isOrdered(lane)) continue;
      if (inFlight.has(lane)) this.defect(`I28: ${lane} has two rows in flight`);
      inFlight.add(lane);
    }
    for (const { seq, id, status } of this.#options.database.messages.values()) {
      if ((status === "received" || status === "routed") && !withRows.has(seq)) {
        this.defect(`I10: ${id} is ${status} without an open row`);
      }
    }
  }

  /** After a stop in order: nothing is in flight and no attempt was spent on it. */
  checkStopped(): void {
    for (const row of this.#options.database.open()) {
      if (row.status === "inflight") {
        this.defect(`stop() leaves row ${row.seq} (${row.stage} ${row.lane}) in flight`);
      } else if (row.attempts > row.retries && !this.#recovered.has(row.seq)) {
        this.defect(`stop() costs row ${row.seq} (${row.stage} ${row.lane}) an attempt`);
      }
    }
  }

  // What must stand at the end.

  checkEnd(): void {
    const { database } = this.#options;
    for (const row of database.open()) {
      this.defect(
        `I71: row ${row.seq} (${row.stage} ${row.lane}) stays ${row.status}, ` +
          `attempts ${row.attempts}`,
      );
    }
    this.#checkIntake();
    for (const message of database.messages.values()) this.#checkMessage(message);
    this.#checkDeliveries();
    this.#checkLaneOrder();
    this.#checkInboundOrder();
    this.#checkState();
    this.#checkLoopbacks();
  }

  /** I3, I4: stored is what the sender was told is stored, and in the order it came. */
  #checkIntake(): void {
    const { database } = this.#options;
    const stored = new Map([...database.messages.values()].map((m) => [rawId(m.raw), m]));
    for (const [inbound, messages] of this.#arrived) {
      let last = 0;
      for (const [id, isStored] of messages) {
        const message = stored.get(id);
        if (isStored && !message) this.defect(`I1: ${inbound} answered ${id}, which is not stored`);
        if (!message) continue;
        if (message.seq < last) this.defect(`I25: ${inbound} stored ${id} before an earlier one`);
        last = message.seq;
      }
    }
  }

  #checkMessage(message: { seq: number; raw: string; status: string }): void {
    const { database } = this.#options;
    const id = rawId(message.raw);
    const rows = database.rowsOf(message.seq);
    const { isRouted, handlers, ran } = this.#expected(id, rows);
    const wanted = ran.flatMap(({ handler, sends }) =>
      sends.map((to, index) => `${to} ${deliveryKey(id, handler, index)}`)
    );
    const made = rows.filter(({ stage }) => stage === "outbound")
      .map(({ lane, body }) => `${lane} ${keyOf(body)}`);
    const [want, got] = [wanted.sort().join(), made.sort().join()];
    if (want !== got) this.defect(`I11: ${id} should have made [${want}], made [${got}]`);
    const isDead = !isRouted || rows.some(({ status }) => status === "dead");
    const status = isDead
      ? "error"
      : handlers.length === 0
      ? "unrouted"
      : wanted.length > 0 || ran.some(({ loops }) => loops.length > 0)
      ? "processed"
      : "filtered";
    if (message.status !== status) {
      this.defect(`I18: ${id} is ${message.status}, should be ${status}`);
    }
    for (const row of rows) {
      if (row.stage === "outbound" || row.status !== "dead" || this.#mayDie(id, row)) continue;
      this.defect(`${id}: ${row.stage} row given up: ${row.error}`);
    }
  }

  /** What was to become of a message, given which of its rows no key opened. */
  #expected(id: string, rows: readonly FakeRow[]) {
    const { outbounds, loopbacks } = this.#options;
    const { routerFails, handlers } = planOf(id, outbounds, loopbacks);
    const lost = rows.filter((row) => row.status === "dead" && this.#isLost(row));
    const isRouted = !(routerFails && this.#fails) && !this.poisons.has(id) &&
      !lost.some(({ stage }) => stage === "ingress");
    const ran = handlers.filter(({ handler, fails }) =>
      isRouted && !(fails && this.#fails) &&
      !lost.some((row) => row.stage === "routed" && row.handler === handler)
    );
    return { isRouted, handlers, ran };
  }

  /** Author code that fails does so again and again; under `stop` it is mended in the end. */
  get #fails(): boolean {
    return this.#options.internalError === "continue";
  }

  #isLost({ seq, error }: FakeRow): boolean {
    return this.#options.database.unreadable.has(seq) && error === "body cannot be decrypted";
  }

  #mayDie(id: string, row: FakeRow): boolean {
    if (this.poisons.has(id)) return row.error === "attempts exhausted";
    if (this.#isLost(row)) return true;
    if (!this.#fails) return false;
    const { routerFails, handlers } = planOf(id, this.#options.outbounds);
    return row.stage === "ingress"
      ? routerFails
      : handlers.some(({ handler, fails }) => handler === row.handler && fails);
  }

  /** Delivered once and no more, unless there is an excuse; given up for a reason only. */
  #checkDeliveries(): void {
    const { database, retryMax, internalError } = this.#options;
    for (const row of database.rows.values()) {
      if (row.stage !== "outbound") continue;
      const sends = this.#sent.filter(({ seq }) => seq === row.seq);
      const taken = sends.filter(({ outcome }) => outcome === "taken").length;
      const what = `row ${row.seq} (${row.lane} ${keyOf(row.body)})`;
      const allowed = 1 + row.replays + (this.#excuses.get(row.seq) ?? 0);
      if (taken > allowed) this.defect(`I35: ${what} delivered ${taken} times`);
      if (row.status === "done" && taken === 0) this.defect(`${what} is done, nobody took it`);
      if (row.status !== "dead" || this.#isLost(row)) continue;
      const last = sends.at(-1)?.outcome;
      const counted = sends.filter(({ outcome }) => outcome !== "aborted").length;
      // A crash between claim and send counts as an attempt (spec §3.4: attempts are kept).
      const isSpent = retryMax !== null &&
        (counted >= retryMax || this.#recovered.has(row.seq));
      if (last !== "AR" && !(last === "bug" && internalError === "continue") && !isSpent) {
        this.defect(`I30: ${what} is dead after ${sends.length} sends, the last ${last}`);
      }
    }
  }

  /** I25: a lane's first deliveries follow its rows. */
  #checkLaneOrder(): void {
    const { database, isOrdered } = this.#options;
    const last = new Map<string, number>();
    const seen = new Set<number>();
    for (const { lane, seq, outcome } of this.#sent) {
      if (outcome !== "taken" || seen.has(seq) || !isOrdered(lane)) continue;
      seen.add(seq);
      if (database.rows.get(seq)?.replays !== 0) continue;
      if (seq < (last.get(lane) ?? 0)) this.defect(`I25: ${lane} delivers row ${seq} late`);
      last.set(lane, seq);
    }
  }

  /** I25: of one inbound, a destination gets what arrived first first. */
  #checkInboundOrder(): void {
    const { database, isOrdered } = this.#options;
    const last = new Map<string, number>();
    const seen = new Set<number>();
    for (const { lane, seq, outcome } of this.#sent) {
      const row = database.rows.get(seq);
      if (outcome !== "taken" || !row || seen.has(seq) || !isOrdered(lane)) continue;
      seen.add(seq);
      const id = rawId(database.messages.get(row.messageSeq)!.raw);
      if (row.replays > 0 || this.#replayedMessages.has(id)) continue;
      const way = `${row.channel} to ${lane}`;
      if (row.messageSeq < (last.get(way) ?? 0)) {
        this.defect(`I25: ${way}: ${keyOf(row.body)} comes after a later message`);
      }
      last.set(way, row.messageSeq);
    }
  }

  /** I22, I25: what goes to a loopback enters it once, and in the order it was sent. */
  #checkLoopbacks(): void {
    const messages = [...this.#options.database.messages.values()];
    const origins = new Map(messages.map((message) => [message.id, message]));
    const entered = new Map<string, number>();
    const last = new Map<string, number>();
    for (const { channel, raw, metadata } of messages.toSorted((a, b) => a.seq - b.seq)) {
      if (metadata === undefined) continue;
      const { correlation_id, passthrough_from } = JSON.parse(metadata);
      const id = rawId(raw);
      entered.set(id, (entered.get(id) ?? 0) + 1);
      if (entered.get(id)! > 1) this.defect(`I22: ${id} entered ${channel} again`);
      // Answers come in the order of their outbound, not of their messages.
      if (passthrough_from === undefined) continue;
      const origin = origins.get(correlation_id)!;
      const way = `${origin.channel} to ${channel}`;
      if (origin.seq < (last.get(way) ?? 0)) this.defect(`I25: ${way}: ${id} enters late`);
      last.set(way, origin.seq);
    }
    for (const { seq, raw } of messages) {
      const id = rawId(raw);
      for (const { handler, loops } of this.#expected(id, this.#options.database.rowsOf(seq)).ran) {
        if (loops.length === 0 || entered.has(childOf(id, handler))) continue;
        this.defect(`${childOf(id, handler)} never entered ${loops[0]}`);
      }
    }
  }

  /** I55, I56: every write once, each on top of the one before. */
  #checkState(): void {
    const { database } = this.#options;
    const counts = new Map<string, number>();
    for (const { seq, raw, channel } of database.messages.values()) {
      const { ran } = this.#expected(rawId(raw), database.rowsOf(seq));
      const writes = ran.filter((handler) => handler.counts).length;
      counts.set(channel, (counts.get(channel) ?? 0) + writes);
    }
    for (const [channel, count] of counts) {
      const stored = Number(database.state.get(`${COUNTER} ${channel}`) ?? "0");
      if (stored !== count) this.defect(`I56: ${channel} counted ${stored} of ${count} writes`);
    }
  }
}

function rawId(raw: string): string {
  return (JSON.parse(raw) as { id: string }).id;
}
