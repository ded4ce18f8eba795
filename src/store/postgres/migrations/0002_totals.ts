/**
 * 0002 totals: how many rows there are, so that no page and no dashboard counts the history.
 *
 * They are always complete: the commit that adds rows adds to them.
 */
export const sql = `
CREATE TABLE totals (
  -- 'messages' of an inbound; 'deliveries' (outbound rows of any status) and 'cancelled' of an
  -- outbound.
  kind   TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,
  total  BIGINT NOT NULL,
  PRIMARY KEY (kind, name)
) WITH (fillfactor = 50);

INSERT INTO totals (kind, name, total)
SELECT 'messages', channel_id, count(*) FROM messages GROUP BY channel_id;

INSERT INTO totals (kind, name, total)
SELECT 'deliveries', lane, count(*) FROM queue WHERE stage = 'outbound' GROUP BY lane;

INSERT INTO totals (kind, name, total)
SELECT 'cancelled', lane, count(*)
  FROM queue
 WHERE stage = 'outbound' AND status = 'cancelled'
 GROUP BY lane;

DROP INDEX queue_dead;
CREATE INDEX queue_dead ON queue (stage, updated_at, seq, lane, channel_id) WHERE status = 'dead';
`;
