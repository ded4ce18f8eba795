/** SQLite text of the audit log. */
import type { AuditQuery } from "../../registers/audit.ts";

const columns = `id, at, CAST(actor AS BLOB) AS actor, CAST(action AS BLOB) AS action,
           CAST(channel_id AS BLOB) AS channel_id, CAST(detail AS BLOB) AS detail`;

export const auditSql: Readonly<Record<AuditQuery, string>> = {
  auditNewest: `
    SELECT ${columns}
      FROM audit_log
     ORDER BY id DESC
     LIMIT ?`,

  /** Index: audit_log_actor. */
  auditOfActor: `
    SELECT ${columns}
      FROM audit_log
     WHERE actor = ? AND action >= 'auth.' AND action < 'auth/'
       AND action <> 'auth.channel_denied'
     ORDER BY id DESC
     LIMIT ?`,

  auditCount: `
    SELECT count(*) AS total
      FROM audit_log`,
};
