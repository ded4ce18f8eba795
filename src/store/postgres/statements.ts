/**
 * The PostgreSQL text of what the writer says. Meaning stands in `store/intents.ts`; a batch is a few
 * statements over arrays, however many rows it changes.
 */
import type { StatementName } from "../server/statement_names.ts";
import { purgeStatements } from "./purge_statements.ts";

/** Open rows: the index `queue_lane_open` serves every lane walk. */
const OPEN = `status IN ('pending', 'inflight')`;

/** All of a row, and what a lane needs beside it. A lost body must not hide its row. */
const LANE_ROW = `
    SELECT q.seq, q.message_seq, q.stage, q.lane, q.channel_id, q.handler_name, q.body_seq, q.status,
           q.attempts, q.next_attempt_at, q.claim_token, q.last_error, q.created_at, q.updated_at,
           m.id AS message_id, m.received_at, m.metadata, b.body, b.base_seq, o.body AS base,
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

  // Every transaction.

  /**
   * Enters the batch, which changes nothing when the writer has a newer connection, and takes the
   * store's one lock, held until the commit, so that whoever writes numbers in the order of commits.
   * Gives out the next block of numbers when another writer came in between, or on demand.
   */
  begin: `
    WITH entered AS (
      UPDATE store_writer
         SET batch = $3
       WHERE session = $1 AND link = $2
      RETURNING 1
    ), locked AS (
      UPDATE store_meta m
         SET next_seq = CASE WHEN former.last_session = $1 AND NOT $4::boolean THEN m.next_seq
                             ELSE m.next_seq + $5::bigint END,
             last_session = $1
        FROM (SELECT last_session FROM store_meta WHERE id = 1 FOR UPDATE) AS former
       WHERE m.id = 1
      RETURNING m.next_seq, former.last_session
    )
    SELECT (SELECT count(*) FROM entered) AS entered, next_seq, last_session = $1 AS was_mine
      FROM locked`,

  /** The same for who relies on memory: fails, and with it the transaction, when another came between. */
  beginTrusting: `
    WITH entered AS (
      UPDATE store_writer
         SET batch = $3
       WHERE session = $1 AND link = $2
      RETURNING 1
    ), locked AS (
      UPDATE store_meta
         SET last_session = $1
       WHERE id = 1 AND last_session = $1
      RETURNING 1
    )
    SELECT 1 / ((SELECT count(*) FROM entered) * (SELECT count(*) FROM locked)) AS is_true`,

  // Messages under way.

  /** Messages named by their number or by that of a row, with all their rows. Index: queue_message. */
  load: `
    WITH wanted AS (
      SELECT unnest($1::bigint[]) AS seq
       UNION
      SELECT q.message_seq
        FROM unnest($2::bigint[]) AS named (seq)
        JOIN queue q ON q.seq = named.seq
    )
    SELECT m.seq AS of_message, m.status AS message_status, m.error AS message_error,
           q.seq, q.message_seq, q.stage, q.lane, q.channel_id, q.handler_name, q.body_seq, q.status,
           q.attempts, q.next_attempt_at, q.claim_token, q.last_error, q.created_at, q.updated_at,
           (SELECT json_object_agg(r.destination, r.response_seq)
              FROM (SELECT destination, max(response_seq) AS response_seq
                      FROM response WHERE message_seq = m.seq GROUP BY destination) r) AS responses
      FROM wanted w
      JOIN messages m ON m.seq = w.seq
      LEFT JOIN queue q ON q.message_seq = m.seq
     ORDER BY m.seq, q.seq`,

  // What a batch has changed; each takes an array a column.

  insertBodies: `
    INSERT INTO bodies (seq, body, base_seq)
    SELECT seq, body, base_seq
      FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS t (seq, body, base_seq)`,

  insertMessages: `
    INSERT INTO messages (seq, id, channel_id, received_at, source_type, control_id, message_type,
                          entered_as, status, error, metadata, body_seq)
    SELECT seq, id, channel_id, received_at, source_type, control_id, message_type, entered_as,
           status, error, metadata, seq
      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
                  $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
        AS t (seq, id, channel_id, received_at, source_type, control_id, message_type, entered_as,
              status, error, metadata)`,

  updateMessages: `
    UPDATE messages m
       SET status = t.status, error = t.error
      FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (seq, status, error)
     WHERE m.seq = t.seq`,

  insertRows: `
    INSERT INTO queue (seq, message_seq, stage, lane, channel_id, handler_name, body_seq, status,
                       attempts, next_attempt_at, claim_token, last_error, created_at, updated_at)
    SELECT seq, message_seq, stage, lane, channel_id, handler_name, body_seq, status, attempts,
           next_attempt_at, claim_token, last_error, created_at, updated_at
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                  $7::bigint[], $8::text[], $9::integer[], $10::bigint[], $11::bigint[],
                  $12::text[], $13::bigint[], $14::bigint[])
        AS t (seq, message_seq, stage, lane, channel_id, handler_name, body_seq, status, attempts,
              next_attempt_at, claim_token, last_error, created_at, updated_at)`,

  updateRows: `
    UPDATE queue q
       SET status = t.status, attempts = t.attempts, next_attempt_at = t.next_attempt_at,
           claim_token = t.claim_token, last_error = t.last_error, updated_at = t.updated_at
      FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[],
                  $7::bigint[])
        AS t (seq, status, attempts, next_attempt_at, claim_token, last_error, updated_at)
     WHERE q.seq = t.seq`,

  deleteRows: `
    DELETE FROM queue
     WHERE seq = ANY ($1::bigint[])`,

  insertEvents: `
    INSERT INTO message_events (message_seq, seq, ts, event, destination, detail)
    SELECT message_seq, seq, ts, event, destination, detail
      FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
        AS t (message_seq, seq, ts, event, destination, detail)`,

  insertResponses: `
    INSERT INTO response (message_seq, destination, response_seq, outcome, detail, body_seq,
                          captured_at)
    SELECT message_seq, destination, response_seq, outcome, detail, body_seq, captured_at
      FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[],
                  $7::bigint[])
        AS t (message_seq, destination, response_seq, outcome, detail, body_seq, captured_at)`,

  upsertState: `
    INSERT INTO state (namespace, key, value, set_at, message_seq)
    SELECT namespace, key, value, set_at, message_seq
      FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
        AS t (namespace, key, value, set_at, message_seq)
    ON CONFLICT (namespace, key) DO UPDATE
       SET value = excluded.value, set_at = excluded.set_at, message_seq = excluded.message_seq`,

  addTotals: `
    INSERT INTO totals (kind, name, total)
    SELECT kind, name, total
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t (kind, name, total)
    ON CONFLICT (kind, name) DO UPDATE SET total = totals.total + excluded.total`,

  insertConnectionEvents: `
    INSERT INTO connection_event (id, ts, connection, transport, direction, kind, peer_host, reason)
    SELECT id, ts, connection, transport, direction, kind, peer_host, reason
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                  $7::text[], $8::text[])
        AS t (id, ts, connection, transport, direction, kind, peer_host, reason)`,

  // Lanes that are read back, operators, start-up.

  noteErrors: `
    UPDATE messages
       SET error = $2
     WHERE seq = ANY ($1::bigint[])`,

  /**
   * The finalizer of spec §1.5 on the tables; `finalize()` of `execute.ts` is the same in memory.
   * Leaves a message alone while any row is open. A replayed routed row leaves its message RECEIVED,
   * so that status too ends as FILTERED. Index: queue_message.
   */
  finalize: `
    UPDATE messages m
       SET status = CASE
             WHEN EXISTS (SELECT 1 FROM queue WHERE message_seq = m.seq AND status = 'dead') THEN 'error'
             WHEN EXISTS (SELECT 1 FROM queue WHERE message_seq = m.seq AND stage IN ('outbound', 'response')) THEN 'processed'
             WHEN m.status IN ('routed', 'received') THEN 'filtered'
             ELSE m.status
           END
     WHERE m.seq = ANY ($1::bigint[])
       AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.message_seq = m.seq AND q.${OPEN})`,

  /** The open rows of a lane from its head on, content included. Index: queue_lane_open. */
  readLane: `${LANE_ROW}
     WHERE q.stage = $1 AND q.lane = $2 AND q.${OPEN} AND q.seq > $3
     ORDER BY q.seq
     LIMIT $4`,

  /**
   * The due rows of an unordered lane, past those that back off: however many fail, they stop
   * no other. Index: queue_lane_open.
   */
  readDueLane: `${LANE_ROW}
     WHERE q.stage = $1 AND q.lane = $2 AND q.${OPEN} AND q.seq > $3
       AND q.status = 'pending' AND q.next_attempt_at <= $4
     ORDER BY q.seq
     LIMIT $5`,

  /** What is open in a lane, and when the first of its pending rows is due. Index: queue_lane_open. */
  laneRest: `
    SELECT count(*) AS open, min(CASE WHEN status = 'pending' THEN next_attempt_at END) AS due_at
      FROM queue
     WHERE stage = $1 AND lane = $2 AND ${OPEN} AND seq > $3`,

  /** Nothing came of these claims, so their attempts are given back. Index: queue_lane_open. */
  resyncLane: `
    UPDATE queue
       SET status = 'pending', claim_token = NULL, attempts = attempts - 1, updated_at = $1
     WHERE stage = $2 AND lane = $3 AND status = 'inflight' AND ${OPEN}
       AND claim_token >= $4::bigint AND claim_token < $5::bigint`,

  /** Index: queue_lane_open. */
  countOpen: `
    SELECT count(*) AS open
      FROM queue
     WHERE stage = $1 AND lane = $2 AND ${OPEN}`,

  /** Index: message_by_id. */
  findMessage: `
    SELECT seq, channel_id
      FROM messages
     WHERE id = $1`,

  /** An empty body is a purged one. Index: queue_message. */
  rowsOfMessage: `
    SELECT q.seq, q.stage, q.lane, q.status, coalesce(octet_length(b.body), 0) = 0 AS purged
      FROM queue q
      LEFT JOIN bodies b ON b.seq = q.body_seq
     WHERE q.message_seq = $1
     ORDER BY q.seq`,

  requeueRows: `
    UPDATE queue
       SET status = 'pending', attempts = 0, next_attempt_at = $1, claim_token = NULL,
           last_error = NULL, updated_at = $1
     WHERE seq = ANY ($2::bigint[]) AND status IN ('dead', 'done', 'pending')`,

  /** After a replay: ROUTED for a message that was ERROR; what is still dead keeps its reason. */
  reviveMessages: `
    UPDATE messages m
       SET status = CASE WHEN m.status = 'error' THEN 'routed' ELSE m.status END,
           error = (SELECT q.last_error FROM queue q
                     WHERE q.message_seq = m.seq AND q.status = 'dead'
                     ORDER BY q.seq LIMIT 1)
     WHERE m.seq = ANY ($1::bigint[])`,

  /** Outbound dead letters, optionally of one inbound and one destination. Index: queue_dead. */
  deadDeliveries: `
    SELECT q.seq, q.message_seq, q.lane, q.channel_id,
           coalesce(octet_length(b.body), 0) = 0 AS purged
      FROM queue q
      LEFT JOIN bodies b ON b.seq = q.body_seq
     WHERE q.status = 'dead' AND q.stage = 'outbound'
       AND ($1::text IS NULL OR q.channel_id = $1)
       AND ($2::text IS NULL OR q.lane = $2)
     ORDER BY q.seq`,

  /** A lane's head, in flight or not. Index: queue_lane_open. */
  laneHead: `
    SELECT seq, message_seq, channel_id, status
      FROM queue
     WHERE stage = 'outbound' AND lane = $1 AND ${OPEN}
     ORDER BY seq
     LIMIT 1`,

  /** Pending rows of an outbound from its head on. Index: queue_lane_open. */
  cancellable: `
    SELECT seq, message_seq, channel_id, status
      FROM queue
     WHERE stage = 'outbound' AND lane = $1 AND status = 'pending' AND ${OPEN}
     ORDER BY seq
     LIMIT $2::bigint`,

  cancelRows: `
    UPDATE queue
       SET status = 'cancelled', updated_at = $1
     WHERE seq = ANY ($2::bigint[]) AND status = 'pending'`,

  strandedOutbound: `
    SELECT seq, message_seq, lane AS name
      FROM queue
     WHERE stage = 'outbound' AND ${OPEN} AND lane <> ALL ($1::text[])
     ORDER BY lane, seq`,

  strandedRouted: `
    SELECT seq, message_seq, handler_name AS name
      FROM queue
     WHERE stage = 'routed' AND ${OPEN} AND handler_name <> ALL ($1::text[])
     ORDER BY seq`,

  killOpenRows: `
    UPDATE queue
       SET status = 'dead', claim_token = NULL, last_error = $1, updated_at = $2
     WHERE seq = ANY ($3::bigint[]) AND ${OPEN}`,

  // Opening.

  /** Rows in flight under claims of other openings; the epoch of a claim is the upper part of its token. */
  recover: `
    UPDATE queue
       SET status = 'pending', claim_token = NULL, next_attempt_at = $1
     WHERE status = 'inflight' AND ${OPEN}
       AND (claim_token < $2::bigint OR claim_token >= $3::bigint)`,

  openLanes: `
    SELECT stage, lane, channel_id, count(*) AS open
      FROM queue
     WHERE ${OPEN}
     GROUP BY stage, lane, channel_id`,

  keysOfStore: `
    SELECT key_id
      FROM store_keys
     ORDER BY first_used_at, key_id`,

  enterKey: `
    INSERT INTO store_keys (key_id, first_used_at)
    VALUES ($1, $2)
        ON CONFLICT DO NOTHING`,

  setSealingKey: `
    UPDATE store_meta
       SET sealing_key = $1
     WHERE id = 1`,

  addKeyUses: `
    UPDATE store_keys
       SET uses = uses + $1::bigint
     WHERE key_id = $2
    RETURNING uses`,

  /** Takes the lock every writer takes first. */
  nextEpoch: `
    UPDATE store_meta
       SET epoch = epoch + 1
     WHERE id = 1
    RETURNING epoch`,

  dropWriters: `DELETE FROM store_writer`,

  enterWriter: `
    INSERT INTO store_writer (session, link, batch, started_at)
    VALUES ($1, 1, 0, $2)`,

  // A connection that was made again.

  lockStore: `
    SELECT id
      FROM store_meta
     WHERE id = 1
       FOR UPDATE`,

  nextLink: `
    UPDATE store_writer
       SET link = link + 1
     WHERE session = $1
    RETURNING link, batch`,

  // The audit log.

  auditKey: `
    SELECT key
      FROM audit_key
     WHERE id = 1`,

  insertAuditKey: `
    INSERT INTO audit_key (id, key)
    VALUES (1, $1)`,

  newestAudit: `
    SELECT id, row_hash
      FROM audit_log
     ORDER BY id DESC
     LIMIT 1`,

  appendAudit: `
    INSERT INTO audit_log (id, at, actor, action, channel_id, detail, keyed, row_hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,

  auditAfter: `
    SELECT id, at, actor, action, channel_id, detail, keyed, row_hash
      FROM audit_log
     WHERE id > $1
     ORDER BY id
     LIMIT $2`,
} as const satisfies Readonly<Record<StatementName, string>>;
