/**
 * 0002 totals: how many rows there are, so that no page and no dashboard counts the history.
 *
 * They are always complete: the commit that adds rows adds to them.
 */
import { NAME, WORD } from "../words.ts";

export const sql = `
CREATE TABLE mefor.totals (
  -- 'messages' of an inbound; 'deliveries' (outbound rows of any status) and 'cancelled' of an
  -- outbound.
  kind   ${WORD} NOT NULL,
  name   ${NAME} NOT NULL,
  total  bigint NOT NULL,
  PRIMARY KEY NONCLUSTERED (kind, name)
)
GO
INSERT INTO mefor.totals (kind, name, total)
SELECT N'messages', channel_id, COUNT_BIG(*) FROM mefor.messages GROUP BY channel_id
GO
INSERT INTO mefor.totals (kind, name, total)
SELECT N'deliveries', lane, COUNT_BIG(*) FROM mefor.queue WHERE stage = N'outbound' GROUP BY lane
GO
INSERT INTO mefor.totals (kind, name, total)
SELECT N'cancelled', lane, COUNT_BIG(*)
  FROM mefor.queue
 WHERE stage = N'outbound' AND status = N'cancelled'
 GROUP BY lane
GO
CREATE INDEX queue_dead ON mefor.queue (stage, updated_at, seq) INCLUDE (lane, channel_id)
  WHERE status = N'dead'
`;
