/**
 * Fills a store that no engine has open with a long history: messages as months of traffic would
 * leave them, one of a hundred dead, most delivered, some filtered.
 */
import { DatabaseSync } from "node:sqlite";

/** Writes `count` messages of `inbounds` inbounds, each with one delivery and two events. */
export function fillHistory(path: string, count: number, inbounds: number): void {
  using db = new DatabaseSync(path);
  db.exec(`
    PRAGMA temp_store = MEMORY;
    BEGIN;
    CREATE TEMP TABLE numbers AS
      WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
      SELECT i, 10 + i * 5 AS seq, 1750000000000000 + i * 1000000 AS at,
             CASE WHEN i % 100 = 0 THEN 'error' WHEN i % 10 = 3 THEN 'filtered'
                  ELSE 'processed' END AS status
        FROM n;
    INSERT INTO messages (seq, id, channel_id, received_at, source_type, control_id, message_type,
                          entered_as, status, error, body_seq)
      SELECT seq, printf('%032x', i), 'IB_' || (i % ${inbounds}), at, 'mllp', 'H' || i, 'ADT^A01',
             'received', status, CASE status WHEN 'error' THEN 'AE: refused' END, seq
        FROM numbers;
    INSERT INTO bodies (seq, body)
      SELECT seq, 'MSH|^~\\&|A|B|C|D|20260101||ADT^A01|H' || i || '|P|2.5' || char(13)
        FROM numbers;
    INSERT INTO queue (seq, message_seq, stage, lane, channel_id, handler_name, body_seq, status,
                       attempts, next_attempt_at, created_at, updated_at)
      SELECT seq + 1, seq, 'outbound', 'OB_' || (i % 8), 'IB_' || (i % ${inbounds}), 'h', seq,
             CASE status WHEN 'error' THEN 'dead' ELSE 'done' END, 1, at, at, at
        FROM numbers WHERE status <> 'filtered';
    INSERT INTO message_events (message_seq, seq, ts, event)
      SELECT seq, seq + 2, at, 'routed' FROM numbers
       UNION ALL
      SELECT seq, seq + 3, at, CASE status WHEN 'error' THEN 'dead' WHEN 'filtered' THEN 'filtered'
                                   ELSE 'delivered' END
        FROM numbers;
    INSERT INTO message_by_id SELECT id, seq FROM messages ORDER BY id;
    INSERT INTO message_by_channel SELECT channel_id, seq FROM messages ORDER BY channel_id, seq;
    INSERT INTO message_by_control SELECT control_id, seq FROM messages ORDER BY control_id, seq;
    INSERT INTO totals SELECT 'messages', channel_id, count(*) FROM messages GROUP BY channel_id;
    INSERT INTO totals SELECT 'deliveries', lane, count(*) FROM queue GROUP BY lane;
    UPDATE store_meta SET next_seq = ${count * 5 + 100}, indexed_to = ${count * 5 + 50};
    COMMIT;
    PRAGMA wal_checkpoint(TRUNCATE);
  `);
}
