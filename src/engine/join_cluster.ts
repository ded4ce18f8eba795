/** Joins the cluster that the settings name. */
import type { Clock } from "../clock.ts";
import { Cluster, makeHolder, openBackend } from "../cluster/mod.ts";
import type { Logger } from "../logging/mod.ts";
import type { Settings } from "../settings/mod.ts";
import { serverOptionsOf } from "../store/open.ts";

export interface JoinOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws {ClusterError} the database cannot be reached. */
export async function joinCluster(
  { settings, clock, logger }: JoinOptions,
): Promise<Cluster> {
  const { cluster, store } = settings;
  const { backend } = store;
  if (backend === "sqlite") throw new TypeError("A cluster needs a database server");
  const server = await serverOptionsOf(store);
  const host = await hostName();
  const me = makeHolder({ nodeId: cluster.nodeId, host, pid: Deno.pid });
  const { heartbeatMs, leaderFenceTimeoutMs: fenceMs, leaderLeaseTtlMs: ttlMs } = cluster;
  const joined = await Cluster.open({
    ...{ settings: cluster, me, clock, logger },
    openBackend: (news) =>
      openBackend(backend, {
        ...{ server, me, host, pid: Deno.pid, news, nodeTimeoutMs: cluster.nodeTimeoutMs },
        timings: { heartbeatMs, fenceMs, ttlMs },
      }),
  });
  logger.info("cluster.joined", {
    node: me.nodeId,
    heartbeat_ms: heartbeatMs,
    fence_ms: fenceMs,
    lease_ttl_ms: ttlMs,
    node_timeout_ms: cluster.nodeTimeoutMs,
    assumes: "same bundle on every node, senders that reconnect",
  });
  const marginMs = ttlMs - fenceMs;
  if (store.commandTimeoutMs >= marginMs) {
    logger.warning("cluster.timeouts", {
      reason: "[store] command_timeout is longer than the time between fence and end of the lease",
      command_timeout_ms: store.commandTimeoutMs,
      margin_ms: marginMs,
    });
  }
  return joined;
}

/** Where this file can be read; the system's own answer takes a permission the engine never has. */
const HOST_NAME_FILE = "/etc/hostname";

/** Undefined: the database names this node by its address. */
async function hostName(): Promise<string | undefined> {
  try {
    const name = (await Deno.readTextFile(HOST_NAME_FILE)).trim();
    return /^[\w.-]{1,253}$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
