/** The PostgreSQL text of every read the API and the start-up make. */
import type { QueryName } from "../query_names.ts";

const SUMMARY = `
       m.seq, m.id, m.channel_id, m.received_at, m.source_type, m.control_id, m.message_type,
       m.status, m.error, m.metadata, m.purged_at, m.body_seq,
       m.entered_as,
       coalesce((SELECT e.event FROM message_events e WHERE e.message_seq = m.seq
                  ORDER BY e.seq DESC LIMIT 1), m.entered_as) AS event`;

function is(column: string, value: string): string {
  return `(${value}::text IS NULL OR ${column} = ${value})`;
}

/** By an index on the first characters, for a control ID may be longer than an index takes. */
function isControlId(value: string): string {
  return `left(m.control_id, 200) = left(${value}, 200) AND m.control_id = ${value}`;
}

/** Whether a column is among the names of a JSON list; without a list, whatever it is. */
function isAmong(column: string, list: string): string {
  return `(${list}::text IS NULL
        OR ${column} IN (SELECT json_array_elements_text(${list}::json)))`;
}

const BY_ALL = `
       ${is(`m.channel_id`, "$1")}
   AND ${is(`m.status`, "$2")}
   AND ${is(`m.message_type`, "$3")}
   AND ${is(`m.control_id`, "$4")}`;

const OF_CHANNELS = `
       ${isAmong(`m.channel_id`, "$1")}
   AND ${is(`m.status`, "$2")}
   AND ${is(`m.message_type`, "$3")}
   AND ${is(`m.control_id`, "$4")}`;

const OF_CHANNEL = `
       m.channel_id = $1
   AND ${is(`m.status`, "$2")}
   AND ${is(`m.message_type`, "$3")}
   AND ${is(`m.control_id`, "$4")}`;

const OF_CONTROL_ID = `
       ${isControlId("$1")}
   AND ${is(`m.status`, "$2")}
   AND ${is(`m.message_type`, "$3")}
   AND ${is(`m.channel_id`, "$4")}`;

const OF_STATUS = `
       m.status = $1
   AND ${is(`m.message_type`, "$2")}
   AND ${is(`m.control_id`, "$3")}
   AND ${isAmong(`m.channel_id`, "$4")}`;

function page(where: string): string {
  return `
    SELECT ${SUMMARY}
      FROM messages m
     WHERE ${where}
     ORDER BY m.seq DESC
     LIMIT $5::bigint OFFSET $6::bigint`;
}

function count(where: string): string {
  return `
    SELECT count(*) AS total
      FROM messages m
     WHERE ${where}`;
}

export const queries: Readonly<Record<QueryName, string>> = {
  messages: page(BY_ALL),
  messagesOfChannels: page(OF_CHANNELS),
  messagesOfChannel: page(OF_CHANNEL),
  messagesOfControlId: page(OF_CONTROL_ID),

  messagesOfStatus: page(OF_STATUS),
  countOfStatus: count(OF_STATUS),
  countProcessed: `SELECT count(*) AS total FROM messages WHERE status = 'processed'`,
  countAllOfChannels: `
    SELECT coalesce(sum(total), 0) AS total
      FROM totals
     WHERE kind = 'messages' AND ${isAmong("name", "$1")}`,

  countAll: `SELECT coalesce(sum(total), 0) AS total FROM totals WHERE kind = 'messages'`,
  countMessages: count(BY_ALL),
  countOfChannels: count(OF_CHANNELS),
  countOfChannel: count(OF_CHANNEL),
  countAllOfChannel: `
    SELECT coalesce(sum(total), 0) AS total FROM totals WHERE kind = 'messages' AND name = $1`,
  countAllOfControlId: count(isControlId("$1")),
  countOfControlId: count(OF_CONTROL_ID),

  messageBodies: `
    SELECT ${SUMMARY}, b.body
      FROM messages m
      LEFT JOIN bodies b ON b.seq = m.body_seq
     WHERE ${BY_ALL}
       AND m.seq < $5::bigint
       AND ${isAmong(`m.channel_id`, "$7")}
     ORDER BY m.seq DESC
     LIMIT $6::bigint`,

  /** Index: the primary keys. */
  bodiesOf: `
    SELECT m.seq, b.body
      FROM messages m
      JOIN bodies b ON b.seq = m.body_seq
     WHERE m.seq IN (SELECT json_array_elements_text($1::json)::bigint)
       AND octet_length(b.body) <= $2::bigint`,

  /** Index: message_by_id. */
  message: `
    SELECT ${SUMMARY}, b.body
      FROM messages m
      LEFT JOIN bodies b ON b.seq = m.body_seq
     WHERE m.id = $1`,

  /** Index: queue_message. */
  rows: `
    SELECT seq, stage, lane, handler_name, status, attempts, next_attempt_at, last_error
      FROM queue
     WHERE message_seq = $1
     ORDER BY seq`,

  /** Index: message_events_pkey. */
  events: `
    SELECT ts, event, destination, detail
      FROM message_events
     WHERE message_seq = $1
     ORDER BY seq`,

  /** Index: queue_message. */
  outbound: `
    SELECT q.seq, q.lane, q.status, b.body, b.base_seq, o.body AS base
      FROM queue q
      LEFT JOIN bodies b ON b.seq = q.body_seq
      LEFT JOIN bodies o ON o.seq = b.base_seq
     WHERE q.message_seq = $1 AND q.stage = 'outbound'
     ORDER BY q.seq`,

  /** Few a message: whoever asks sorts them by their time. */
  responses: `
    SELECT r.destination, r.response_seq, r.outcome, r.detail, r.captured_at, b.body
      FROM response r
      LEFT JOIN bodies b ON b.seq = r.body_seq
     WHERE r.message_seq = (SELECT seq FROM messages WHERE id = $1)
     ORDER BY r.destination, r.response_seq`,

  /** Newest failure first. Index: queue_dead. */
  deadLetters: `
    SELECT q.seq, q.channel_id, q.lane, q.attempts, q.last_error, q.updated_at,
           m.seq AS message_seq, m.id AS message_id, m.control_id, m.message_type, m.received_at,
           m.body_seq
      FROM queue q
      JOIN messages m ON m.seq = q.message_seq
     WHERE q.status = 'dead' AND q.stage = 'outbound'
       AND ${is(`q.channel_id`, "$1")}
       AND ${is(`q.lane`, "$2")}
       AND ${isAmong(`q.channel_id`, "$5")}
     ORDER BY q.updated_at DESC, q.seq DESC
     LIMIT $3::bigint OFFSET $4::bigint`,

  /** Index: queue_dead. */
  countDead: `
    SELECT count(*) AS total
      FROM queue
     WHERE status = 'dead' AND stage = 'outbound'
       AND ${is("channel_id", "$1")}
       AND ${is("lane", "$2")}
       AND ${isAmong("channel_id", "$3")}`,

  /** Outbound rows of any status, and those set aside. */
  outbox: `
    SELECT coalesce((SELECT sum(total) FROM totals WHERE kind = 'deliveries'), 0) AS deliveries,
           (SELECT count(*) FROM queue WHERE stage = 'outbound' AND status = 'dead') AS dead,
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
             WHERE stage = 'outbound' AND lane = $1 AND status IN ('pending', 'inflight')
             ORDER BY seq
             LIMIT $2::bigint) first
     GROUP BY channel_id`,

  /** Index: queue_lane_open. */
  oldestInLane: `
    SELECT created_at
      FROM queue
     WHERE stage = $1 AND lane = $2 AND status IN ('pending', 'inflight')
     ORDER BY seq
     LIMIT 1`,

  /** Newest first, by the primary key. */
  connectionEvents: `
    SELECT id, ts, connection, transport, direction, kind, peer_host, reason
      FROM connection_event
     WHERE ($1::bigint IS NULL OR ts >= $1)
       AND ($2::text IS NULL OR strpos($2, ' ' || kind || ' ') > 0)
       AND ($4::text IS NULL OR (direction = 'inbound' AND ${isAmong("connection", "$4")}))
     ORDER BY id DESC
     LIMIT $3::bigint`,

  /** Index: connection_event_connection. */
  connectionEventsOf: `
    SELECT id, ts, connection, transport, direction, kind, peer_host, reason
      FROM connection_event
     WHERE connection = $5
       AND ($1::bigint IS NULL OR ts >= $1)
       AND ($2::text IS NULL OR strpos($2, ' ' || kind || ' ') > 0)
       AND ($4::text IS NULL OR (direction = 'inbound' AND ${isAmong("connection", "$4")}))
     ORDER BY id DESC
     LIMIT $3::bigint`,

  retention: `
    SELECT messages, dead_letters, state, connection_events, alerts, logs_hold_purged, reclaimed_on
      FROM retention
     WHERE id = 1`,

  state: `SELECT namespace, key, value FROM state`,

  countEvents: `SELECT count(*) AS total FROM message_events`,

  pages: `
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes
      FROM pg_class c
     WHERE c.relkind = 'r'
       AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())`,
};
