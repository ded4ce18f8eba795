/** Opens the store that the settings name: alone, shared with other nodes, or for one term. */
import type { Term } from "../cluster/mod.ts";
import type { DatabaseAddress } from "../cluster/mod.ts";
import { type Clock, micros } from "../clock.ts";
import type { CellKeys } from "../crypto/keys.ts";
import type { Logger } from "../logging/mod.ts";
import type { Settings } from "../settings/mod.ts";
import { PostgresStore } from "../store/postgres/store.ts";
import { SqliteStore } from "../store/sqlite/store.ts";
import type { Store } from "../store/store.ts";

export interface StoreOptions {
  readonly settings: Settings;
  readonly keys: CellKeys | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `name@n` pairs of `failpoints.ts`, for crash tests. */
  readonly failpoints: string | undefined;
}

/** Connections of a term's own: its writer and one that reads. */
const TERM_CONNECTIONS = 2;

/**
 * The store of an engine that stands alone, or what a node of a cluster reads and writes beside the
 * running graph: it claims nothing, whoever leads.
 *
 * @throws {StoreError}
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { settings, keys, clock, logger, failpoints } = options;
  if (settings.store.backend === "sqlite") {
    return SqliteStore.open({
      path: settings.store.path,
      synchronous: settings.store.synchronous,
      ...{ failpoints, keys, logger, now: () => micros(clock) },
    });
  }
  const { poolSize } = settings.store;
  if (!settings.cluster.enabled) return openPostgres(options, { poolSize, isShared: false });
  const left = Math.max(2, poolSize - TERM_CONNECTIONS);
  const store = await openPostgres(options, { poolSize: left, isShared: true });
  store.setFence({ condition: "false", values: [] });
  return store;
}

/**
 * The store that the graph of a term runs over: a new opening, so that nothing of a term before is
 * in its memory, and whatever is in flight is somebody else's and pending again.
 *
 * @throws {StoreError}
 */
export async function openTermStore(
  options: StoreOptions,
  term: Term,
): Promise<{ readonly store: Store; readonly recovered: number }> {
  const store = await openPostgres(options, { poolSize: TERM_CONNECTIONS, isShared: true });
  try {
    // The lease's row is read in each transaction, after the store's lock is held.
    store.setFence({
      condition: "EXISTS (SELECT FROM leader_lease " +
        "WHERE lease_key = 'leader' AND leader_epoch = $1::bigint)",
      values: [term.epoch],
    });
    const recovered = await store.recoverOthers(micros(options.clock));
    return { store, recovered };
  } catch (thrown) {
    await store[Symbol.asyncDispose]();
    throw thrown;
  }
}

function openPostgres(
  { settings, keys, clock, logger, failpoints }: StoreOptions,
  { poolSize, isShared }: { readonly poolSize: number; readonly isShared: boolean },
): Promise<PostgresStore> {
  return PostgresStore.open({
    server: serverOf(settings),
    ...{ poolSize, isShared, failpoints, keys, logger, now: () => micros(clock) },
  });
}

function serverOf({ store }: Settings) {
  const { server = "localhost", port = 5432, database = "messagefoundry", username } = store;
  return {
    ...{ host: server, port, database, user: username, password: store.password?.reveal() },
    encrypt: store.encrypt,
    trustServerCertificate: store.trustServerCertificate,
    caText: undefined,
    schema: store.dbSchema,
    applicationName: store.applicationName,
    connectTimeoutMs: store.connectTimeoutMs,
    commandTimeoutMs: store.commandTimeoutMs,
  };
}

/** Where the cluster's own connections go: the same server and schema. */
export function clusterAddress(settings: Settings): DatabaseAddress {
  const { host, port, database, user, password, schema, applicationName, ...tls } = serverOf(
    settings,
  );
  return {
    ...{ host, port, database, user, password, schema, applicationName },
    tls: tls.encrypt
      ? { rejectUnauthorized: !tls.trustServerCertificate, ca: tls.caText }
      : undefined,
  };
}
