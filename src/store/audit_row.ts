/** A row of the audit log as a check reads it. */
import type { AuditFields } from "../crypto/audit_chain.ts";

export interface AuditRow extends AuditFields {
  readonly id: number;
  readonly isKeyed: boolean;
  readonly hash: string;
}
