/**
 * The keys a store needs: what sealed its cells is remembered by id, before the first cell is, and
 * how often it did.
 */
import { CLEAR, missingKeys } from "../store_keys.ts";
import type { Connection } from "./connection.ts";

type Asks = Pick<Connection, "ask">;

/**
 * Refuses a store some of whose cells no configured key may open; otherwise enters what it is sealed
 * with from now on. `keyIds` begins with the active key; none: nothing new is sealed.
 *
 * @throws {StoreError} `store.key_missing`: its rows would be given up one by one as unreadable.
 */
export async function admitKeys(
  connection: Asks,
  { keyIds, now }: { readonly keyIds: readonly string[]; readonly now: number },
): Promise<void> {
  const missing = missingKeys(await keysOfStore(connection), keyIds);
  if (missing !== undefined) throw missing;
  const [sealing = CLEAR] = keyIds;
  await connection.ask(
    "INSERT INTO store_keys (key_id, first_used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    [sealing, now],
  );
  await connection.ask("UPDATE store_meta SET sealing_key = $1 WHERE id = 1", [sealing]);
}

/** Ids of what cells may be sealed with, {@link CLEAR} among them. */
export async function keysOfStore(connection: Asks): Promise<readonly string[]> {
  const { rows } = await connection.ask(
    "SELECT key_id FROM store_keys ORDER BY first_used_at, key_id",
  );
  return rows.map(({ key_id }) => String(key_id));
}

/** Counts uses of a key, before or after they are made; returns how many there were at most. */
export async function addUses(connection: Asks, keyId: string, uses: number): Promise<number> {
  const { rows: [row] } = await connection.ask(
    "UPDATE store_keys SET uses = uses + $1::bigint WHERE key_id = $2 RETURNING uses",
    [uses, keyId],
  );
  if (row === undefined) throw new RangeError("Cannot count uses of a key the store does not have");
  return Number(row.uses);
}
