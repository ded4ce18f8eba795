/** A pipeline of a few connections over fakes in virtual time, for tests of single situations. */
import { noFailpoints } from "../../src/failpoints.ts";
import type { InboundDefinition, OutboundDefinition } from "../../src/graph/graph.ts";
import { MemoryBudget } from "../../src/pipeline/memory.ts";
import { Pipeline, type PipelineOptions } from "../../src/pipeline/pipeline.ts";
import type { RunResult } from "../../src/sandbox/protocol.ts";
import { FakeConnector, type Script } from "./fake_connectors.ts";
import { FakeDatabase, type FakeRow } from "./fake_database.ts";
import { graphOf, inboundDefinition, outboundDefinition } from "./fake_graph.ts";
import { type Author, FakeRunner, type FakeRunnerOptions } from "./fake_runner.ts";
import { FakeStore, type FakeStoreOptions } from "./fake_store.ts";
import { KeepingLogger } from "./silent_logger.ts";
import { VirtualTime } from "./virtual_time.ts";

export interface PipelineBenchOptions {
  readonly database?: FakeDatabase;
  readonly time?: VirtualTime;
  readonly inbounds?: readonly string[];
  readonly outbounds?: readonly string[];
  readonly inbound?: Partial<InboundDefinition>;
  readonly outbound?: Partial<OutboundDefinition>;
  readonly handlers?: readonly string[];
  readonly store?: Partial<FakeStoreOptions>;
  readonly runner?: Partial<FakeRunnerOptions>;
  readonly partner?: (lane: string) => Script;
  readonly pipeline?: Partial<PipelineOptions>;
  readonly budgetBytes?: number;
}

/** Sends every message as it is to the one outbound. */
export const passing: Author = ({ routeOnly }) => ({
  handlers: ["h"],
  outcomes: routeOnly
    ? []
    : [{ handler: "h", sends: [{ to: "OB_A", payload: undefined }], state: [] }],
});

export class PipelineBench implements AsyncDisposable {
  readonly time: VirtualTime;
  readonly database: FakeDatabase;
  readonly store: FakeStore;
  readonly runner: FakeRunner;
  readonly connector: FakeConnector;
  readonly budget: MemoryBudget;
  readonly logger = new KeepingLogger();
  readonly pipeline: Pipeline;
  /** `"OB_A m1"`: what partners got, in order. */
  readonly sent: string[] = [];

  private constructor(options: PipelineBenchOptions) {
    this.time = options.time ?? new VirtualTime();
    this.database = options.database ?? new FakeDatabase();
    const { clock } = this.time;
    const { inbounds = ["IB_A"], outbounds = ["OB_A"], handlers = ["h"] } = options;
    this.store = new FakeStore({ clock, ...options.store, database: this.database });
    this.runner = new FakeRunner({
      author: passing,
      state: this.database.stateEntries(),
      ...options.runner,
    });
    this.connector = new FakeConnector((lane) => (message, signal) => {
      this.sent.push(`${lane} ${message.text}`);
      const script = options.partner?.(lane);
      return script ? script(message, signal) : Promise.resolve({ accepted: true });
    });
    this.budget = new MemoryBudget(options.budgetBytes);
    this.pipeline = new Pipeline({
      store: this.store.asStore,
      graph: graphOf(
        inbounds.map((name) => inboundDefinition(name, options.inbound)),
        outbounds.map((name) => outboundDefinition(name, options.outbound)),
        handlers,
      ),
      runner: this.runner,
      connectors: new Map([["fake", this.connector]]),
      clock,
      logger: this.logger,
      failpoints: noFailpoints,
      redact: (text) => text,
      validateStrict: () => Promise.resolve({ ok: true }),
      bindHost: "127.0.0.1",
      internalError: "continue",
      simulateAll: false,
      correlationDepthMax: 8,
      allowInsecureTls: false,
      stopGraceMs: 200,
      budget: this.budget,
      ...options.pipeline,
    });
  }

  /** Builds and starts it; `prepare` runs between the two. */
  static async open(
    options: PipelineBenchOptions = {},
    prepare?: (bench: PipelineBench) => void,
  ): Promise<PipelineBench> {
    const bench = new PipelineBench(options);
    prepare?.(bench);
    await bench.until(bench.pipeline.start());
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.until(this.pipeline.stop());
    } finally {
      this.time[Symbol.dispose]();
    }
  }

  /** Lets time pass until a promise settles, at most a minute. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const note = () => isOver = true;
    promise.then(note, note);
    if (!await this.time.run(() => isOver, 60_000)) throw new Error("Waited a minute in vain");
    return await promise;
  }

  /** Feeds messages to an inbound, all at once; resolves when each is answered. */
  async feed(inbound: string, ...texts: string[]): Promise<void> {
    const source = this.connector.sources.get(inbound)!;
    await this.until(Promise.all(texts.map((text) => source.feed(text))));
  }

  /** Open rows, `"ingress IB_A pending 0"`. */
  get open(): string[] {
    return this.database.open().map(({ stage, lane, status, attempts }) =>
      `${stage} ${lane} ${status} ${attempts}`
    );
  }

  rowsOf(text: string): FakeRow[] {
    const message = [...this.database.messages.values()].find(({ raw }) => raw === text)!;
    return this.database.rowsOf(message.seq);
  }

  statusOf(text: string): string {
    return [...this.database.messages.values()].find(({ raw }) => raw === text)!.status;
  }
}

/** A message that was stored before the process began, or behind its back. */
export function addMessage(
  database: FakeDatabase,
  channel: string,
  raw: string,
  metadata?: string,
): void {
  const message = {
    id: raw,
    channel,
    receivedAt: 0,
    sourceType: "fake",
    controlId: undefined,
    messageType: undefined,
    raw,
    metadata,
  };
  database.execute({ kind: "receive", message, token: undefined });
}

/** A result of one handler. */
export function outcome(
  sends: readonly string[],
  parts: Partial<RunResult["outcomes"][number]> = {},
): RunResult {
  const outcomes = [{
    handler: "h",
    sends: sends.map((to) => ({ to, payload: undefined })),
    state: [],
    ...parts,
  }];
  return { handlers: ["h"], outcomes };
}
