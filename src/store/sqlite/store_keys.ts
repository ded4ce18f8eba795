/** The keys a store needs: what sealed its cells is remembered by id, before the first cell is. */
import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../errors.ts";

/**
 * Refuses a store some of whose cells no configured key may open, and enters the active key.
 * `keyIds` begins with the active one; none: nothing new is sealed.
 *
 * @throws {StoreError} `store.key_missing`: its rows would be given up one by one as unreadable.
 */
export function admitKeys(
  db: DatabaseSync,
  { keyIds, now }: { readonly keyIds: readonly string[]; readonly now: number },
): void {
  const needed = db.prepare("SELECT key_id FROM store_keys ORDER BY first_used_at, key_id").all()
    .map(({ key_id }) => String(key_id));
  const missing = needed.filter((keyId) => !keyIds.includes(keyId));
  if (missing.length > 0) {
    const named = missing.map((keyId) => `"${keyId}"`).join(", ");
    throw new StoreError(
      "store.key_missing",
      `Cannot open the store: it has cells sealed with key ${named}, which is not configured`,
      {
        hint: "Put the key into MEFOR_STORE_ENCRYPTION_KEY, or into " +
          "MEFOR_STORE_ENCRYPTION_KEYS_RETIRED when another one is active",
      },
    );
  }
  const [active] = keyIds;
  if (active === undefined || needed.includes(active)) return;
  db.prepare("INSERT INTO store_keys (key_id, first_used_at) VALUES (?, ?)").run(active, now);
}
