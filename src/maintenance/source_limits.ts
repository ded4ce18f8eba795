/** How much one source of a reference set may hold. */
import { EngineError } from "../errors.ts";

/** Largest source, in bytes: a table is in memory as a whole, and in the sandbox once more. */
export const SOURCE_BYTES_MAX = 16 * 1024 * 1024;

/** Rows of one result: a record costs memory beyond its bytes. */
export const ROWS_MAX = 500_000;

export function sourceTooLarge(limit = `${SOURCE_BYTES_MAX} bytes`): EngineError {
  return new EngineError(
    "reference.source_too_large",
    `Cannot read the source: it has more than ${limit}`,
    { hint: "Select or export less, or split the set" },
  );
}
