/** Nodes of one cluster in this process, over one real PostgreSQL. */
import { type Clock, systemClock } from "../../src/clock.ts";
import { Cluster, type Duties, openPostgresBackend, type Term } from "../../src/cluster/mod.ts";
import type { LogFields, Logger } from "../../src/logging/logger.ts";
import { until } from "../connectors/waiting.ts";

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
  readonly clock?: Clock;
  /** Fence and lease are so many times as long. */
  readonly patience?: number;
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

  /** `server` is the database, or what stands before it. */
  static async join(
    server: { readonly port: number },
    nodeId: string,
    { clock = systemClock, patience = 1 }: JoinOptions = {},
  ): Promise<BenchNode> {
    const own = {
      ...settings,
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
        openPostgresBackend({
          address: addressOf(server),
          ...{ me, news, host: undefined, pid: 4_711 },
          timings: {
            heartbeatMs: own.heartbeatMs,
            fenceMs: own.leaderFenceTimeoutMs,
            ttlMs: own.leaderLeaseTtlMs,
          },
          nodeTimeoutMs: settings.nodeTimeoutMs,
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

export function addressOf({ port }: { readonly port: number }) {
  return {
    ...{ host: "127.0.0.1", port, database: "postgres", user: "postgres", password: undefined },
    ...{ tls: undefined, schema: undefined, applicationName: "bench" },
  };
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
