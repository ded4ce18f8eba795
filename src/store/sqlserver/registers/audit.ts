/** The T-SQL of the audit log. */
import type { AuditQuery } from "../../registers/audit.ts";

export const auditSql: Readonly<Record<AuditQuery, string>> = {
  auditNewest: `
    SELECT TOP (@p1) id, [at], actor, action, channel_id, detail
      FROM mefor.audit_log
     ORDER BY id DESC`,

  /** Index: audit_log_actor. */
  auditOfActor: `
    SELECT TOP (@p2) id, [at], actor, action, channel_id, detail
      FROM mefor.audit_log
     WHERE actor = @p1 AND action >= N'auth.' AND action < N'auth/'
       AND action <> N'auth.channel_denied'
     ORDER BY id DESC`,

  auditCount: `
    SELECT COUNT_BIG(*) AS total
      FROM mefor.audit_log`,
};
