/** Walks the audit log's chain and tells the first row that does not fit. */
import { AUDIT_GENESIS, auditRowHash } from "../crypto/audit_chain.ts";
import type { AuditRow } from "../store/audit_row.ts";

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
export class ChainCheck {
  readonly #key: Uint8Array | undefined;
  #previous = AUDIT_GENESIS;
  #count = 0;
  #wasKeyed = false;

  constructor(key: Uint8Array | undefined) {
    this.#key = key;
  }

  /** Takes the next row; returns the verdict when it does not fit. */
  take(row: AuditRow): AuditVerdict | undefined {
    const bad = (reason: string) =>
      ({ ok: false, rows: this.#count, row: row.id, reason }) as const;
    if (this.#wasKeyed && !row.isKeyed) {
      return bad("its hash has no key, and that of an earlier row has");
    }
    if (row.isKeyed && this.#key === undefined) {
      return bad("its hash is keyed, and the store's key is not configured");
    }
    if (auditRowHash(this.#previous, row, row.isKeyed ? this.#key : undefined) !== row.hash) {
      return bad("its content, or that of a row before it, is not what was written");
    }
    this.#wasKeyed = row.isKeyed;
    this.#previous = row.hash;
    this.#count += 1;
    return undefined;
  }

  /** All rows that were taken fit. */
  get verdict(): AuditVerdict {
    return { ok: true, rows: this.#count, head: this.#previous };
  }
}

/** Checks the rows of a store file, oldest first. */
export function verifyAudit(rows: Iterable<AuditRow>, key: Uint8Array | undefined): AuditVerdict {
  const check = new ChainCheck(key);
  for (const row of rows) {
    const bad = check.take(row);
    if (bad !== undefined) return bad;
  }
  return check.verdict;
}

/** The same for a store on a server. */
export async function verifyServerAudit(
  rows: AsyncIterable<AuditRow>,
  key: Uint8Array | undefined,
): Promise<AuditVerdict> {
  const check = new ChainCheck(key);
  for await (const row of rows) {
    const bad = check.take(row);
    if (bad !== undefined) return bad;
  }
  return check.verdict;
}
