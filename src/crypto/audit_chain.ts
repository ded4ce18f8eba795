/**
 * The hash that chains one audit row to the row before it.
 *
 * Every field is preceded by its length, so no two rows read as the same bytes; what is absent has a
 * length of its own. With a key the hash is an HMAC: who can write the table, and does not have the
 * key, cannot make a chain that verifies. Source: spec pipeline-store-cluster §4.5.
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";

/** What an audit row says. */
export interface AuditFields {
  /** Microseconds since the epoch. */
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  /** Name of an inbound. */
  readonly channel: string | null;
  /** JSON text; metadata only. */
  readonly detail: string | null;
}

/** The hash before the first row. */
export const AUDIT_GENESIS = "";

const ABSENT = 0xffffffff;

/** Returns the row's hash in lower-case hexadecimal. */
export function auditRowHash(
  previous: string,
  { at, actor, action, channel, detail }: AuditFields,
  key: Uint8Array | undefined,
): string {
  const hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
  for (const field of [previous, String(at), actor, action, channel, detail]) {
    const bytes = field === null ? undefined : Buffer.from(field, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes?.length ?? ABSENT);
    hash.update(length);
    if (bytes !== undefined) hash.update(bytes);
  }
  return hash.digest("hex");
}
