/** The T-SQL of every read the API and the start-up make. */
import type { QueryName } from "../query_names.ts";
import { BIN, numbersOf, OPEN, same, textsOf } from "./words.ts";

const SUMMARY = `
       m.seq, m.id, m.channel_id, m.received_at, m.source_type, m.control_id, m.message_type,
       m.status, m.error, m.metadata, m.purged_at, m.body_seq,
       m.entered_as,
       COALESCE((SELECT TOP (1) e.event FROM mefor.message_events AS e
                  WHERE e.message_seq = m.seq
                  ORDER BY e.seq DESC), m.entered_as) AS event`;

/** A filter may be set or not, so such a statement is planned anew for what is set. */
const PLANNED_ANEW = "OPTION (RECOMPILE)";

function is(column: string, value: string): string {
  return `(${value} IS NULL OR (${same(column, value)}))`;
}

/** By an index on the first characters, for a control ID may be longer than an index takes. */
function isControlId(value: string): string {
  return `m.control_prefix = LEFT(${value}, 200) AND ${same(`m.control_id`, value)}`;
}

/** Whether a column is among the texts of a JSON list; without a list, whatever it is. */
function isAmong(column: string, list: string): string {
  return `(${list} IS NULL OR ${column} IN ${textsOf(list)})`;
}

const BY_ALL = `
       ${is(`m.channel_id`, "@p1")}
   AND ${is(`m.status`, "@p2")}
   AND ${is(`m.message_type`, "@p3")}
   AND ${is(`m.control_id`, "@p4")}`;

const OF_CHANNELS = `
       ${isAmong(`m.channel_id`, "@p1")}
   AND ${is(`m.status`, "@p2")}
   AND ${is(`m.message_type`, "@p3")}
   AND ${is(`m.control_id`, "@p4")}`;

const OF_CHANNEL = `
       m.channel_id = @p1
   AND ${is(`m.status`, "@p2")}
   AND ${is(`m.message_type`, "@p3")}
   AND ${is(`m.control_id`, "@p4")}`;

const OF_CONTROL_ID = `
       ${isControlId("@p1")}
   AND ${is(`m.status`, "@p2")}
   AND ${is(`m.message_type`, "@p3")}
   AND ${is(`m.channel_id`, "@p4")}`;

const OF_STATUS = `
       m.status = @p1
   AND ${is(`m.message_type`, "@p2")}
   AND ${is(`m.control_id`, "@p3")}
   AND ${isAmong(`m.channel_id`, "@p4")}`;

function page(where: string): string {
  return `
    SELECT ${SUMMARY}
      FROM mefor.messages AS m
     WHERE ${where}
     ORDER BY m.seq DESC
    OFFSET @p6 ROWS FETCH NEXT @p5 ROWS ONLY
    ${PLANNED_ANEW}`;
}

function count(where: string): string {
  return `
    SELECT COUNT_BIG(*) AS total
      FROM mefor.messages AS m
     WHERE ${where}
    ${PLANNED_ANEW}`;
}

/** @param where Of the connection, if any. */
function connectionEvents(where: string): string {
  return `
    SELECT TOP (@p3) e.id, e.ts, e.connection, e.transport, e.direction, e.kind, e.peer_host,
           e.reason
      FROM mefor.connection_event AS e
     WHERE ${where}(@p1 IS NULL OR e.ts >= @p1)
       AND (@p2 IS NULL OR CHARINDEX(N' ' + e.kind + N' ', @p2 ${BIN}) > 0)
       AND (@p4 IS NULL OR (e.direction = N'inbound' AND ${isAmong(`e.connection`, "@p4")}))
     ORDER BY e.id DESC
    ${PLANNED_ANEW}`;
}

export const queries: Readonly<Record<QueryName, string>> = {
  messages: page(BY_ALL),
  messagesOfChannels: page(OF_CHANNELS),
  messagesOfChannel: page(OF_CHANNEL),
  messagesOfControlId: page(OF_CONTROL_ID),

  messagesOfStatus: page(OF_STATUS),
  countOfStatus: count(OF_STATUS),
  countProcessed: `
    SELECT COUNT_BIG(*) AS total
      FROM mefor.messages
     WHERE status = N'processed'`,
  countAllOfChannels: `
    SELECT COALESCE(SUM(total), 0) AS total
      FROM mefor.totals
     WHERE kind = N'messages' AND ${isAmong("name", "@p1")}`,

  countAll: `
    SELECT COALESCE(SUM(total), 0) AS total
      FROM mefor.totals
     WHERE kind = N'messages'`,
  countMessages: count(BY_ALL),
  countOfChannels: count(OF_CHANNELS),
  countOfChannel: count(OF_CHANNEL),
  countAllOfChannel: `
    SELECT COALESCE(SUM(total), 0) AS total
      FROM mefor.totals
     WHERE kind = N'messages' AND name = @p1`,
  countAllOfControlId: count(isControlId("@p1")),
  countOfControlId: count(OF_CONTROL_ID),

  messageBodies: `
    SELECT TOP (@p6) ${SUMMARY}, b.body
      FROM mefor.messages AS m
      LEFT JOIN mefor.bodies AS b ON b.seq = m.body_seq
     WHERE ${BY_ALL}
       AND m.seq < @p5
       AND ${isAmong(`m.channel_id`, "@p7")}
     ORDER BY m.seq DESC
    ${PLANNED_ANEW}`,

  /** Index: the primary keys. */
  bodiesOf: `
    SELECT m.seq, b.body
      FROM mefor.messages AS m
      JOIN mefor.bodies AS b ON b.seq = m.body_seq
     WHERE m.seq IN ${numbersOf("@p1")}
       AND DATALENGTH(b.body) <= @p2`,

  /** Index: message_by_id. */
  message: `
    SELECT ${SUMMARY}, b.body
      FROM mefor.messages AS m
      LEFT JOIN mefor.bodies AS b ON b.seq = m.body_seq
     WHERE ${same(`m.id`, "@p1")}`,

  /** Index: queue_message. */
  rows: `
    SELECT seq, stage, lane, handler_name, status, attempts, next_attempt_at, last_error
      FROM mefor.queue
     WHERE message_seq = @p1
     ORDER BY seq`,

  /** By the primary key. */
  events: `
    SELECT ts, event, destination, detail
      FROM mefor.message_events
     WHERE message_seq = @p1
     ORDER BY seq`,

  /** Index: queue_message. */
  outbound: `
    SELECT q.seq, q.lane, q.status, b.body, b.base_seq, o.body AS base
      FROM mefor.queue AS q
      LEFT JOIN mefor.bodies AS b ON b.seq = q.body_seq
      LEFT JOIN mefor.bodies AS o ON o.seq = b.base_seq
     WHERE q.message_seq = @p1 AND q.stage = N'outbound'
     ORDER BY q.seq`,

  /** Few a message: whoever asks sorts them by their time. */
  responses: `
    SELECT r.destination, r.response_seq, r.outcome, r.detail, r.captured_at, b.body
      FROM mefor.response AS r
      LEFT JOIN mefor.bodies AS b ON b.seq = r.body_seq
     WHERE r.message_seq = (SELECT m.seq FROM mefor.messages AS m WHERE ${same(`m.id`, "@p1")})
     ORDER BY r.destination, r.response_seq`,

  /** Newest failure first. Index: queue_dead. */
  deadLetters: `
    SELECT q.seq, q.channel_id, q.lane, q.attempts, q.last_error, q.updated_at,
           m.seq AS message_seq, m.id AS message_id, m.control_id, m.message_type, m.received_at,
           m.body_seq
      FROM mefor.queue AS q
      JOIN mefor.messages AS m ON m.seq = q.message_seq
     WHERE q.status = N'dead' AND q.stage = N'outbound'
       AND ${is(`q.channel_id`, "@p1")}
       AND ${is(`q.lane`, "@p2")}
       AND ${isAmong(`q.channel_id`, "@p5")}
     ORDER BY q.updated_at DESC, q.seq DESC
    OFFSET @p4 ROWS FETCH NEXT @p3 ROWS ONLY
    ${PLANNED_ANEW}`,

  /** Index: queue_dead. */
  countDead: `
    SELECT COUNT_BIG(*) AS total
      FROM mefor.queue AS q
     WHERE q.status = N'dead' AND q.stage = N'outbound'
       AND ${is(`q.channel_id`, "@p1")}
       AND ${is(`q.lane`, "@p2")}
       AND ${isAmong(`q.channel_id`, "@p3")}
    ${PLANNED_ANEW}`,

  /** Outbound rows of any status, and those set aside. */
  outbox: `
    SELECT COALESCE((SELECT SUM(t.total) FROM mefor.totals AS t
                      WHERE t.kind = N'deliveries'), 0) AS deliveries,
           (SELECT COUNT_BIG(*) FROM mefor.queue AS q
             WHERE q.stage = N'outbound' AND q.status = N'dead') AS dead,
           COALESCE((SELECT SUM(t.total) FROM mefor.totals AS t
                      WHERE t.kind = N'cancelled'), 0) AS cancelled`,

  /** Open rows of every stage, and those of outbounds by status, where no memory has them. */
  openRows: `
    SELECT COUNT_BIG(*) AS in_pipeline,
           COALESCE(SUM(CASE WHEN stage = N'outbound' AND status = N'pending'
                             THEN 1 ELSE 0 END), 0) AS pending,
           COALESCE(SUM(CASE WHEN stage = N'outbound' AND status = N'inflight'
                             THEN 1 ELSE 0 END), 0) AS inflight
      FROM mefor.queue
     WHERE ${OPEN}`,

  /** The oldest open row of each inbound among the first rows of a lane. Index: queue_lane_open. */
  oldestOpen: `
    SELECT f.channel_id, MIN(f.created_at) AS created_at
      FROM (SELECT TOP (@p2) q.channel_id, q.created_at
              FROM mefor.queue AS q
             WHERE q.stage = N'outbound' AND q.lane = @p1 AND q.${OPEN}
             ORDER BY q.seq) AS f
     GROUP BY f.channel_id`,

  /** Index: queue_lane_open. */
  oldestInLane: `
    SELECT TOP (1) created_at
      FROM mefor.queue
     WHERE stage = @p1 AND lane = @p2 AND ${OPEN}
     ORDER BY seq`,

  /** Newest first, by the primary key. */
  connectionEvents: connectionEvents(""),

  /** Index: connection_event_connection. */
  connectionEventsOf: connectionEvents("e.connection = @p5 AND "),

  retention: `
    SELECT messages, dead_letters, state, connection_events, alerts, logs_hold_purged, reclaimed_on
      FROM mefor.retention
     WHERE id = 1`,

  state: `SELECT namespace, [key], value FROM mefor.state`,

  countEvents: `SELECT COUNT_BIG(*) AS total FROM mefor.message_events`,

  /** Pages are of 8 KB. */
  pages: `
    SELECT COALESCE(SUM(a.total_pages), 0) * 8192 AS bytes
      FROM sys.tables AS t
      JOIN sys.partitions AS p ON p.object_id = t.object_id
      JOIN sys.allocation_units AS a ON a.container_id = p.partition_id
     WHERE t.schema_id = (SELECT o.schema_id FROM sys.objects AS o
                           WHERE o.object_id = OBJECT_ID(N'mefor.store_meta'))`,
};
