/** The PostgreSQL text of what retention does. Meaning stands in `store/purge.ts`. */

const OPEN = `status IN ('pending', 'inflight')`;

export const purgeStatements = {
  /**
   * The oldest messages that are due, and whether a row of each is open. The size is that of the
   * message alone, for what a batch may move. Index: messages_unpurged.
   */
  dueMessages: `
    SELECT m.seq, m.received_at, m.channel_id, m.metadata,
           coalesce(octet_length(b.body), 0) AS bytes,
           EXISTS (SELECT 1 FROM queue q WHERE q.message_seq = m.seq AND q.${OPEN}) AS is_open
      FROM messages m
      LEFT JOIN bodies b ON b.seq = m.body_seq
     WHERE m.purged_at IS NULL AND m.received_at < $3
       AND (m.received_at, m.seq) > ($1, $2::bigint)
     ORDER BY m.received_at, m.seq
     LIMIT $4`,

  /** Bodies that due messages and their rows mean, before they are emptied. Index: queue_message. */
  bodiesOfMessages: `
    SELECT seq, body_seq
      FROM messages
     WHERE seq = ANY ($1::bigint[]) AND body_seq <> 0
     UNION
    SELECT message_seq, body_seq
      FROM queue
     WHERE message_seq = ANY ($1::bigint[]) AND body_seq <> 0
     UNION
    SELECT message_seq, body_seq
      FROM response
     WHERE message_seq = ANY ($1::bigint[]) AND body_seq <> 0`,

  /** That a partner answered, and how, stays known. */
  emptyResponses: `
    UPDATE response
       SET body_seq = 0, detail = NULL
     WHERE message_seq = ANY ($1::bigint[]) AND (body_seq <> 0 OR detail IS NOT NULL)`,

  emptyMessages: `
    UPDATE messages m
       SET body_seq = 0, error = NULL, summary = NULL, metadata = t.metadata, purged_at = $3
      FROM unnest($1::bigint[], $2::text[]) AS t (seq, metadata)
     WHERE m.seq = t.seq`,

  /** A dead delivery can be sent again until its own window ends. Index: queue_message. */
  emptyRows: `
    UPDATE queue
       SET body_seq = 0, last_error = NULL
     WHERE message_seq = ANY ($1::bigint[]) AND NOT (stage = 'outbound' AND status = 'dead')
       AND (body_seq <> 0 OR last_error IS NOT NULL)`,

  emptyEvents: `
    UPDATE message_events
       SET detail = NULL
     WHERE message_seq = ANY ($1::bigint[]) AND detail IS NOT NULL`,

  /** A body goes when neither its message nor a row of it means it. Index: queue_message. */
  dropBodies: `
    DELETE FROM bodies b
     USING unnest($1::bigint[], $2::bigint[]) AS t (body_seq, message_seq)
     WHERE b.seq = t.body_seq
       AND NOT EXISTS (SELECT 1 FROM messages m
                        WHERE m.seq = t.message_seq AND m.body_seq = t.body_seq)
       AND NOT EXISTS (SELECT 1 FROM queue q
                        WHERE q.message_seq = t.message_seq AND q.body_seq = t.body_seq)`,

  /** What is left of messages that is changes of a body. Index: queue_message. */
  changedBodiesOf: `
    SELECT DISTINCT b.seq, b.body, o.body AS base
      FROM queue q
      JOIN bodies b ON b.seq = q.body_seq
      JOIN bodies o ON o.seq = b.base_seq
     WHERE q.message_seq = ANY ($1::bigint[])`,

  writeOutBodies: `
    UPDATE bodies b
       SET body = t.body, base_seq = NULL
      FROM unnest($1::bigint[], $2::text[]) AS t (seq, body)
     WHERE b.seq = t.seq`,

  /** Something of them will have to be purged again. */
  unpurgeMessages: `
    UPDATE messages
       SET purged_at = NULL
     WHERE seq = ANY ($1::bigint[]) AND purged_at IS NOT NULL`,

  /** The oldest dead deliveries that are due. Index: queue_dead_unpurged. */
  dueDeadLetters: `
    SELECT q.seq, q.message_seq, q.body_seq, q.updated_at, q.lane,
           coalesce(octet_length(b.body), 0) AS bytes
      FROM queue q
      LEFT JOIN bodies b ON b.seq = q.body_seq
     WHERE q.status = 'dead' AND q.stage = 'outbound' AND q.body_seq <> 0 AND q.updated_at < $3
       AND (q.updated_at, q.seq) > ($1, $2::bigint)
     ORDER BY q.updated_at, q.seq
     LIMIT $4`,

  emptyDeadLetters: `
    UPDATE queue
       SET body_seq = 0, last_error = NULL
     WHERE seq = ANY ($1::bigint[]) AND status = 'dead'`,

  /** Index: state_set_at. */
  purgeState: `
    DELETE FROM state
     WHERE (namespace, key) IN (SELECT namespace, key FROM state
                                 WHERE set_at < $1 ORDER BY set_at LIMIT $2)
    RETURNING namespace, key`,

  /** Index: connection_event_ts. */
  deleteConnectionEvents: `
    DELETE FROM connection_event
     WHERE id IN (SELECT id FROM connection_event WHERE ts < $1 ORDER BY ts LIMIT $2)`,

  /** Index: alert_instance_resolved. */
  deleteAlerts: `
    DELETE FROM alert_instance
     WHERE id IN (SELECT id FROM alert_instance
                   WHERE status = 'resolved' AND resolved_at < $1 ORDER BY resolved_at LIMIT $2)`,

  /** What is not told of in an audit row yet. */
  addPurged: `
    UPDATE retention
       SET messages = messages + $1, dead_letters = dead_letters + $2, state = state + $3,
           connection_events = connection_events + $4, alerts = alerts + $5, logs_hold_purged = 1
     WHERE id = 1`,

  purgedSoFar: `
    SELECT messages, dead_letters, state, connection_events, alerts
      FROM retention
     WHERE id = 1`,

  endPurge: `
    UPDATE retention
       SET messages = 0, dead_letters = 0, state = 0, connection_events = 0, alerts = 0,
           logs_hold_purged = CASE WHEN $1::boolean THEN 0 ELSE logs_hold_purged END,
           reclaimed_on = coalesce($2, reclaimed_on)
     WHERE id = 1`,
} as const;
