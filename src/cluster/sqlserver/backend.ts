/** A node's two connections to SQL Server: one that carries only the lease, one for all else. */
import type { ClusterBackend } from "../cluster.ts";
import { askTimeoutMs } from "../lease.ts";
import { type BackendOptions, MEMBERSHIP_TIMEOUT_MS, namedPart } from "../server/backend.ts";
import { ServerClusterStore } from "../server/cluster_store.ts";
import { Connection } from "../server/connection.ts";
import { ServerLeaseStore } from "../server/lease_store.ts";
import { sqlServerDriver } from "./driver.ts";
import { statements } from "./statements.ts";
import { ensureTables } from "./tables.ts";
import { Watch } from "./watch.ts";

/** @throws {ClusterError} */
export async function openSqlServerBackend(
  { server, me, host, pid, timings, nodeTimeoutMs, news }: BackendOptions,
): Promise<ClusterBackend> {
  await using stack = new AsyncDisposableStack();
  const shared = stack.use(
    new Connection({
      timeoutMs: MEMBERSHIP_TIMEOUT_MS,
      driver: sqlServerDriver(namedPart(server, "cluster"), MEMBERSHIP_TIMEOUT_MS),
      onConnected: () => news.connected(),
      onLost: () => news.lost(),
    }),
  );
  const { schema } = server;
  await shared.use(({ connection }) =>
    ensureTables(connection, { schema, commandTimeoutMs: MEMBERSHIP_TIMEOUT_MS })
  );
  const leaseMs = askTimeoutMs(timings);
  const lease = stack.use(
    new Connection({
      timeoutMs: leaseMs,
      driver: sqlServerDriver(namedPart(server, "lease"), leaseMs),
    }),
  );
  const watch = stack.use(new Watch({ connection: shared, text: statements.look, news }));
  const backend = {
    lease: new ServerLeaseStore({
      ...{ connection: lease, statements, me, ttlMs: timings.ttlMs, tell: undefined },
    }),
    store: new ServerClusterStore({
      ...{ connection: shared, statements, me, host, pid, nodeTimeoutMs, tell: undefined },
      onBeat: (row) => watch.shown(row),
    }),
  };
  const owned = stack.move();
  return { ...backend, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
