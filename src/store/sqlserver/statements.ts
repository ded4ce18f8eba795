/**
 * The T-SQL of what the writer says. Meaning stands in `store/intents.ts`; a batch is a few
 * statements over lists, however many rows it changes. No MERGE, no hint that names an index; what a
 * changing statement returns goes through a table variable, which triggers and replication allow.
 */
import type { StatementName } from "../server/statement_names.ts";
import { changeTexts } from "./change_statements.ts";
import { purgeStatements } from "./purge_statements.ts";
import { numbersOf, OPEN, same, textsOf } from "./words.ts";

/** The number of the error that ends a transaction which relied on memory and must not. */
export const NOT_MINE = 51_001;

/** The store's one row, held until the end of the transaction. */
const LOCKED_META = "mefor.store_meta WITH (UPDLOCK, HOLDLOCK, ROWLOCK)";

/** All of a row, and what a lane needs beside it. A lost body must not hide its row. */
const LANE_ROW = `q.seq, q.message_seq, q.stage, q.lane, q.channel_id, q.handler_name, q.body_seq,
           q.status, q.attempts, q.next_attempt_at, q.claim_token, q.last_error, q.created_at,
           q.updated_at, m.id AS message_id, m.received_at, m.metadata, b.body, b.base_seq,
           o.body AS base,
           CASE WHEN q.stage = N'response' THEN (
             SELECT CAST(r.response_seq AS nvarchar(20)) + N' ' + r.outcome
               FROM mefor.response AS r
              WHERE r.message_seq = q.message_seq AND r.body_seq = q.body_seq) END AS answer
      FROM mefor.queue AS q
      JOIN mefor.messages AS m ON m.seq = q.message_seq
      LEFT JOIN mefor.bodies AS b ON b.seq = q.body_seq
      LEFT JOIN mefor.bodies AS o ON o.seq = b.base_seq`;

/** An empty body is a purged one. */
const IS_PURGED = "CASE WHEN COALESCE(DATALENGTH(b.body), 0) = 0 THEN 1 ELSE 0 END AS purged";

export const statements: Readonly<Record<StatementName, string>> = {
  ...changeTexts,
  ...purgeStatements,

  // Every transaction.

  /**
   * Takes the store's one lock, held until the commit, so that whoever writes numbers in the order of
   * commits; then enters the batch, which changes nothing when the writer has a newer connection.
   * Gives out the next block of numbers when another writer came in between, or on demand.
   */
  begin: `
    DECLARE @meta TABLE (next_seq bigint NOT NULL, was_mine int NOT NULL);
    UPDATE ${LOCKED_META}
       SET next_seq = CASE WHEN last_session = @p1 AND @p4 = 0 THEN next_seq
                           ELSE next_seq + @p5 END,
           last_session = @p1
    OUTPUT inserted.next_seq, CASE WHEN deleted.last_session = @p1 THEN 1 ELSE 0 END
      INTO @meta (next_seq, was_mine)
     WHERE id = 1;
    UPDATE mefor.store_writer
       SET batch = @p3
     WHERE session = @p1 AND link = @p2;
    SELECT @@ROWCOUNT AS entered, next_seq, was_mine FROM @meta`,

  /** The same for who relies on memory: fails, and with it the transaction, when another came between. */
  beginTrusting: `
    UPDATE ${LOCKED_META}
       SET last_session = @p1
     WHERE id = 1 AND last_session = @p1;
    IF @@ROWCOUNT = 0 THROW ${NOT_MINE}, N'another writer came between', 1;
    UPDATE mefor.store_writer
       SET batch = @p3
     WHERE session = @p1 AND link = @p2;
    IF @@ROWCOUNT = 0 THROW ${NOT_MINE}, N'a newer connection came between', 1`,

  // Messages under way.

  /** Messages named by their number or by that of a row, with all their rows. Index: queue_message. */
  load: `
    WITH wanted AS (
      SELECT CAST(j.value AS bigint) AS seq
        FROM OPENJSON(@p1) AS j
       UNION
      SELECT q.message_seq
        FROM OPENJSON(@p2) AS j
        JOIN mefor.queue AS q ON q.seq = CAST(j.value AS bigint)
    )
    SELECT m.seq AS of_message, m.status AS message_status, m.error AS message_error,
           q.seq, q.message_seq, q.stage, q.lane, q.channel_id, q.handler_name, q.body_seq, q.status,
           q.attempts, q.next_attempt_at, q.claim_token, q.last_error, q.created_at, q.updated_at,
           (SELECT N'{' + STRING_AGG(CAST(N'"' + STRING_ESCAPE(r.destination, 'json') + N'":'
                                          + CAST(r.response_seq AS nvarchar(20))
                                     AS nvarchar(max)), N',') + N'}'
              FROM (SELECT e.destination, MAX(e.response_seq) AS response_seq
                      FROM mefor.response AS e
                     WHERE e.message_seq = m.seq
                     GROUP BY e.destination) AS r) AS responses
      FROM wanted AS w
      JOIN mefor.messages AS m ON m.seq = w.seq
      LEFT JOIN mefor.queue AS q ON q.message_seq = m.seq
     ORDER BY m.seq, q.seq`,

  // Lanes that are read back, operators, start-up.

  noteErrors: `
    UPDATE mefor.messages
       SET error = @p2
     WHERE seq IN ${numbersOf("@p1")}`,

  /**
   * The finalizer of spec §1.5 on the tables; `finalize()` of `execute.ts` is the same in memory.
   * Leaves a message alone while any row is open. A replayed routed row leaves its message RECEIVED,
   * so that status too ends as FILTERED. Index: queue_message.
   */
  finalize: `
    UPDATE m
       SET status = CASE
             WHEN EXISTS (SELECT 1 FROM mefor.queue AS d
                           WHERE d.message_seq = m.seq AND d.status = N'dead') THEN N'error'
             WHEN EXISTS (SELECT 1 FROM mefor.queue AS d
                           WHERE d.message_seq = m.seq AND d.stage IN (N'outbound', N'response'))
               THEN N'processed'
             WHEN m.status IN (N'routed', N'received') THEN N'filtered'
             ELSE m.status
           END
      FROM mefor.messages AS m
     WHERE m.seq IN ${numbersOf("@p1")}
       AND NOT EXISTS (SELECT 1 FROM mefor.queue AS q
                        WHERE q.message_seq = m.seq AND q.${OPEN})`,

  /** The open rows of a lane from its head on, content included. Index: queue_lane_open. */
  readLane: `
    SELECT TOP (@p4) ${LANE_ROW}
     WHERE q.stage = @p1 AND q.lane = @p2 AND q.${OPEN} AND q.seq > @p3
     ORDER BY q.seq`,

  /**
   * The due rows of an unordered lane, past those that back off: however many fail, they stop
   * no other. Index: queue_lane_open.
   */
  readDueLane: `
    SELECT TOP (@p5) ${LANE_ROW}
     WHERE q.stage = @p1 AND q.lane = @p2 AND q.${OPEN} AND q.seq > @p3
       AND q.status = N'pending' AND q.next_attempt_at <= @p4
     ORDER BY q.seq`,

  /** What is open in a lane, and when the first of its pending rows is due. Index: queue_lane_open. */
  laneRest: `
    SELECT COUNT_BIG(*) AS [open],
           MIN(CASE WHEN status = N'pending' THEN next_attempt_at END) AS due_at
      FROM mefor.queue
     WHERE stage = @p1 AND lane = @p2 AND ${OPEN} AND seq > @p3`,

  /** Nothing came of these claims, so their attempts are given back. Index: queue_lane_open. */
  resyncLane: `
    UPDATE mefor.queue
       SET status = N'pending', claim_token = NULL, attempts = attempts - 1, updated_at = @p1
     WHERE stage = @p2 AND lane = @p3 AND status = N'inflight' AND ${OPEN}
       AND claim_token >= @p4 AND claim_token < @p5`,

  /** Index: queue_lane_open. */
  countOpen: `
    SELECT COUNT_BIG(*) AS [open]
      FROM mefor.queue
     WHERE stage = @p1 AND lane = @p2 AND ${OPEN}`,

  /** Index: message_by_id. */
  findMessage: `
    SELECT seq, channel_id
      FROM mefor.messages
     WHERE ${same("id", "@p1")}`,

  /** Index: queue_message. */
  rowsOfMessage: `
    SELECT q.seq, q.stage, q.lane, q.status, ${IS_PURGED}
      FROM mefor.queue AS q
      LEFT JOIN mefor.bodies AS b ON b.seq = q.body_seq
     WHERE q.message_seq = @p1
     ORDER BY q.seq`,

  requeueRows: `
    UPDATE mefor.queue
       SET status = N'pending', attempts = 0, next_attempt_at = @p1, claim_token = NULL,
           last_error = NULL, updated_at = @p1
     WHERE seq IN ${numbersOf("@p2")} AND status IN (N'dead', N'done', N'pending')`,

  /** After a replay: ROUTED for a message that was ERROR; what is still dead keeps its reason. */
  reviveMessages: `
    UPDATE m
       SET status = CASE WHEN m.status = N'error' THEN N'routed' ELSE m.status END,
           error = (SELECT TOP (1) q.last_error
                      FROM mefor.queue AS q
                     WHERE q.message_seq = m.seq AND q.status = N'dead'
                     ORDER BY q.seq)
      FROM mefor.messages AS m
     WHERE m.seq IN ${numbersOf("@p1")}`,

  /** Outbound dead letters, optionally of one inbound and one destination. Index: queue_dead. */
  deadDeliveries: `
    SELECT q.seq, q.message_seq, q.lane, q.channel_id, ${IS_PURGED}
      FROM mefor.queue AS q
      LEFT JOIN mefor.bodies AS b ON b.seq = q.body_seq
     WHERE q.status = N'dead' AND q.stage = N'outbound'
       AND (@p1 IS NULL OR q.channel_id = @p1)
       AND (@p2 IS NULL OR q.lane = @p2)
     ORDER BY q.seq`,

  /** A lane's head, in flight or not. Index: queue_lane_open. */
  laneHead: `
    SELECT TOP (1) seq, message_seq, channel_id, status
      FROM mefor.queue
     WHERE stage = N'outbound' AND lane = @p1 AND ${OPEN}
     ORDER BY seq`,

  /** Pending rows of an outbound from its head on. Index: queue_lane_open. */
  cancellable: `
    SELECT TOP (COALESCE(CAST(@p2 AS bigint), CAST(9223372036854775807 AS bigint)))
           seq, message_seq, channel_id, status
      FROM mefor.queue
     WHERE stage = N'outbound' AND lane = @p1 AND status = N'pending' AND ${OPEN}
     ORDER BY seq`,

  cancelRows: `
    UPDATE mefor.queue
       SET status = N'cancelled', updated_at = @p1
     WHERE seq IN ${numbersOf("@p2")} AND status = N'pending'`,

  strandedOutbound: `
    SELECT seq, message_seq, lane AS name
      FROM mefor.queue
     WHERE stage = N'outbound' AND ${OPEN} AND lane NOT IN ${textsOf("@p1")}
     ORDER BY lane, seq`,

  strandedRouted: `
    SELECT seq, message_seq, handler_name AS name
      FROM mefor.queue
     WHERE stage = N'routed' AND ${OPEN} AND handler_name NOT IN ${textsOf("@p1")}
     ORDER BY seq`,

  killOpenRows: `
    UPDATE mefor.queue
       SET status = N'dead', claim_token = NULL, last_error = @p1, updated_at = @p2
     WHERE seq IN ${numbersOf("@p3")} AND ${OPEN}`,

  // Opening.

  /** Rows in flight under claims of other openings; the epoch of a claim is the upper part of its token. */
  recover: `
    UPDATE mefor.queue
       SET status = N'pending', claim_token = NULL, next_attempt_at = @p1
     WHERE status = N'inflight' AND ${OPEN} AND (claim_token < @p2 OR claim_token >= @p3)`,

  openLanes: `
    SELECT stage, lane, channel_id, COUNT_BIG(*) AS [open]
      FROM mefor.queue
     WHERE ${OPEN}
     GROUP BY stage, lane, channel_id`,

  keysOfStore: `
    SELECT key_id
      FROM mefor.store_keys
     ORDER BY first_used_at, key_id`,

  enterKey: `
    INSERT INTO mefor.store_keys (key_id, first_used_at)
    SELECT @p1, @p2
     WHERE NOT EXISTS (SELECT 1 FROM mefor.store_keys AS k WHERE k.key_id = @p1)`,

  setSealingKey: `
    UPDATE mefor.store_meta
       SET sealing_key = @p1
     WHERE id = 1`,

  addKeyUses: `
    DECLARE @used TABLE (uses bigint NOT NULL);
    UPDATE mefor.store_keys
       SET uses = uses + @p1
    OUTPUT inserted.uses INTO @used (uses)
     WHERE key_id = @p2;
    SELECT uses FROM @used`,

  /** Takes the lock every writer takes first. */
  nextEpoch: `
    DECLARE @begun TABLE (epoch bigint NOT NULL);
    UPDATE ${LOCKED_META}
       SET epoch = epoch + 1
    OUTPUT inserted.epoch INTO @begun (epoch)
     WHERE id = 1;
    SELECT epoch FROM @begun`,

  dropWriters: `DELETE FROM mefor.store_writer`,

  enterWriter: `
    INSERT INTO mefor.store_writer (session, link, batch, started_at)
    VALUES (@p1, 1, 0, @p2)`,

  // A connection that was made again.

  lockStore: `
    SELECT id
      FROM ${LOCKED_META}
     WHERE id = 1`,

  nextLink: `
    DECLARE @found TABLE (link int NOT NULL, batch bigint NOT NULL);
    UPDATE mefor.store_writer
       SET link = link + 1
    OUTPUT inserted.link, inserted.batch INTO @found (link, batch)
     WHERE session = @p1;
    SELECT link, batch FROM @found`,

  // The audit log.

  auditKey: `
    SELECT [key]
      FROM mefor.audit_key
     WHERE id = 1`,

  insertAuditKey: `
    INSERT INTO mefor.audit_key (id, [key])
    VALUES (1, @p1)`,

  newestAudit: `
    SELECT TOP (1) id, row_hash
      FROM mefor.audit_log
     ORDER BY id DESC`,

  appendAudit: `
    INSERT INTO mefor.audit_log (id, [at], actor, action, channel_id, detail, keyed, row_hash)
    VALUES (@p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8)`,

  auditAfter: `
    SELECT TOP (@p2) id, [at], actor, action, channel_id, detail, keyed, row_hash
      FROM mefor.audit_log
     WHERE id > @p1
     ORDER BY id`,
};
