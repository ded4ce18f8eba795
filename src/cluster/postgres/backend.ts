/** A node's two connections to PostgreSQL: one that carries only the lease, one for all else. */
import type { ClusterBackend, News } from "../cluster.ts";
import { askTimeoutMs, type Holder, type LeaseTimings } from "../lease.ts";
import type { DatabaseAddress } from "./address.ts";
import { ACT_NOTED, CONFIG_MOVED, PostgresClusterStore } from "./cluster_store.ts";
import { Connection } from "./connection.ts";
import { LEASE_RELEASED, PostgresLeaseStore } from "./lease_store.ts";
import { channelOf, statementsFor } from "./statements.ts";
import { ensureTables } from "./tables.ts";

export interface PostgresBackendOptions {
  readonly address: DatabaseAddress;
  readonly me: Holder;
  /** Undefined: the address the database sees this node at. */
  readonly host: string | undefined;
  readonly pid: number;
  readonly timings: LeaseTimings;
  readonly nodeTimeoutMs: number;
  readonly news: News;
}

const MEMBERSHIP_TIMEOUT_MS = 5_000;

/** @throws {ClusterError} */
export async function openPostgresBackend(
  { address, me, host, pid, timings, nodeTimeoutMs, news }: PostgresBackendOptions,
): Promise<ClusterBackend> {
  await using stack = new AsyncDisposableStack();
  const statements = statementsFor(address.schema);
  const named = (part: string): DatabaseAddress => ({
    ...address,
    applicationName: `${address.applicationName} ${part}`,
  });
  const shared = stack.use(
    new Connection({
      address: named("cluster"),
      timeoutMs: MEMBERSHIP_TIMEOUT_MS,
      channels: [channelOf(address.schema)],
      onConnected: () => news.connected(),
      onLost: () => news.lost(),
      onNotification: (payload) => {
        if (payload === LEASE_RELEASED) news.leaseReleased();
        if (payload === CONFIG_MOVED) news.configMoved();
        if (payload === ACT_NOTED) news.actNoted();
      },
    }),
  );
  await ensureTables(shared, address.schema);
  const lease = stack.use(
    new Connection({ address: named("lease"), timeoutMs: askTimeoutMs(timings) }),
  );
  const backend = {
    lease: new PostgresLeaseStore({ connection: lease, statements, me, ttlMs: timings.ttlMs }),
    store: new PostgresClusterStore({
      ...{ connection: shared, statements, me, host, pid, nodeTimeoutMs },
    }),
  };
  const owned = stack.move();
  return { ...backend, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
