/**
 * Nodes and a database on one axis of real time, none of it real: asks and answers take any time or
 * get lost, nodes freeze, wall clocks step. Each node's machine sees only its own two clocks.
 */
import {
  type Answer,
  type Ask,
  askTimeoutMs,
  type Holder,
  isSameHolder,
  type LeaseTimings,
  type LeaseView,
} from "../../src/cluster/lease.ts";
import { type Instant, LeaseMachine } from "../../src/cluster/lease_machine.ts";

/** What the test does to a node, at a moment of real time. */
export interface Fault {
  readonly atMs: number;
  readonly node: number;
  readonly kind:
    | "cut"
    | "cut_answers"
    | "slow"
    | "freeze"
    | "step_wall"
    | "crash"
    | "stop"
    | "step_down";
  /** How long it lasts; for `step_wall`, by how much; for `slow`, how long each way takes. */
  readonly ms: number;
}

/** A change of who holds the lease, in the order of the database. */
export interface Grant {
  readonly atMs: number;
  readonly holder: Holder;
  readonly epoch: number;
}

export class LeaseTable {
  holder: Holder | undefined;
  epoch = 0;
  expiresMs = 0;
  readonly grants: Grant[] = [];

  execute(me: Holder, ask: Ask, { nowMs, ttlMs }: { nowMs: number; ttlMs: number }): Answer {
    const isMine = isSameHolder(this.holder, me);
    let granted = false;
    if (ask.kind === "acquire") {
      granted = this.epoch === ask.expectedEpoch && (this.expiresMs <= nowMs || isMine);
      if (granted) {
        this.holder = me;
        this.epoch += 1;
        this.expiresMs = nowMs + ttlMs;
        this.grants.push({ atMs: nowMs, holder: me, epoch: this.epoch });
      }
    } else if (isMine && this.epoch === ask.epoch) {
      granted = true;
      if (ask.kind === "renew") this.expiresMs = nowMs + ttlMs;
      else [this.holder, this.expiresMs] = [undefined, 0];
    }
    return { granted, view: this.view(nowMs) };
  }

  view(nowMs: number): LeaseView {
    return { holder: this.holder, epoch: this.epoch, remainingMs: this.expiresMs - nowMs };
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

interface SimulatedNode {
  readonly index: number;
  holder: Holder;
  machine: LeaseMachine;
  /** Added to real time. */
  readonly monoOffset: number;
  wallOffset: number;
  cutUntil: number;
  answersCutUntil: number;
  slowUntil: number;
  slowMs: number;
  frozenUntil: number;
  isGone: boolean;
  restarts: number;
  /** Number of the wake-up that counts; those before it are stale. */
  wake: number;
}

export interface WorldOptions {
  readonly nodes: number;
  readonly timings: LeaseTimings;
  readonly faults: readonly Fault[];
  /** Delays of the network one way, taken in turn. */
  readonly delays: readonly number[];
}

export class LeaseWorld {
  readonly table = new LeaseTable();
  readonly nodes: SimulatedNode[] = [];
  /** Every moment at which two machines said they lead; a broken rule. */
  readonly doubleLeaders: string[] = [];
  /** Real milliseconds during which somebody led. */
  ledMs = 0;
  nowMs = 0;
  readonly #options: WorldOptions;
  readonly #events: Event[] = [];
  #order = 0;
  #delay = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    for (let index = 0; index < options.nodes; index++) {
      const holder = { nodeId: `n${index}`, incarnation: "0" };
      this.nodes.push({
        index,
        holder,
        machine: new LeaseMachine(holder, options.timings),
        monoOffset: index * 1_000_003,
        wallOffset: 1_760_000_000_000 + index * 7_777,
        ...{ cutUntil: 0, answersCutUntil: 0, slowUntil: 0, slowMs: 0, frozenUntil: 0 },
        ...{ isGone: false, restarts: 0, wake: 0 },
      });
    }
    for (const node of this.nodes) this.#at(node.index, () => this.#act(node));
    for (const fault of options.faults) this.#at(fault.atMs, () => this.#strike(fault));
  }

  /** Lets real time pass until `endMs`. */
  run(endMs: number): void {
    for (;;) {
      const event = this.#take(endMs);
      if (event === undefined) break;
      this.#pass(event.atMs);
      event.run();
      this.#look();
    }
    this.#pass(endMs);
    this.#look();
  }

  leaders(): readonly SimulatedNode[] {
    return this.nodes.filter((node) => !node.isGone && node.machine.isLeader(this.#instant(node)));
  }

  /** Time passes by itself between events, and fences with it: each of their ends is looked at. */
  #pass(toMs: number): void {
    const before = this.leaders();
    const ends = before.map((node) => node.machine.fenceAtMs! - node.monoOffset);
    const led = Math.min(toMs, Math.max(this.nowMs, ...ends));
    if (before.length > 0) this.ledMs += led - this.nowMs;
    this.nowMs = toMs;
  }

  #look(): void {
    const leaders = this.leaders();
    if (leaders.length < 2) return;
    const names = leaders.map(({ holder }) => holder.nodeId).join(" and ");
    this.doubleLeaders.push(`${names} at ${this.nowMs} ms`);
  }

  #act(node: SimulatedNode): void {
    if (node.isGone) return;
    if (this.nowMs < node.frozenUntil) return this.#actAt(node, node.frozenUntil);
    const step = node.machine.next(this.#instant(node));
    if (step.kind === "end") {
      node.isGone = true;
      this.#at(this.nowMs + this.#options.timings.heartbeatMs, () => this.#restart(node));
    } else if (step.kind === "ask") {
      this.#send(node, step.ask);
    } else if (Number.isFinite(step.untilMs)) {
      this.#actAt(node, step.untilMs - node.monoOffset);
    }
  }

  #actAt(node: SimulatedNode, atMs: number): void {
    const wake = ++node.wake;
    this.#at(Math.max(this.nowMs, atMs), () => {
      if (node.wake === wake) this.#act(node);
    });
  }

  #send(node: SimulatedNode, ask: Ask): void {
    const { machine, holder } = node;
    const { timings } = this.#options;
    machine.issued(ask, this.#instant(node));
    // A frozen process can freeze between looking at its clock and sending.
    const leavesMs = Math.max(this.nowMs, node.frozenUntil);
    const isOther = () => node.machine !== machine;
    const settle = (how: (now: Instant) => void) => {
      if (isOther() || node.isGone) return;
      if (this.nowMs < node.frozenUntil) return this.#at(node.frozenUntil, () => settle(how));
      how(this.#instant(node));
      this.#act(node);
    };
    this.#at(leavesMs + askTimeoutMs(timings), () => settle((now) => machine.failed(ask, now)));
    const arrivesMs = leavesMs + this.#wayMs(node);
    if (leavesMs < node.cutUntil) return;
    this.#at(arrivesMs, () => {
      const answer = this.table.execute(holder, ask, {
        nowMs: this.nowMs,
        ttlMs: timings.ttlMs,
      });
      if (ask.kind === "release" && answer.granted) this.#tellReleased();
      if (this.nowMs < node.cutUntil || this.nowMs < node.answersCutUntil) return;
      this.#at(
        this.nowMs + this.#wayMs(node),
        () => settle((now) => machine.answered(ask, answer, now)),
      );
    });
  }

  #tellReleased(): void {
    for (const node of this.nodes) {
      this.#at(this.nowMs + this.#wayMs(node), () => {
        if (node.isGone || this.nowMs < node.frozenUntil || this.nowMs < node.cutUntil) return;
        node.machine.nudge();
        this.#act(node);
      });
    }
  }

  #wayMs(node: SimulatedNode): number {
    const { delays } = this.#options;
    const usual = delays[this.#delay++ % delays.length]!;
    return this.nowMs < node.slowUntil ? usual + node.slowMs : usual;
  }

  #strike({ node: index, kind, ms }: Fault): void {
    const node = this.nodes[index % this.nodes.length]!;
    const until = this.nowMs + ms;
    if (kind === "cut") node.cutUntil = until;
    else if (kind === "cut_answers") node.answersCutUntil = until;
    else if (kind === "slow") [node.slowUntil, node.slowMs] = [until, ms / 4];
    else if (kind === "freeze") node.frozenUntil = until;
    else if (kind === "step_wall") node.wallOffset += ms;
    else if (node.isGone) return;
    else if (kind === "stop") node.machine.end();
    else if (kind === "step_down") node.machine.stepDown(this.#instant(node), ms);
    else {
      node.isGone = true;
      this.#at(until, () => this.#restart(node));
    }
    this.#act(node);
  }

  /** The process starts again, as another incarnation. */
  #restart(node: SimulatedNode): void {
    node.holder = { nodeId: node.holder.nodeId, incarnation: String(++node.restarts) };
    node.machine = new LeaseMachine(node.holder, this.#options.timings);
    node.isGone = false;
    this.#act(node);
  }

  #instant(node: SimulatedNode): Instant {
    return { monoMs: this.nowMs + node.monoOffset, wallMs: this.nowMs + node.wallOffset };
  }

  #at(atMs: number, run: () => void): void {
    this.#events.push({ atMs, order: this.#order++, run });
  }

  #take(endMs: number): Event | undefined {
    let first = -1;
    for (let index = 0; index < this.#events.length; index++) {
      const event = this.#events[index]!;
      const best = this.#events[first];
      if (event.atMs > endMs) continue;
      if (best && (event.atMs - best.atMs || event.order - best.order) > 0) continue;
      first = index;
    }
    return first < 0 ? undefined : this.#events.splice(first, 1)[0];
  }
}
