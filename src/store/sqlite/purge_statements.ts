/** The SQLite text of what retention does. Meaning stands in `store/purge.ts`. */

const OPEN = `status IN ('pending', 'inflight')`;

export const purgeStatements = {
  /**
   * The oldest messages that are due, and whether a row of each is open. The size is that of the
   * message alone, for what a batch may move. Index: messages_unpurged.
   */
  dueMessages: `
    SELECT m.seq, m.received_at, m.channel_id, m.body_seq, coalesce(octet_length(b.body), 0) AS bytes,
           CAST(m.metadata AS BLOB) AS metadata,
           EXISTS (SELECT 1 FROM queue q WHERE q.message_seq = m.seq AND q.${OPEN}) AS is_open
      FROM messages m INDEXED BY messages_unpurged
      LEFT JOIN bodies b ON b.seq = m.body_seq
     WHERE m.purged_at IS NULL AND m.received_at < ?3
       AND m.received_at >= ?1 AND (m.received_at > ?1 OR m.seq > ?2)
     ORDER BY m.received_at, m.seq
     LIMIT ?4`,

  emptyMessage: `
    UPDATE messages
       SET body_seq = 0, error = NULL, summary = NULL, metadata = ?1, purged_at = ?2
     WHERE seq = ?3`,

  /** Index: queue_message. */
  bodiesOfRows: `
    SELECT body_seq
      FROM queue
     WHERE message_seq = ? AND body_seq <> 0`,

  bodiesOfResponses: `
    SELECT body_seq
      FROM response
     WHERE message_seq = ? AND body_seq <> 0`,

  /** That a partner answered, and how, stays known. */
  emptyResponses: `
    UPDATE response
       SET body_seq = 0, detail = NULL
     WHERE message_seq = ? AND (body_seq <> 0 OR detail IS NOT NULL)`,

  /** A dead delivery can be sent again until its own window ends. Index: queue_message. */
  emptyRows: `
    UPDATE queue
       SET body_seq = 0, last_error = NULL
     WHERE message_seq = ? AND NOT (stage = 'outbound' AND status = 'dead')
       AND (body_seq <> 0 OR last_error IS NOT NULL)`,

  emptyEvents: `
    UPDATE message_events
       SET detail = NULL
     WHERE message_seq = ? AND detail IS NOT NULL`,

  /** A body goes when neither its message nor a row of it means it. Index: queue_message. */
  dropBody: `
    DELETE FROM bodies
     WHERE seq = ?1
       AND NOT EXISTS (SELECT 1 FROM messages WHERE seq = ?2 AND body_seq = ?1)
       AND NOT EXISTS (SELECT 1 FROM queue WHERE message_seq = ?2 AND body_seq = ?1)`,

  /** What is left of a message that is changes of a body. Index: queue_message. */
  changedBodiesOf: `
    SELECT b.seq, CAST(b.body AS BLOB) AS body, CAST(o.body AS BLOB) AS base
      FROM queue q
      JOIN bodies b ON b.seq = q.body_seq
      JOIN bodies o ON o.seq = b.base_seq
     WHERE q.message_seq = ?`,

  writeOutBody: `
    UPDATE bodies
       SET body = ?, base_seq = NULL
     WHERE seq = ?`,

  /** Something of it will have to be purged again. */
  unpurgeMessage: `
    UPDATE messages
       SET purged_at = NULL
     WHERE seq = ? AND purged_at IS NOT NULL`,

  /** The oldest dead deliveries that are due. Index: queue_dead_unpurged. */
  dueDeadLetters: `
    SELECT q.seq, q.message_seq, q.body_seq, q.updated_at, q.lane, coalesce(octet_length(b.body), 0) AS bytes
      FROM queue q INDEXED BY queue_dead_unpurged
      LEFT JOIN bodies b ON b.seq = q.body_seq
     WHERE q.status = 'dead' AND q.stage = 'outbound' AND q.body_seq <> 0 AND q.updated_at < ?3
       AND q.updated_at >= ?1 AND (q.updated_at > ?1 OR q.seq > ?2)
     ORDER BY q.updated_at, q.seq
     LIMIT ?4`,

  emptyDeadLetter: `
    UPDATE queue
       SET body_seq = 0, last_error = NULL
     WHERE seq = ? AND status = 'dead'`,

  /** Index: state_set_at. */
  dueState: `
    SELECT CAST(namespace AS BLOB) AS namespace, CAST(key AS BLOB) AS key
      FROM state
     WHERE set_at < ?
     ORDER BY set_at
     LIMIT ?`,

  deleteState: `
    DELETE FROM state
     WHERE namespace = ? AND key = ?`,

  /** Index: connection_event_ts. */
  deleteConnectionEvents: `
    DELETE FROM connection_event
     WHERE id IN (SELECT id FROM connection_event WHERE ts < ? ORDER BY ts LIMIT ?)`,

  /** Index: alert_instance_resolved. */
  deleteAlerts: `
    DELETE FROM alert_instance
     WHERE id IN (SELECT id FROM alert_instance
                   WHERE status = 'resolved' AND resolved_at < ? ORDER BY resolved_at LIMIT ?)`,

  /** What is not told of in an audit row yet. */
  addPurged: `
    UPDATE retention
       SET messages = messages + ?1, dead_letters = dead_letters + ?2, state = state + ?3,
           connection_events = connection_events + ?4, alerts = alerts + ?5, logs_hold_purged = 1
     WHERE id = 1`,

  purgedSoFar: `
    SELECT messages, dead_letters, state, connection_events, alerts
      FROM retention
     WHERE id = 1`,

  endPurge: `
    UPDATE retention
       SET messages = 0, dead_letters = 0, state = 0, connection_events = 0, alerts = 0,
           logs_hold_purged = CASE WHEN ?1 THEN 0 ELSE logs_hold_purged END,
           reclaimed_on = coalesce(?2, reclaimed_on)
     WHERE id = 1`,
} as const;
