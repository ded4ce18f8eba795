/**
 * 0002 totals: how many rows there are, so that no page and no dashboard counts the history.
 *
 * `totals` covers the rows up to `store_meta.indexed_to`; the few newer ones are counted. Whatever
 * deletes messages or their rows lowers it in the same transaction. `queue_dead` serves the list of
 * dead letters in its order and their number without a look at the rows.
 */
export const sql = `
CREATE TABLE totals (
  -- 'messages' of an inbound; 'deliveries' (outbound rows of any status) and 'cancelled' of an
  -- outbound, the latter always complete.
  kind   TEXT NOT NULL,
  name   TEXT NOT NULL,
  total  INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

INSERT INTO totals (kind, name, total)
SELECT 'messages', channel_id, count(*)
  FROM messages
 WHERE seq <= (SELECT indexed_to FROM store_meta WHERE id = 1)
 GROUP BY channel_id;

INSERT INTO totals (kind, name, total)
SELECT 'deliveries', lane, count(*)
  FROM queue
 WHERE stage = 'outbound' AND seq <= (SELECT indexed_to FROM store_meta WHERE id = 1)
 GROUP BY lane;

INSERT INTO totals (kind, name, total)
SELECT 'cancelled', lane, count(*)
  FROM queue
 WHERE stage = 'outbound' AND status = 'cancelled'
 GROUP BY lane;

DROP INDEX queue_dead;
CREATE INDEX queue_dead ON queue (stage, updated_at, seq, lane, channel_id) WHERE status = 'dead';
`;
