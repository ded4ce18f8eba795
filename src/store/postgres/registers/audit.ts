/** PostgreSQL text of the audit log. */
import type { AuditQuery } from "../../registers/audit.ts";

export const auditSql: Readonly<Record<AuditQuery, string>> = {
  auditNewest: `
    SELECT id, at, actor, action, channel_id, detail
      FROM audit_log
     ORDER BY id DESC
     LIMIT $1`,

  /** Index: audit_log_actor. */
  auditOfActor: `
    SELECT id, at, actor, action, channel_id, detail
      FROM audit_log
     WHERE actor = $1 AND action >= 'auth.' AND action < 'auth/'
       AND action <> 'auth.channel_denied'
     ORDER BY id DESC
     LIMIT $2`,

  auditCount: `
    SELECT count(*) AS total
      FROM audit_log`,
};
