/** PostgreSQL text of the alert instances. */
import type { AlertChange, AlertQuery } from "../../registers/alerts.ts";

const columns = `id, event_type, connection, severity, status, first_seen, last_seen, count, reason,
           acked_by, acked_at, resolved_at`;

export const alertSql: Readonly<Record<AlertChange | AlertQuery, string>> = {
  /** Index: alert_instance_live. */
  alertRaise: `
    INSERT INTO alert_instance AS live (id, event_type, connection, severity, status, first_seen,
           last_seen, count, reason)
    VALUES ((SELECT coalesce(max(id), 0) + 1 FROM alert_instance), $1, $2, $3, 'open', $4, $5, $6, $7)
        ON CONFLICT (event_type, connection) WHERE status <> 'resolved'
        DO UPDATE SET severity = excluded.severity,
           last_seen = greatest(live.last_seen, excluded.last_seen),
           count = live.count + excluded.count,
           reason = excluded.reason`,

  alertAcknowledge: `
    UPDATE alert_instance
       SET status = 'acknowledged', acked_by = coalesce(acked_by, $1),
           acked_at = coalesce(acked_at, $2)
     WHERE id = $3 AND status <> 'resolved'`,

  alertResolve: `
    UPDATE alert_instance
       SET status = 'resolved', resolved_at = $1
     WHERE id = $2 AND status <> 'resolved'`,

  /** Live ones are as many as connections have kinds of events: they are sorted. */
  alertsLive: `
    SELECT ${columns}
      FROM alert_instance
     WHERE status <> 'resolved'
     ORDER BY last_seen DESC, id DESC
     LIMIT $1`,

  alertById: `
    SELECT ${columns}
      FROM alert_instance
     WHERE id = $1`,

  alertsOpen: `
    SELECT connection, count(*) AS open
      FROM alert_instance
     WHERE status <> 'resolved' AND status = 'open'
     GROUP BY connection`,
};
