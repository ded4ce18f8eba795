/** Nodes of one cluster in this process, over one database. */
import { type Clock, systemClock } from "../../src/clock.ts";
import { Cluster, type Duties, openBackend, type Term } from "../../src/cluster/mod.ts";
import type { LogFields, Logger } from "../../src/logging/logger.ts";
import { until } from "../connectors/waiting.ts";
import type { ClusterDatabase } from "./databases.ts";

export const settings = {
  enabled: true,
  nodeId: undefined,
  heartbeatMs: 500,
  nodeTimeoutMs: 1_500,
  reclaimIntervalMs: 30_000,
  leaderLeaseTtlMs: 3_000,
  leaderFenceTimeoutMs: 2_000,
};

let incarnations = 0;

export interface JoinOptions {
  /** Of what stands before the database. */
  readonly port?: number;
  readonly clock?: Clock;
  /** Fence and lease are so many times as long. */
  readonly patience?: number;
  readonly heartbeatMs?: number;
  readonly nodeTimeoutMs?: number;
}

export class BenchNode implements AsyncDisposable, Duties {
  readonly cluster: Cluster;
  readonly events: { readonly event: string; readonly fields: LogFields }[] = [];
  /** What it did as leader, in order. */
  readonly acts: string[] = [];
  configVersion = 0;
  readonly heard: string[] = [];
  /** Set: the promotion fails with it. */
  failing: Error | undefined;
  /** Awaited in each promotion. */
  beforeLeading: Promise<unknown> | undefined;

  static async join(
    database: ClusterDatabase,
    nodeId: string,
    { port = database.port, clock = systemClock, patience = 1, ...beats }: JoinOptions = {},
  ): Promise<BenchNode> {
    const own = {
      ...settings,
      ...beats,
      leaderLeaseTtlMs: settings.leaderLeaseTtlMs * patience,
      leaderFenceTimeoutMs: settings.leaderFenceTimeoutMs * patience,
    };
    const events: BenchNode["events"] = [];
    const incarnation = `${++incarnations}`;
    const me = { nodeId, incarnation };
    const cluster = await Cluster.open({
      settings: own,
      me,
      clock,
      logger: loggerInto(events),
      openBackend: (news) =>
        openBackend(database.backend, {
          server: database.optionsAt(port),
          ...{ me, news, host: undefined, pid: 4_711 },
          timings: {
            heartbeatMs: own.heartbeatMs,
            fenceMs: own.leaderFenceTimeoutMs,
            ttlMs: own.leaderLeaseTtlMs,
          },
          nodeTimeoutMs: own.nodeTimeoutMs,
        }),
    });
    const node = new BenchNode(cluster, events);
    cluster.start(node, {
      onConfig: (version) => node.configVersion = version,
      onAct: (act) => node.heard.push(act),
    });
    return node;
  }

  private constructor(cluster: Cluster, events: BenchNode["events"]) {
    this.cluster = cluster;
    this.events = events;
  }

  async lead(term: Term): Promise<void> {
    this.acts.push(`lead ${term.epoch}`);
    await this.beforeLeading;
    if (this.failing) throw this.failing;
  }

  async rest(): Promise<void> {
    this.acts.push("rest");
  }

  saw(event: string): boolean {
    return this.events.some((one) => one.event === event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
  }
}

/** Waits until exactly one of them serves, and returns it. */
export async function leaderOf(nodes: readonly BenchNode[], ms = 10_000): Promise<BenchNode> {
  await until(
    () => nodes.filter(({ cluster }) => cluster.isServing).length === 1,
    "one node that leads",
    ms,
  );
  return nodes.find(({ cluster }) => cluster.isServing)!;
}

function loggerInto(events: BenchNode["events"]): Logger {
  const log = (event: string, fields: LogFields = {}) => void events.push({ event, fields });
  return {
    log: (_, event, fields) => log(event, fields),
    debug: log,
    info: log,
    warning: log,
    error: log,
    audit: (record) => log("audit", { action: record.action }),
  };
}
