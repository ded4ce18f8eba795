/** Joins the cluster that the settings name. */
import type { Clock } from "../clock.ts";
import { Cluster, type DatabaseAddress, makeHolder, openPostgresBackend } from "../cluster/mod.ts";
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
  const address = await addressOf(settings);
  const { cluster } = settings;
  const host = await hostName();
  const me = makeHolder({ nodeId: cluster.nodeId, host, pid: Deno.pid });
  const { heartbeatMs, leaderFenceTimeoutMs: fenceMs, leaderLeaseTtlMs: ttlMs } = cluster;
  const joined = await Cluster.open({
    ...{ settings: cluster, me, clock, logger },
    openBackend: (news) =>
      openPostgresBackend({
        ...{ address, me, host, pid: Deno.pid, news, nodeTimeoutMs: cluster.nodeTimeoutMs },
        timings: { heartbeatMs, fenceMs, ttlMs },
      }),
  });
  logger.info("cluster.joined", {
    node: me.nodeId,
    heartbeat_ms: heartbeatMs,
    fence_ms: fenceMs,
    lease_ttl_ms: ttlMs,
    node_timeout_ms: cluster.nodeTimeoutMs,
    assumes: "same bundle on every node, synced clocks, senders that reconnect",
  });
  const marginMs = ttlMs - fenceMs;
  if (settings.store.commandTimeoutMs >= marginMs) {
    logger.warning("cluster.timeouts", {
      reason: "[store] command_timeout is longer than the time between fence and end of the lease",
      command_timeout_ms: settings.store.commandTimeoutMs,
      margin_ms: marginMs,
    });
  }
  return joined;
}

/** Where the cluster's own connections go: the same server and schema. */
async function addressOf({ store }: Settings): Promise<DatabaseAddress> {
  const { host, port, database, user, password, schema, applicationName, ...tls } =
    await serverOptionsOf(store);
  return {
    ...{ host, port, database, user, password, schema, applicationName },
    tls: tls.encrypt
      ? { rejectUnauthorized: !tls.trustServerCertificate, ca: tls.caText }
      : undefined,
  };
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
