/** Opens the store of this node: alone, beside other nodes, or for one term of leading. */
import type { Term } from "../cluster/mod.ts";
import { type Clock, micros } from "../clock.ts";
import type { CellKeys } from "../crypto/keys.ts";
import type { Logger } from "../logging/mod.ts";
import type { Settings } from "../settings/mod.ts";
import { openSharedStore, openStore } from "../store/open.ts";
import type { ServerStore } from "../store/server/store.ts";
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
export async function openNodeStore(options: StoreOptions): Promise<Store> {
  const { settings, clock, ...rest } = options;
  if (!settings.cluster.enabled) {
    return openStore(settings.store, { ...rest, now: () => micros(clock) });
  }
  const connections = settings.store.poolSize - TERM_CONNECTIONS;
  const store = await openShared(options, { connections });
  store.lead(undefined);
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
  const { leaderLeaseTtlMs, leaderFenceTimeoutMs } = options.settings.cluster;
  // A leader that lost the database has to be done with it while its lease lasts.
  const closeMs = (leaderLeaseTtlMs - leaderFenceTimeoutMs) / 4;
  const store = await openShared(options, {
    ...{ connections: TERM_CONNECTIONS, closeMs },
    onFenced: () => term.follow(),
  });
  try {
    store.lead(term.epoch);
    return { store, recovered: await store.recoverOthers(micros(options.clock)) };
  } catch (thrown) {
    await store[Symbol.asyncDispose]();
    throw thrown;
  }
}

function openShared(
  { settings, clock, ...rest }: StoreOptions,
  { connections, ...rules }: { connections: number; closeMs?: number; onFenced?: () => void },
): Promise<ServerStore> {
  return openSharedStore(settings.store, {
    poolSize: Math.max(2, connections),
    ...rules,
    ...rest,
    now: () => micros(clock),
  });
}
