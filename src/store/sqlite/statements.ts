/**
 * The SQLite text of every hot statement. Meaning stands in `store/intents.ts`; the plan of each
 * claim statement is held by a test.
 */

import { purgeStatements } from "./purge_statements.ts";

/** Open rows: the index `queue_lane_open` serves every lane walk. */
const OPEN = `status IN ('pending', 'inflight')`;

/** A row as a lane gets it. A lost body must not hide its row, or the lane would wait for ever. */
const LANE_ROW = `
    SELECT q.seq, q.message_seq, q.channel_id, q.handler_name, q.status, q.attempts,
           q.next_attempt_at, q.created_at, m.id AS message_id, m.received_at,
           CAST(m.metadata AS BLOB) AS metadata,
           CAST(b.body AS BLOB) AS body, b.base_seq, CAST(o.body AS BLOB) AS base,
           CASE WHEN q.stage = 'response' THEN (
             SELECT r.response_seq || ' ' || r.outcome
               FROM response r
              WHERE r.message_seq = q.message_seq AND r.body_seq = q.body_seq) END AS answer
      FROM queue q
      JOIN messages m ON m.seq = q.message_seq
      LEFT JOIN bodies b ON b.seq = q.body_seq
      LEFT JOIN bodies o ON o.seq = b.base_seq`;

export const statements = {
  ...purgeStatements,

  // What the commit log and the engine's thread say: all of it may be said twice.

  putMessage: `
    INSERT INTO messages (seq, id, channel_id, received_at, source_type, control_id, message_type,
                          entered_as, status, error, body_seq)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?1)
    ON CONFLICT (seq) DO UPDATE SET status = excluded.status, error = excluded.error`,

  updateMessage: `
    UPDATE messages
       SET status = ?, error = ?
     WHERE seq = ?`,

  putBody: `
    INSERT INTO bodies (seq, body)
    VALUES (?, ?)
    ON CONFLICT (seq) DO NOTHING`,

  putChangedBody: `
    INSERT INTO bodies (seq, body, base_seq)
    VALUES (?, ?, ?)
    ON CONFLICT (seq) DO NOTHING`,

  putRow: `
    INSERT INTO queue (seq, message_seq, stage, lane, channel_id, handler_name, body_seq, status,
                       attempts, next_attempt_at, claim_token, last_error, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (seq) DO UPDATE
       SET status = excluded.status, attempts = excluded.attempts,
           next_attempt_at = excluded.next_attempt_at, claim_token = excluded.claim_token,
           last_error = excluded.last_error, updated_at = excluded.updated_at`,

  updateRow: `
    UPDATE queue
       SET status = ?, attempts = ?, next_attempt_at = ?, claim_token = ?, last_error = ?,
           updated_at = ?
     WHERE seq = ?`,

  deleteRow: `
    DELETE FROM queue
     WHERE seq = ?`,

  putEvent: `
    INSERT INTO message_events (message_seq, seq, ts, event, destination, detail)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (message_seq, seq) DO NOTHING`,

  putAuditRow: `
    INSERT INTO audit_log (id, at, actor, action, channel_id, detail, keyed, row_hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING`,

  putThreeEvents: `
    INSERT INTO message_events (message_seq, seq, ts, event, destination, detail)
    VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)
    ON CONFLICT (message_seq, seq) DO NOTHING`,

  putResponse: `
    INSERT INTO response (message_seq, destination, response_seq, outcome, detail, body_seq,
                          captured_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (message_seq, destination, response_seq) DO NOTHING`,

  setMetadata: `
    UPDATE messages
       SET metadata = ?
     WHERE seq = ?`,

  /** Frames of the commit log before this one are in the tables. */
  setLogFrom: `
    UPDATE store_meta
       SET log_from = ?
     WHERE id = 1`,

  logFrom: `
    SELECT log_from FROM store_meta WHERE id = 1`,

  // Messages back into memory.

  messageOfRow: `
    SELECT message_seq
      FROM queue
     WHERE seq = ?`,

  statusOfMessage: `
    SELECT status, CAST(error AS BLOB) AS error
      FROM messages
     WHERE seq = ?`,

  /** Index: queue_message. */
  recordsOfMessage: `
    SELECT seq, message_seq, stage, lane, channel_id, handler_name, body_seq, status, attempts,
           next_attempt_at, claim_token, CAST(last_error AS BLOB) AS last_error, created_at,
           updated_at
      FROM queue
     WHERE message_seq = ?
     ORDER BY seq`,

  countResponses: `
    SELECT destination, max(response_seq) AS responses
      FROM response
     WHERE message_seq = ?
     GROUP BY destination`,

  // Operators and lanes that are read back: on the tables, when the working set is stored.

  noteError: `
    UPDATE messages
       SET error = ?
     WHERE seq = ?`,

  /**
   * The finalizer of spec §1.5 on the tables; `finalize()` of `execute.ts` is the same in memory.
   * Leaves the message alone while any row is open. A replayed routed row leaves its message
   * RECEIVED, so that status too ends as FILTERED. Index: queue_message.
   */
  finalize: `
    UPDATE messages
       SET status = CASE
             WHEN EXISTS (SELECT 1 FROM queue WHERE message_seq = ?1 AND status = 'dead') THEN 'error'
             WHEN EXISTS (SELECT 1 FROM queue WHERE message_seq = ?1 AND stage IN ('outbound', 'response')) THEN 'processed'
             WHEN status IN ('routed', 'received') THEN 'filtered'
             ELSE status
           END
     WHERE seq = ?1
       AND NOT EXISTS (SELECT 1 FROM queue WHERE message_seq = ?1 AND ${OPEN})`,

  /** Claims a row memory knows by number; loses to whoever changed it meanwhile. */
  claimRow: `
    UPDATE queue
       SET status = 'inflight', claim_token = ?, attempts = attempts + 1, updated_at = ?
     WHERE seq = ? AND status = 'pending'`,

  /** The open rows of a lane from its head on, content included. Index: queue_lane_open. */
  readLane: `${LANE_ROW}
     WHERE q.stage = ? AND q.lane = ? AND q.${OPEN} AND q.seq > ?
     ORDER BY q.seq
     LIMIT ?`,

  /**
   * The due rows of an unordered lane, past those that back off: however many fail, they stop
   * no other. Index: queue_lane_open.
   */
  readDueLane: `${LANE_ROW}
     WHERE q.stage = ? AND q.lane = ? AND q.${OPEN} AND q.seq > ?
       AND q.status = 'pending' AND q.next_attempt_at <= ?
     ORDER BY q.seq
     LIMIT ?`,

  /** What is open in a lane, and when the first of its pending rows is due. */
  laneRest: `
    SELECT count(*) AS open, min(CASE WHEN status = 'pending' THEN next_attempt_at END) AS due_at
      FROM queue
     WHERE stage = ? AND lane = ? AND ${OPEN} AND seq > ?`,

  /** Nothing came of these claims, so their attempts are given back. */
  resyncLane: `
    UPDATE queue
       SET status = 'pending', claim_token = NULL, attempts = attempts - 1, updated_at = ?
     WHERE stage = ? AND lane = ? AND status = 'inflight' AND ${OPEN}`,

  countOpen: `
    SELECT count(*) AS open
      FROM queue
     WHERE stage = ? AND lane = ? AND ${OPEN}`,

  upsertState: `
    INSERT INTO state (namespace, key, value, set_at, message_seq)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (namespace, key) DO UPDATE
       SET value = excluded.value, set_at = excluded.set_at, message_seq = excluded.message_seq`,

  insertConnectionEvent: `
    INSERT INTO connection_event (ts, connection, transport, direction, kind, peer_host, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,

  // Operator actions.

  findMessage: `
    SELECT m.seq, m.channel_id
      FROM messages m
     WHERE m.seq = coalesce(
             (SELECT seq FROM message_by_id WHERE id = ?1),
             (SELECT seq FROM messages
               WHERE seq > (SELECT indexed_to FROM store_meta WHERE id = 1) AND id = ?1))`,

  // Look-up tables, some hundred messages at a time.

  indexIds: `
    INSERT INTO message_by_id (id, seq)
    SELECT id, seq FROM messages WHERE seq > ?1 AND seq <= ?2 ORDER BY id`,

  indexChannels: `
    INSERT INTO message_by_channel (channel_id, seq)
    SELECT channel_id, seq FROM messages WHERE seq > ?1 AND seq <= ?2 ORDER BY channel_id, seq`,

  indexControlIds: `
    INSERT INTO message_by_control (control_id, seq)
    SELECT control_id, seq FROM messages
     WHERE seq > ?1 AND seq <= ?2 AND control_id IS NOT NULL ORDER BY control_id, seq`,

  addCancelled: `
    INSERT INTO totals (kind, name, total)
    VALUES ('cancelled', ?, ?)
    ON CONFLICT (kind, name) DO UPDATE SET total = total + excluded.total`,

  addMessageTotals: `
    INSERT INTO totals (kind, name, total)
    SELECT 'messages', channel_id, count(*)
      FROM messages
     WHERE seq > ?1 AND seq <= ?2
     GROUP BY channel_id
    ON CONFLICT (kind, name) DO UPDATE SET total = total + excluded.total`,

  addDeliveryTotals: `
    INSERT INTO totals (kind, name, total)
    SELECT 'deliveries', lane, count(*)
      FROM queue
     WHERE seq > ?1 AND seq <= ?2 AND stage = 'outbound'
     GROUP BY lane
    ON CONFLICT (kind, name) DO UPDATE SET total = total + excluded.total`,

  indexedTo: `
    SELECT indexed_to FROM store_meta WHERE id = 1`,

  countUnindexed: `
    SELECT count(*) AS messages
      FROM messages
     WHERE seq > ?1 AND seq <= ?2`,

  setIndexedTo: `
    UPDATE store_meta SET indexed_to = ? WHERE id = 1`,

  /** An empty body is a purged one. Index: queue_message. */
  rowsOfMessage: `
    SELECT q.seq, q.stage, q.lane, q.status, coalesce(octet_length(b.body), 0) = 0 AS purged
      FROM queue q
      LEFT JOIN bodies b ON b.seq = q.body_seq
     WHERE q.message_seq = ?
     ORDER BY q.seq`,

  requeueRow: `
    UPDATE queue
       SET status = 'pending', attempts = 0, next_attempt_at = ?1, claim_token = NULL,
           last_error = NULL, updated_at = ?1
     WHERE seq = ?2 AND status IN ('dead', 'done', 'pending')`,

  /** After a replay: ROUTED for a message that was ERROR; what is still dead keeps its reason. */
  reviveMessage: `
    UPDATE messages
       SET status = CASE WHEN status = 'error' THEN 'routed' ELSE status END,
           error = (SELECT last_error FROM queue WHERE message_seq = ?1 AND status = 'dead'
                     ORDER BY seq LIMIT 1)
     WHERE seq = ?1`,

  /** Outbound dead letters, optionally of one inbound and one destination. Index: queue_dead. */
  deadDeliveries: `
    SELECT q.seq, q.message_seq, q.lane, q.channel_id,
           coalesce(octet_length(b.body), 0) = 0 AS purged
      FROM queue q INDEXED BY queue_dead
      LEFT JOIN bodies b ON b.seq = q.body_seq
     WHERE q.status = 'dead' AND q.stage = 'outbound'
       AND (?1 IS NULL OR q.channel_id = ?1)
       AND (?2 IS NULL OR q.lane = ?2)
     ORDER BY q.seq`,

  /** A lane's head, in flight or not. Index: queue_lane_open. */
  laneHead: `
    SELECT seq, message_seq, channel_id
      FROM queue
     WHERE stage = ? AND lane = ? AND ${OPEN}
     ORDER BY seq
     LIMIT 1`,

  /** Pending rows of an outbound from its head on. Index: queue_lane_open. */
  cancellable: `
    SELECT seq, message_seq, channel_id
      FROM queue
     WHERE stage = 'outbound' AND lane = ? AND status = 'pending' AND ${OPEN}
     ORDER BY seq
     LIMIT ?`,

  cancelRow: `
    UPDATE queue
       SET status = 'cancelled', updated_at = ?
     WHERE seq = ? AND status = 'pending'`,

  openOutbound: `
    SELECT DISTINCT lane
      FROM queue
     WHERE stage = 'outbound' AND ${OPEN}`,

  openRouted: `
    SELECT seq, message_seq, handler_name
      FROM queue
     WHERE stage = 'routed' AND ${OPEN}
     ORDER BY seq`,

  openRowsOfLane: `
    SELECT seq, message_seq
      FROM queue
     WHERE stage = ? AND lane = ? AND ${OPEN}
     ORDER BY seq`,

  killOpenRow: `
    UPDATE queue
       SET status = 'dead', claim_token = NULL, last_error = ?, updated_at = ?
     WHERE seq = ? AND ${OPEN}`,

  // Opening.

  recover: `
    UPDATE queue
       SET status = 'pending', claim_token = NULL, next_attempt_at = ?
     WHERE status = 'inflight' AND ${OPEN}`,

  openLanes: `
    SELECT stage, lane, channel_id, count(*) AS open
      FROM queue
     WHERE ${OPEN}
     GROUP BY stage, lane, channel_id`,

  reserveNumbers: `
    UPDATE store_meta
       SET next_seq = ?
     WHERE id = 1`,
} as const;

export type StatementName = keyof typeof statements;
