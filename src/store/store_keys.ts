/** What every backend says of keys a store needs and has not got. */
import { StoreError } from "./errors.ts";

/** Stands for no key, where ids of keys stand: cells may be in clear. */
export const CLEAR = "clear";

/** Returns `store.key_missing` when one of the keys that cells may be sealed with is not configured. */
export function missingKeys(
  keysOfStore: readonly string[],
  keyIds: readonly string[],
): StoreError | undefined {
  const missing = keysOfStore.filter((id) => id !== CLEAR && !keyIds.includes(id));
  if (missing.length === 0) return undefined;
  const named = missing.map((keyId) => `"${keyId}"`).join(", ");
  return new StoreError(
    "store.key_missing",
    `Cannot open the store: it has cells sealed with key ${named}, which is not configured`,
    {
      hint: "Put the key into MEFOR_STORE_ENCRYPTION_KEY, or into " +
        "MEFOR_STORE_ENCRYPTION_KEYS_RETIRED when another one is active",
    },
  );
}
