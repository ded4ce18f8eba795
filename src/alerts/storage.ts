/** Says when the store is larger than the operator wants. It deletes nothing. */
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import type { StorageThreshold } from "./event.ts";

export interface StorageOptions {
  /** What the event calls the store. */
  readonly store: string;
  /** Bytes of the database and the files beside it. */
  readonly measure: () => Promise<number>;
  readonly limitBytes: number;
  readonly raise: (event: StorageThreshold) => void;
  readonly logger: Logger;
}

/** Measures once; never throws. Source: A `[retention]` `max_db_mb`. */
export async function lookAtStorage(options: StorageOptions): Promise<void> {
  const { store, measure, limitBytes, raise, logger } = options;
  try {
    const sizeBytes = await measure();
    if (sizeBytes <= limitBytes) return;
    logger.warning("alert.storage_large", { size_bytes: sizeBytes, limit_bytes: limitBytes });
    raise({ type: "storage_threshold", connection: store, sizeBytes, limitBytes });
  } catch (thrown) {
    logger.warning("alert.storage_unmeasured", { error: errorClass(thrown) });
  }
}
