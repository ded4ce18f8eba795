/**
 * Seals a whole store with its active key, whether an engine runs on it or not.
 *
 * Without an engine it first opens the store as one would, so that the tables take in what the commit
 * log still holds, and closes it again. From there on both cases are one (`reseal.ts`), and an engine
 * may start meanwhile.
 */
import { DatabaseSync } from "node:sqlite";
import { keyIdsOf } from "../../crypto/keys.ts";
import { StoreError } from "../errors.ts";
import { hasCurrentSchema, openDatabase, realPathOf, requireFile } from "./database.ts";
import type { RotationReport } from "../rotation.ts";
import { reseal, type ResealOptions } from "./reseal.ts";
import { requireKeys } from "./store_keys.ts";

export interface RotateOptions extends Omit<ResealOptions, "which"> {
  /** Microseconds since the epoch. */
  readonly now: number;
}

/**
 * Seals every cell with the active key.
 *
 * @throws {StoreError} as opening a store does, but an engine that has it open is none; as
 * {@link reseal} does; `store.not_found` there is no store; `store.older_schema` an older engine has it.
 */
export async function rotateKey(options: RotateOptions): Promise<RotationReport> {
  const path = realPathOf(options.path);
  requireFile(path, options.path);
  const keyIds = keyIdsOf(options.keys);
  const [keyId, ...retired] = keyIds;
  const isBesideEngine = !openOnce(path, { keyIds, now: options.now });
  if (isBesideEngine) requireFit(path, keyIds);
  const report = await reseal({ ...options, path, which: "former" });
  return { ...report, keyId: keyId!, retired, isBesideEngine };
}

/** Opens and closes the store as an engine would; returns false when one has it open. */
function openOnce(
  path: string,
  { keyIds, now }: { readonly keyIds: readonly string[]; readonly now: number },
): boolean {
  try {
    const { db, unlock } = openDatabase({ path, synchronous: "full", keyIds, now });
    try {
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      db.close();
      unlock();
    }
    return true;
  } catch (thrown) {
    if (thrown instanceof StoreError && thrown.code === "store.locked") return false;
    throw thrown;
  }
}

/** What opening would have asked of a store that an engine has open. */
function requireFit(path: string, keyIds: readonly string[]): void {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    if (!hasCurrentSchema(db)) {
      throw new StoreError(
        "store.older_schema",
        "Cannot seal the store anew: the engine that has it open is older than this program",
        { hint: "Restart the engine with this version first" },
      );
    }
    requireKeys(db, keyIds);
  } finally {
    db.close();
  }
}
