/** A node's two connections to PostgreSQL: one that carries only the lease, one for all else. */
import { askTimeoutMs } from "../lease.ts";
import type { ClusterBackend } from "../cluster.ts";
import { type BackendOptions, MEMBERSHIP_TIMEOUT_MS, namedPart } from "../server/backend.ts";
import { ServerClusterStore } from "../server/cluster_store.ts";
import { Connection } from "../server/connection.ts";
import { ServerLeaseStore } from "../server/lease_store.ts";
import type { Word } from "../server/statements.ts";
import { postgresDriver } from "./driver.ts";
import { channelOf, statements, tellOn } from "./statements.ts";
import { ensureTables } from "./tables.ts";

/** @throws {ClusterError} */
export async function openPostgresBackend(
  { server, me, host, pid, timings, nodeTimeoutMs, news }: BackendOptions,
): Promise<ClusterBackend> {
  await using stack = new AsyncDisposableStack();
  const { schema } = server;
  const heard: Readonly<Record<Word, () => void>> = {
    "lease released": () => news.leaseReleased(),
    "config moved": () => news.configMoved(),
    "act noted": () => news.actNoted(),
  };
  const shared = stack.use(
    new Connection({
      timeoutMs: MEMBERSHIP_TIMEOUT_MS,
      driver: postgresDriver({
        server: namedPart(server, "cluster"),
        timeoutMs: MEMBERSHIP_TIMEOUT_MS,
        channels: [channelOf(schema)],
        onNotification: (payload) => heard[payload as Word]?.(),
      }),
      onConnected: () => news.connected(),
      onLost: () => news.lost(),
    }),
  );
  await ensureTables(shared, schema);
  const leaseMs = askTimeoutMs(timings);
  const lease = stack.use(
    new Connection({
      timeoutMs: leaseMs,
      driver: postgresDriver({ server: namedPart(server, "lease"), timeoutMs: leaseMs }),
    }),
  );
  const tellOver = (connection: Connection) => (word: Word) =>
    connection.run(tellOn(schema), [word]);
  const backend = {
    lease: new ServerLeaseStore({
      ...{ connection: lease, statements, me, ttlMs: timings.ttlMs, tell: tellOver(lease) },
    }),
    store: new ServerClusterStore({
      ...{ connection: shared, statements, me, host, pid, nodeTimeoutMs, tell: tellOver(shared) },
    }),
  };
  const owned = stack.move();
  return { ...backend, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
