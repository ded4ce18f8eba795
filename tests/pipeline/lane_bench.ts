/** One outbound lane over a fake store in virtual time, fed as `routing.ts` feeds it. */
import { noFailpoints } from "../../src/failpoints.ts";
import type { OutboundDefinition } from "../../src/graph/graph.ts";
import { MemoryBudget } from "../../src/pipeline/memory.ts";
import { type OutboundItem, OutboundLane } from "../../src/pipeline/outbound_lane.ts";
import { FakeDestination, type Script } from "./fake_connectors.ts";
import { FakeDatabase, type FakeRow } from "./fake_database.ts";
import { outboundDefinition } from "./fake_graph.ts";
import { FakeStore, type FakeStoreOptions } from "./fake_store.ts";
import { silentLogger } from "./silent_logger.ts";
import { VirtualTime } from "./virtual_time.ts";

export const LANE = "OB_LAB";

export interface LaneBenchOptions extends Partial<FakeStoreOptions> {
  readonly definition?: Partial<OutboundDefinition>;
  readonly partner?: Script;
  readonly budgetBytes?: number;
}

export class LaneBench implements AsyncDisposable {
  readonly time = new VirtualTime();
  readonly database: FakeDatabase;
  readonly store: FakeStore;
  readonly budget: MemoryBudget;
  readonly lane: OutboundLane;
  /** Payloads as the partner got them. */
  readonly sent: string[] = [];
  /** What the lane told the engine: `"retried a"`. */
  readonly told: string[] = [];
  /** What the partner answers, by payload; left out: yes, at once. */
  partner: Script | undefined;

  constructor(options: LaneBenchOptions = {}) {
    this.database = options.database ?? new FakeDatabase();
    this.partner = options.partner;
    this.store = new FakeStore({ clock: this.time.clock, ...options, database: this.database });
    this.budget = new MemoryBudget(options.budgetBytes);
    const tell = (what: string) => (_lane: OutboundLane, { payload }: OutboundItem) => {
      this.told.push(`${what} ${payload}`);
    };
    this.lane = new OutboundLane({
      definition: outboundDefinition(LANE, options.definition),
      destination: new FakeDestination(LANE, (message, signal) => {
        this.sent.push(message.text);
        return this.partner?.(message, signal) ?? Promise.resolve({ accepted: true });
      }),
      store: this.store.asStore,
      budget: this.budget,
      open: this.database.open("outbound", LANE).length,
      clock: this.time.clock,
      logger: silentLogger,
      failpoints: noFailpoints,
      simulate: false,
      redact: (text) => text,
      responseLane: () => undefined,
      observer: {
        delivered: tell("delivered"),
        refused: () => {},
        retried: tell("retried"),
        died: tell("died"),
        halted: (_lane, _item, reason) => this.told.push(`halted ${reason}`),
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.lane.stop(0);
    let isOver = false;
    stopped.then(() => isOver = true);
    await this.time.run(() => isOver, 10_000);
    this.time[Symbol.dispose]();
    if (!isOver) throw new Error("stop() never came to its end");
  }

  /** The rows of the lane, in order. */
  get rows(): FakeRow[] {
    return [...this.database.rows.values()].filter(({ lane }) => lane === LANE);
  }

  row(payload: string): FakeRow {
    return this.rows.find(({ body }) => body === payload)!;
  }

  /** A message is handed off with one delivery on the lane; its row may spill. */
  async queue(payload: string): Promise<void> {
    const at = Math.round(this.time.clock.now() * 1000);
    const token = this.database.nextToken(1);
    const { seq, messageSeq } = this.database.execute({
      kind: "receive",
      message: {
        id: payload,
        channel: "IB_ADT",
        receivedAt: at,
        sourceType: "fake",
        controlId: undefined,
        messageType: undefined,
        raw: payload,
      },
      token,
    }) as { seq: number; messageSeq: number };
    const { generation } = this.lane.memory;
    const admitted = this.lane.admit(payload.length);
    const delivery = { destination: LANE, handler: "h", payload, token: admitted.token };
    try {
      const { seqs } = await this.store.submit({
        kind: "hand_off",
        at,
        seq,
        token,
        messageSeq,
        channel: "IB_ADT",
        handlers: 1,
        deliveries: [delivery],
        failures: [],
        state: [],
      });
      if (!admitted.held) return this.lane.wake();
      this.lane.committed({
        seq: seqs[0]!,
        messageSeq,
        messageId: payload,
        metadata: undefined,
        channel: "IB_ADT",
        payload,
        attempts: admitted.token === undefined ? 0 : 1,
        createdAt: at,
        token: admitted.token,
        dueAt: 0,
      }, generation);
    } catch (thrown) {
      this.lane.refused(payload.length, admitted.held, generation);
      throw thrown;
    }
  }

  /** Queues all of them in one commit. */
  async queueAll(...payloads: string[]): Promise<void> {
    const queued = payloads.map((payload) => this.queue(payload));
    await this.time.run(() => false, 0);
    await Promise.all(queued);
  }

  /** Rows that were there before the process began. */
  static stored(...payloads: string[]): FakeDatabase {
    const database = new FakeDatabase();
    for (const payload of payloads) store(database, payload);
    return database;
  }

  /** A row comes into being that the lane is not told of. */
  addBehindItsBack(payload: string): void {
    store(this.database, payload);
  }

  /** How often an intent was submitted. */
  count(kind: string): number {
    return this.store.log.filter((intent) => intent.kind === kind).length;
  }
}

function store(database: FakeDatabase, payload: string): void {
  const token = database.nextToken(1);
  const at = 0;
  const message = {
    id: payload,
    channel: "IB_ADT",
    receivedAt: at,
    sourceType: "fake",
    controlId: undefined,
    messageType: undefined,
    raw: payload,
  };
  const { seq, messageSeq } = database.execute({ kind: "receive", message, token }) as {
    seq: number;
    messageSeq: number;
  };
  database.execute({
    kind: "hand_off",
    at,
    seq,
    token,
    messageSeq,
    channel: "IB_ADT",
    handlers: 1,
    deliveries: [{ destination: LANE, handler: "h", payload, token: undefined }],
    failures: [],
    state: [],
  });
}
