/** The T-SQL of the alert instances. */
import type { AlertChange, AlertQuery } from "../../registers/alerts.ts";

const columns = `id, event_type, connection, severity, status, first_seen, last_seen, [count],
           reason, acked_by, acked_at, resolved_at`;

export const alertSql: Readonly<Record<AlertChange | AlertQuery, string>> = {
  /**
   * One of the two changes a row: the store's lock is held, so nobody comes between. Index:
   * alert_instance_live.
   */
  alertRaise: `
    UPDATE mefor.alert_instance
       SET severity = @p3,
           last_seen = CASE WHEN last_seen > @p5 THEN last_seen ELSE @p5 END,
           [count] = [count] + @p6,
           reason = @p7
     WHERE event_type = @p1 AND connection = @p2 AND status <> N'resolved';
    IF @@ROWCOUNT = 0
      INSERT INTO mefor.alert_instance (id, event_type, connection, severity, status, first_seen,
             last_seen, [count], reason)
      SELECT COALESCE(MAX(a.id), 0) + 1, @p1, @p2, @p3, N'open', @p4, @p5, @p6, @p7
        FROM mefor.alert_instance AS a`,

  alertAcknowledge: `
    UPDATE mefor.alert_instance
       SET status = N'acknowledged', acked_by = COALESCE(acked_by, @p1),
           acked_at = COALESCE(acked_at, @p2)
     WHERE id = @p3 AND status <> N'resolved'`,

  alertResolve: `
    UPDATE mefor.alert_instance
       SET status = N'resolved', resolved_at = @p1
     WHERE id = @p2 AND status <> N'resolved'`,

  /** Live ones are as many as connections have kinds of events: they are sorted. */
  alertsLive: `
    SELECT TOP (@p1) ${columns}
      FROM mefor.alert_instance
     WHERE status <> N'resolved'
     ORDER BY last_seen DESC, id DESC`,

  alertById: `
    SELECT ${columns}
      FROM mefor.alert_instance
     WHERE id = @p1`,

  alertsOpen: `
    SELECT connection, COUNT_BIG(*) AS [open]
      FROM mefor.alert_instance
     WHERE status <> N'resolved' AND status = N'open'
     GROUP BY connection`,
};
