/**
 * The keys a store needs: what sealed its cells is remembered by id, before the first cell is, and
 * how often it did.
 */
import type { DatabaseSync } from "node:sqlite";
import { CLEAR, missingKeys } from "../store_keys.ts";

/**
 * Refuses a store some of whose cells no configured key may open; otherwise enters what it is sealed
 * with from now on. `keyIds` begins with the active key; none: nothing new is sealed.
 *
 * The caller holds the transaction that has the tables take in what earlier openings left in the
 * commit log. Whoever reads `sealing_key` then knows that no cell of another key will come from there.
 *
 * @throws {StoreError} `store.key_missing`: its rows would be given up one by one as unreadable.
 */
export function admitKeys(
  db: DatabaseSync,
  { keyIds, now }: { readonly keyIds: readonly string[]; readonly now: number },
): void {
  requireKeys(db, keyIds);
  const [sealing = CLEAR] = keyIds;
  db.prepare("INSERT INTO store_keys (key_id, first_used_at) VALUES (?, ?) ON CONFLICT DO NOTHING")
    .run(sealing, now);
  db.prepare("UPDATE store_meta SET sealing_key = ? WHERE id = 1").run(sealing);
}

/** @throws {StoreError} `store.key_missing`: a key that cells may be sealed with is not there. */
export function requireKeys(db: DatabaseSync, keyIds: readonly string[]): void {
  const missing = missingKeys(keysOfStore(db), keyIds);
  if (missing !== undefined) throw missing;
}

/** Ids of what cells may be sealed with, {@link CLEAR} among them. */
export function keysOfStore(db: DatabaseSync): readonly string[] {
  return db.prepare("SELECT key_id FROM store_keys ORDER BY first_used_at, key_id").all()
    .map(({ key_id }) => String(key_id));
}

/** Counts uses of a key, before or after they are made; returns how many there were at most. */
export function addUses(db: DatabaseSync, keyId: string, uses: number): number {
  const row = db.prepare("UPDATE store_keys SET uses = uses + ? WHERE key_id = ? RETURNING uses")
    .get(uses, keyId);
  if (row === undefined) throw new RangeError("Cannot count uses of a key the store does not have");
  return Number(row.uses);
}
