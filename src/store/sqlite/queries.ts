/** The SQLite text of every read the API and the start-up make. */
import type { QueryName } from "../query_names.ts";

const MESSAGE_FILTER = `
       (?1 IS NULL OR m.channel_id = ?1)
   AND (?2 IS NULL OR m.status = ?2)
   AND (?3 IS NULL OR m.message_type = ?3)
   AND (?4 IS NULL OR m.control_id = ?4)`;

/** What a partner writes into a header; with a NUL in it, perhaps. */
const HEADER =
  `CAST(m.control_id AS BLOB) AS control_id, CAST(m.message_type AS BLOB) AS message_type`;

const SUMMARY = `
       m.seq, m.id, m.channel_id, m.received_at, m.source_type, ${HEADER},
       m.status, m.error, m.metadata, m.purged_at, m.body_seq,
       m.entered_as,
       coalesce((SELECT e.event FROM message_events e WHERE e.message_seq = m.seq
                  ORDER BY e.seq DESC LIMIT 1), m.entered_as) AS event`;

/** Messages newer than this are not in the look-up tables yet. */
const INDEXED_TO = `(SELECT indexed_to FROM store_meta WHERE id = 1)`;

/**
 * Numbers of the messages of one inbound, or with one control ID, newest first.
 *
 * The limit that limits nothing keeps SQLite from dropping the order of a joined subquery; both
 * halves come sorted from their trees, so nothing is sorted and a page reads only its own rows.
 */
function numbersBy(table: string, column: string): string {
  return `
      SELECT seq FROM messages WHERE seq > ${INDEXED_TO} AND ${column} = ?1
       UNION ALL
      SELECT seq FROM ${table} WHERE ${column} = ?1
       ORDER BY seq DESC
       LIMIT -1`;
}

/** How many there are, without looking at any of them. */
function countBy(table: string, column: string): string {
  return `
    SELECT (SELECT count(*) FROM messages WHERE seq > ${INDEXED_TO} AND ${column} = ?1)
         + (SELECT count(*) FROM ${table} WHERE ${column} = ?1) AS total`;
}

/** Whether a column is among the names of a JSON list; without a list, whatever it is. */
function isAmong(column: string, list: string): string {
  return `(${list} IS NULL OR ${column} IN (SELECT value FROM json_each(${list})))`;
}

const OF_STATUS = `
       m.status = ?1 AND m.status <> 'processed'
   AND (?2 IS NULL OR m.message_type = ?2)
   AND (?3 IS NULL OR m.control_id = ?3)
   AND ${isAmong(`m.channel_id`, "?4")}`;

const COUNT_ALL = `
    SELECT coalesce((SELECT sum(total) FROM totals WHERE kind = 'messages'), 0)
         + (SELECT count(*) FROM messages WHERE seq > ${INDEXED_TO})`;

export const queries: Readonly<Record<QueryName, string>> = {
  /** Newest first; numbers grow with arrival, so no sort is needed. */
  messages: `
    SELECT ${SUMMARY}
      FROM messages m
     WHERE ${MESSAGE_FILTER}
     ORDER BY m.seq DESC
     LIMIT ?5 OFFSET ?6`,

  /** Of several inbounds, ?1; few ask this way, so it looks at each message. */
  messagesOfChannels: `
    SELECT ${SUMMARY}
      FROM messages m
     WHERE ${isAmong(`m.channel_id`, "?1")}
       AND (?2 IS NULL OR m.status = ?2)
       AND (?3 IS NULL OR m.message_type = ?3)
       AND (?4 IS NULL OR m.control_id = ?4)
     ORDER BY m.seq DESC
     LIMIT ?5 OFFSET ?6`,

  /** Index: messages_unprocessed. */
  messagesOfStatus: `
    SELECT ${SUMMARY}
      FROM messages m INDEXED BY messages_unprocessed
     WHERE ${OF_STATUS}
     ORDER BY m.seq DESC
     LIMIT ?5 OFFSET ?6`,

  countOfStatus: `
    SELECT count(*) AS total
      FROM messages m INDEXED BY messages_unprocessed
     WHERE ${OF_STATUS}`,

  /** All but those that are something else. Index: messages_unprocessed. */
  countProcessed: `
    SELECT (${COUNT_ALL})
         - (SELECT count(*) FROM messages WHERE status <> 'processed') AS total`,

  messagesOfChannel: `
    SELECT ${SUMMARY}
      FROM (${numbersBy("message_by_channel", "channel_id")}) n
     CROSS JOIN messages m ON m.seq = n.seq
     WHERE (?2 IS NULL OR m.status = ?2)
       AND (?3 IS NULL OR m.message_type = ?3)
       AND (?4 IS NULL OR m.control_id = ?4)
     LIMIT ?5 OFFSET ?6`,

  messagesOfControlId: `
    SELECT ${SUMMARY}
      FROM (${numbersBy("message_by_control", "control_id")}) n
     CROSS JOIN messages m ON m.seq = n.seq
     WHERE (?2 IS NULL OR m.status = ?2)
       AND (?3 IS NULL OR m.message_type = ?3)
       AND (?4 IS NULL OR m.channel_id = ?4)
     LIMIT ?5 OFFSET ?6`,

  countAll: `${COUNT_ALL} AS total`,

  countMessages: `
    SELECT count(*) AS total
      FROM messages m
     WHERE ${MESSAGE_FILTER}`,

  countOfChannels: `
    SELECT count(*) AS total
      FROM messages m
     WHERE ${isAmong(`m.channel_id`, "?1")}
       AND (?2 IS NULL OR m.status = ?2)
       AND (?3 IS NULL OR m.message_type = ?3)
       AND (?4 IS NULL OR m.control_id = ?4)`,

  countAllOfChannels: `
    SELECT coalesce((SELECT sum(total) FROM totals
                      WHERE kind = 'messages' AND ${isAmong("name", "?1")}), 0)
         + (SELECT count(*) FROM messages
             WHERE seq > ${INDEXED_TO} AND ${isAmong("channel_id", "?1")}) AS total`,

  countOfChannel: `
    SELECT count(*) AS total
      FROM (${numbersBy("message_by_channel", "channel_id")}) n
     CROSS JOIN messages m ON m.seq = n.seq
     WHERE (?2 IS NULL OR m.status = ?2)
       AND (?3 IS NULL OR m.message_type = ?3)
       AND (?4 IS NULL OR m.control_id = ?4)`,

  countAllOfChannel: `
    SELECT coalesce((SELECT total FROM totals WHERE kind = 'messages' AND name = ?1), 0)
         + (SELECT count(*) FROM messages WHERE seq > ${INDEXED_TO} AND channel_id = ?1) AS total`,

  countAllOfControlId: countBy("message_by_control", "control_id"),

  countOfControlId: `
    SELECT count(*) AS total
      FROM (${numbersBy("message_by_control", "control_id")}) n
     CROSS JOIN messages m ON m.seq = n.seq
     WHERE (?2 IS NULL OR m.status = ?2)
       AND (?3 IS NULL OR m.message_type = ?3)
       AND (?4 IS NULL OR m.channel_id = ?4)`,

  /** With bodies, for searches; the number of a message is its place in arrival order. */
  messageBodies: `
    SELECT ${SUMMARY}, CAST(b.body AS BLOB) AS body
      FROM messages m
      LEFT JOIN bodies b ON b.seq = m.body_seq
     WHERE ${MESSAGE_FILTER}
       AND m.seq < ?5
       AND ${isAmong(`m.channel_id`, "?7")}
     ORDER BY m.seq DESC
     LIMIT ?6`,

  bodiesOf: `
    SELECT m.seq, CAST(b.body AS BLOB) AS body
      FROM messages m
      JOIN bodies b ON b.seq = m.body_seq
     WHERE m.seq IN (SELECT value FROM json_each(?1))
       AND octet_length(b.body) <= ?2`,

  message: `
    SELECT ${SUMMARY}, CAST(b.body AS BLOB) AS body
      FROM messages m
      LEFT JOIN bodies b ON b.seq = m.body_seq
     WHERE m.seq = coalesce(
             (SELECT seq FROM message_by_id WHERE id = ?1),
             (SELECT seq FROM messages WHERE seq > ${INDEXED_TO} AND id = ?1))`,

  rows: `
    SELECT seq, stage, lane, handler_name, status, attempts, next_attempt_at, last_error
      FROM queue
     WHERE message_seq = ?1
     ORDER BY seq`,

  events: `
    SELECT ts, event, destination, detail
      FROM message_events
     WHERE message_seq = ?1
     ORDER BY seq`,

  outbound: `
    SELECT q.seq, q.lane, q.status, CAST(b.body AS BLOB) AS body, b.base_seq,
           CAST(o.body AS BLOB) AS base
      FROM queue q
      LEFT JOIN bodies b ON b.seq = q.body_seq
      LEFT JOIN bodies o ON o.seq = b.base_seq
     WHERE q.message_seq = ?1 AND q.stage = 'outbound'
     ORDER BY q.seq`,

  /** Few a message: whoever asks sorts them by their time. */
  responses: `
    SELECT r.destination, r.response_seq, r.outcome, r.detail, r.captured_at,
           CAST(b.body AS BLOB) AS body
      FROM response r
      LEFT JOIN bodies b ON b.seq = r.body_seq
     WHERE r.message_seq = (
             SELECT coalesce(
                      (SELECT seq FROM message_by_id WHERE id = ?1),
                      (SELECT seq FROM messages WHERE seq > ${INDEXED_TO} AND id = ?1)))
     ORDER BY r.destination, r.response_seq`,

  /** Newest failure first. Index: queue_dead. */
  deadLetters: `
    SELECT q.seq, q.channel_id, q.lane, q.attempts, q.last_error, q.updated_at,
           m.seq AS message_seq, m.id AS message_id, ${HEADER}, m.received_at,
           m.body_seq
      FROM queue q INDEXED BY queue_dead
      JOIN messages m ON m.seq = q.message_seq
     WHERE q.status = 'dead' AND q.stage = 'outbound'
       AND (?1 IS NULL OR q.channel_id = ?1)
       AND (?2 IS NULL OR q.lane = ?2)
       AND ${isAmong(`q.channel_id`, "?5")}
     ORDER BY q.updated_at DESC, q.seq DESC
     LIMIT ?3 OFFSET ?4`,

  countDead: `
    SELECT count(*) AS total
      FROM queue INDEXED BY queue_dead
     WHERE status = 'dead' AND stage = 'outbound'
       AND (?1 IS NULL OR channel_id = ?1)
       AND (?2 IS NULL OR lane = ?2)
       AND ${isAmong("channel_id", "?3")}`,

  /** Outbound rows of any status, and those set aside. */
  outbox: `
    SELECT coalesce((SELECT sum(total) FROM totals WHERE kind = 'deliveries'), 0)
         + (SELECT count(*) FROM queue
             WHERE seq > ${INDEXED_TO} AND stage = 'outbound') AS deliveries,
           (SELECT count(*) FROM queue INDEXED BY queue_dead
             WHERE stage = 'outbound' AND status = 'dead') AS dead,
           coalesce((SELECT sum(total) FROM totals WHERE kind = 'cancelled'), 0) AS cancelled`,

  /** Open rows of every stage, and those of outbounds by status, where no memory has them. */
  openRows: `
    SELECT count(*) AS in_pipeline,
           coalesce(sum(CASE WHEN stage = 'outbound' AND status = 'pending'
                             THEN 1 ELSE 0 END), 0) AS pending,
           coalesce(sum(CASE WHEN stage = 'outbound' AND status = 'inflight'
                             THEN 1 ELSE 0 END), 0) AS inflight
      FROM queue
     WHERE status IN ('pending', 'inflight')`,

  /** The oldest open row of each inbound among the first rows of a lane. Index: queue_lane_open. */
  oldestOpen: `
    SELECT channel_id, min(created_at) AS created_at
      FROM (SELECT channel_id, created_at
              FROM queue
             WHERE stage = 'outbound' AND lane = ?1 AND status IN ('pending', 'inflight')
             ORDER BY seq
             LIMIT ?2)
     GROUP BY channel_id`,

  /** Index: queue_lane_open. */
  oldestInLane: `
    SELECT created_at
      FROM queue
     WHERE stage = ?1 AND lane = ?2 AND status IN ('pending', 'inflight')
     ORDER BY seq
     LIMIT 1`,

  connectionEvents: `
    SELECT id, ts, connection, transport, direction, kind, peer_host, reason
      FROM connection_event
     WHERE (?1 IS NULL OR ts >= ?1)
       AND (?2 IS NULL OR instr(?2, ' ' || kind || ' ') > 0)
       AND (?4 IS NULL OR (direction = 'inbound' AND ${isAmong("connection", "?4")}))
     ORDER BY id DESC
     LIMIT ?3`,

  /** Index: connection_event_connection. */
  connectionEventsOf: `
    SELECT id, ts, connection, transport, direction, kind, peer_host, reason
      FROM connection_event
     WHERE connection = ?5
       AND (?1 IS NULL OR ts >= ?1)
       AND (?2 IS NULL OR instr(?2, ' ' || kind || ' ') > 0)
       AND (?4 IS NULL OR (direction = 'inbound' AND ${isAmong("connection", "?4")}))
     ORDER BY id DESC
     LIMIT ?3`,

  retention: `
    SELECT messages, dead_letters, state, connection_events, alerts, logs_hold_purged, reclaimed_on
      FROM retention
     WHERE id = 1`,

  state: `
    SELECT CAST(namespace AS BLOB) AS namespace, CAST(key AS BLOB) AS key,
           CAST(value AS BLOB) AS value
      FROM state`,

  countEvents: `SELECT count(*) AS total FROM message_events`,

  pages: `
    SELECT page_count * page_size AS bytes
      FROM pragma_page_count(), pragma_page_size()`,
};
