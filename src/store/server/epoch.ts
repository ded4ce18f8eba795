/**
 * Begins an epoch of the store: admits the keys, enters the writer, and re-pends what nobody holds
 * any more.
 */
import type { Store } from "../store.ts";
import type { ServerConnection, ServerRow } from "./dialect.ts";
import { addUses, admitKeys, keysOfStore, type Run } from "./store_keys.ts";

export interface OpenedStore {
  /** Increases with each opening; claim tokens of different openings never meet. */
  readonly epoch: number;
  readonly recovered: number;
  readonly lanes: Store["openLanes"];
  /** Ids of all keys that cells may be sealed with; `CLEAR` among them. */
  readonly keysInUse: readonly string[];
  /** Times the active key has sealed, at most, those that were entered now included. */
  readonly keyUses: number;
  readonly warnings: readonly string[];
}

/** Claim tokens of one epoch; 2^32 of them last two weeks at 3,000 a second, 2^21 epochs. */
export const TOKENS_PER_EPOCH = 2 ** 32;

/**
 * Starts a new epoch: admits the keys, enters the writer, and re-pends what nobody holds any more;
 * in a cluster (`isAlone` false) that waits for the promotion.
 */
export async function beginEpoch(
  connection: ServerConnection,
  { now, keyIds, uses, session, isAlone, warnings }: {
    /** Microseconds since the epoch. */
    readonly now: number;
    readonly keyIds: readonly string[];
    readonly uses: number;
    readonly session: string;
    readonly isAlone: boolean;
    readonly warnings: readonly string[];
  },
): Promise<OpenedStore> {
  const run: Run = (name, ...values) => connection.run(name, ...values);
  await connection.begin();
  try {
    // The lock every writer takes first.
    const { rows: [meta] } = await run("nextEpoch");
    await admitKeys(run, { keyIds, now });
    const [active] = keyIds;
    const keyUses = active === undefined ? 0 : await addUses(run, active, uses);
    const epoch = Number(meta?.epoch);
    if (isAlone) await run("dropWriters");
    await run("enterWriter", session, now);
    const recovered = isAlone ? await recover(run, { now, epoch }) : 0;
    const lanes = (await run("openLanes")).rows.map(toOpenLane);
    const keysInUse = await keysOfStore(run);
    await connection.commit();
    return { epoch, recovered, lanes, keysInUse, keyUses, warnings };
  } catch (thrown) {
    if (!connection.isLost) await connection.rollBack();
    throw thrown;
  }
}

/** Re-pends what other openings left in flight, due now; returns how many rows. */
export async function recover(
  run: Run,
  { now, epoch }: { readonly now: number; readonly epoch: number },
): Promise<number> {
  const { count } = await run("recover", now, ...tokensOf(epoch));
  return count;
}

/** The claim tokens of one opening: the first, and the first of the next. */
export function tokensOf(epoch: number): readonly [from: number, to: number] {
  const from = epoch * TOKENS_PER_EPOCH;
  return [from, from + TOKENS_PER_EPOCH];
}

function toOpenLane(row: ServerRow): Store["openLanes"][number] {
  return {
    stage: String(row.stage),
    lane: String(row.lane),
    channel: String(row.channel_id),
    open: Number(row.open),
  };
}
