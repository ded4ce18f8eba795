/** What of a message's metadata outlives its content. */
import type { CellCipher } from "../crypto/cells.ts";

/** What ties a message to others; everything else of its metadata is content. */
const correlationKeys = [
  "correlation_id",
  "correlation_root_id",
  "correlation_depth",
  "reingress_from",
  "reingress_of_seq",
  "reingress_outcome",
  "passthrough_from",
] as const;

/** The keys by which a message hangs together with others; undefined cells and others come to null. */
export function correlationOf(cell: string | undefined, cipher: CellCipher): string | null {
  const text = cell === undefined ? undefined : cipher.open(cell);
  if (text === undefined) return null;
  try {
    const metadata = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const kept = Object.fromEntries(
      correlationKeys.flatMap((key) => metadata[key] === undefined ? [] : [[key, metadata[key]]]),
    );
    return Object.keys(kept).length === 0 ? null : cipher.seal(JSON.stringify(kept));
  } catch {
    return null;
  }
}
