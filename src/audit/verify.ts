/** Walks the audit log's chain and tells the first row that does not fit. */
import { AUDIT_GENESIS, auditRowHash } from "../crypto/audit_chain.ts";
import type { AuditRow } from "../store/sqlite/registers/audit_rows.ts";

export type AuditVerdict =
  | {
    readonly ok: true;
    readonly rows: number;
    /** Hash of the newest row: kept elsewhere, it shows that rows were cut off the end. */
    readonly head: string;
  }
  | { readonly ok: false; readonly rows: number; readonly row: number; readonly reason: string };

/**
 * Rows that were changed, removed, added or swapped in between are found; rows cut off the end are
 * found by `rows` and `head` alone. A chain that is keyed once stays keyed.
 */
export function verifyAudit(rows: Iterable<AuditRow>, key: Uint8Array | undefined): AuditVerdict {
  let previous = AUDIT_GENESIS;
  let count = 0;
  let wasKeyed = false;
  for (const row of rows) {
    const bad = (reason: string) => ({ ok: false, rows: count, row: row.id, reason }) as const;
    if (wasKeyed && !row.isKeyed) return bad("its hash has no key, and that of an earlier row has");
    if (row.isKeyed && key === undefined) {
      return bad("its hash is keyed, and the store's key is not configured");
    }
    if (auditRowHash(previous, row, row.isKeyed ? key : undefined) !== row.hash) {
      return bad("its content, or that of a row before it, is not what was written");
    }
    wasKeyed = row.isKeyed;
    previous = row.hash;
    count += 1;
  }
  return { ok: true, rows: count, head: previous };
}
