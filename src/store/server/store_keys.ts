/**
 * The keys a store needs: what sealed its cells is remembered by id, before the first cell is, and
 * how often it did.
 */
import { CLEAR, missingKeys } from "../store_keys.ts";
import type { ServerResult, ServerValue } from "./dialect.ts";
import type { StatementName } from "./statement_names.ts";

/** A connection, or a transaction of it. */
export type Run = (name: StatementName, ...values: readonly ServerValue[]) => Promise<ServerResult>;

/**
 * Refuses a store some of whose cells no configured key may open; otherwise enters what it is sealed
 * with from now on. `keyIds` begins with the active key; none: nothing new is sealed.
 *
 * @throws {StoreError} `store.key_missing`: its rows would be given up one by one as unreadable.
 */
export async function admitKeys(
  run: Run,
  { keyIds, now }: { readonly keyIds: readonly string[]; readonly now: number },
): Promise<void> {
  const missing = missingKeys(await keysOfStore(run), keyIds);
  if (missing !== undefined) throw missing;
  const [sealing = CLEAR] = keyIds;
  await run("enterKey", sealing, now);
  await run("setSealingKey", sealing);
}

/** Ids of what cells may be sealed with, {@link CLEAR} among them. */
export async function keysOfStore(run: Run): Promise<readonly string[]> {
  const { rows } = await run("keysOfStore");
  return rows.map(({ key_id }) => String(key_id));
}

/** Counts uses of a key, before or after they are made; returns how many there were at most. */
export async function addUses(run: Run, keyId: string, uses: number): Promise<number> {
  const { rows: [row] } = await run("addKeyUses", uses, keyId);
  if (row === undefined) throw new RangeError("Cannot count uses of a key the store does not have");
  return Number(row.uses);
}
