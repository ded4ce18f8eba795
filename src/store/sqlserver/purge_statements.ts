/** The T-SQL of what retention does. Meaning stands in `store/purge.ts`. */
import { numbersOf, OPEN } from "./words.ts";

export const purgeStatements = {
  /**
   * The oldest messages that are due, and whether a row of each is open. The size is that of the
   * message alone, for what a batch may move. Index: messages_unpurged.
   */
  dueMessages: `
    SELECT TOP (@p4) m.seq, m.received_at, m.channel_id, m.metadata,
           COALESCE(DATALENGTH(b.body), 0) AS bytes,
           CASE WHEN EXISTS (SELECT 1 FROM mefor.queue AS q
                              WHERE q.message_seq = m.seq AND q.${OPEN}) THEN 1 ELSE 0 END AS is_open
      FROM mefor.messages AS m
      LEFT JOIN mefor.bodies AS b ON b.seq = m.body_seq
     WHERE m.purged_at IS NULL AND m.received_at < @p3 AND m.received_at >= @p1
       AND (m.received_at > @p1 OR m.seq > @p2)
     ORDER BY m.received_at, m.seq`,

  /** Bodies that due messages and their rows mean, before they are emptied. Index: queue_message. */
  bodiesOfMessages: `
    SELECT m.seq, m.body_seq
      FROM mefor.messages AS m
     WHERE m.seq IN ${numbersOf("@p1")} AND m.body_seq <> 0
     UNION
    SELECT q.message_seq, q.body_seq
      FROM mefor.queue AS q
     WHERE q.message_seq IN ${numbersOf("@p1")} AND q.body_seq <> 0
     UNION
    SELECT r.message_seq, r.body_seq
      FROM mefor.response AS r
     WHERE r.message_seq IN ${numbersOf("@p1")} AND r.body_seq <> 0`,

  /** That a partner answered, and how, stays known. */
  emptyResponses: `
    UPDATE mefor.response
       SET body_seq = 0, detail = NULL
     WHERE message_seq IN ${numbersOf("@p1")} AND (body_seq <> 0 OR detail IS NOT NULL)`,

  /** What belongs together stands at the same place of both lists. */
  emptyMessages: `
    UPDATE m
       SET body_seq = 0, error = NULL, summary = NULL, metadata = d.value, purged_at = @p3
      FROM mefor.messages AS m
      JOIN OPENJSON(@p1) AS s ON m.seq = CAST(s.value AS bigint)
      JOIN OPENJSON(@p2) AS d ON d.[key] = s.[key]`,

  /** A dead delivery can be sent again until its own window ends. Index: queue_message. */
  emptyRows: `
    UPDATE mefor.queue
       SET body_seq = 0, last_error = NULL
     WHERE message_seq IN ${numbersOf("@p1")}
       AND NOT (stage = N'outbound' AND status = N'dead')
       AND (body_seq <> 0 OR last_error IS NOT NULL)`,

  emptyEvents: `
    UPDATE mefor.message_events
       SET detail = NULL
     WHERE message_seq IN ${numbersOf("@p1")} AND detail IS NOT NULL`,

  /** A body goes when neither its message nor a row of it means it. Index: queue_message. */
  dropBodies: `
    DELETE FROM mefor.bodies
     WHERE seq IN (SELECT CAST(b.value AS bigint)
                     FROM OPENJSON(@p1) AS b
                     JOIN OPENJSON(@p2) AS o ON o.[key] = b.[key]
                    WHERE NOT EXISTS (SELECT 1 FROM mefor.messages AS m
                                       WHERE m.seq = CAST(o.value AS bigint)
                                         AND m.body_seq = CAST(b.value AS bigint))
                      AND NOT EXISTS (SELECT 1 FROM mefor.queue AS q
                                       WHERE q.message_seq = CAST(o.value AS bigint)
                                         AND q.body_seq = CAST(b.value AS bigint)))`,

  /** What is left of messages that is changes of a body. Index: queue_message. */
  changedBodiesOf: `
    SELECT b.seq, b.body, o.body AS base
      FROM mefor.bodies AS b
      JOIN mefor.bodies AS o ON o.seq = b.base_seq
     WHERE b.seq IN (SELECT q.body_seq FROM mefor.queue AS q
                      WHERE q.message_seq IN ${numbersOf("@p1")})`,

  writeOutBodies: `
    UPDATE b
       SET body = t.value, base_seq = NULL
      FROM mefor.bodies AS b
      JOIN OPENJSON(@p1) AS s ON b.seq = CAST(s.value AS bigint)
      JOIN OPENJSON(@p2) AS t ON t.[key] = s.[key]`,

  /** Something of them will have to be purged again. */
  unpurgeMessages: `
    UPDATE mefor.messages
       SET purged_at = NULL
     WHERE seq IN ${numbersOf("@p1")} AND purged_at IS NOT NULL`,

  /** The oldest dead deliveries that are due. Index: queue_dead_unpurged. */
  dueDeadLetters: `
    SELECT TOP (@p4) q.seq, q.message_seq, q.body_seq, q.updated_at, q.lane,
           COALESCE(DATALENGTH(b.body), 0) AS bytes
      FROM mefor.queue AS q
      LEFT JOIN mefor.bodies AS b ON b.seq = q.body_seq
     WHERE q.status = N'dead' AND q.stage = N'outbound' AND q.body_seq <> 0
       AND q.updated_at < @p3 AND q.updated_at >= @p1
       AND (q.updated_at > @p1 OR q.seq > @p2)
     ORDER BY q.updated_at, q.seq`,

  emptyDeadLetters: `
    UPDATE mefor.queue
       SET body_seq = 0, last_error = NULL
     WHERE seq IN ${numbersOf("@p1")} AND status = N'dead'`,

  /** Index: state_set_at. */
  purgeState: `
    DECLARE @gone TABLE (namespace nvarchar(max) NOT NULL, [key] nvarchar(max) NOT NULL);
    WITH due AS (
      SELECT TOP (@p2) s.namespace, s.[key]
        FROM mefor.state AS s
       WHERE s.set_at < @p1
       ORDER BY s.set_at
    )
    DELETE FROM due
    OUTPUT deleted.namespace, deleted.[key] INTO @gone (namespace, [key]);
    SELECT namespace, [key] FROM @gone`,

  /** Index: connection_event_ts. */
  deleteConnectionEvents: `
    WITH due AS (
      SELECT TOP (@p2) e.id
        FROM mefor.connection_event AS e
       WHERE e.ts < @p1
       ORDER BY e.ts
    )
    DELETE FROM due`,

  /** Index: alert_instance_resolved. */
  deleteAlerts: `
    WITH due AS (
      SELECT TOP (@p2) a.id
        FROM mefor.alert_instance AS a
       WHERE a.status = N'resolved' AND a.resolved_at < @p1
       ORDER BY a.resolved_at
    )
    DELETE FROM due`,

  /** What is not told of in an audit row yet. */
  addPurged: `
    UPDATE mefor.retention
       SET messages = messages + @p1, dead_letters = dead_letters + @p2, state = state + @p3,
           connection_events = connection_events + @p4, alerts = alerts + @p5, logs_hold_purged = 1
     WHERE id = 1`,

  purgedSoFar: `
    SELECT messages, dead_letters, state, connection_events, alerts
      FROM mefor.retention
     WHERE id = 1`,

  endPurge: `
    UPDATE mefor.retention
       SET messages = 0, dead_letters = 0, state = 0, connection_events = 0, alerts = 0,
           logs_hold_purged = CASE WHEN @p1 = 1 THEN 0 ELSE logs_hold_purged END,
           reclaimed_on = COALESCE(@p2, reclaimed_on)
     WHERE id = 1`,
} as const;
