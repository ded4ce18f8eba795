/**
 * The audit log: who did what to the engine, in rows that are chained so that a change shows.
 *
 * Upstream: `operations/` and `auth/` say what was done. Downstream: the store, which appends each
 * row in the commit of its act.
 * Not here: what an act is, and who may see the log.
 */
export { openAuditRows } from "../store/sqlite/registers/audit_rows.ts";
export { type AuditVerdict, verifyAudit, verifyServerAudit } from "./verify.ts";
export { type SummaryAccess, SummaryAccessLog } from "./summary_access.ts";
export { type AuditFacts, auditRecord, auditRow } from "./row.ts";
