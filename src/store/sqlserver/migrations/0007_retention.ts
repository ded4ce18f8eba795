/**
 * 0007 retention: what is due is found without a look at what is not, and passes are accounted for.
 *
 * A body that is purged is gone from `bodies`; whatever meant it says 0 then. So a message's own body
 * and that of its dead delivery, which may be one row, end each at its own time.
 */
import { WORD } from "../words.ts";

export const sql = `
-- Messages of which something may be left to purge; a replay puts one back.
CREATE INDEX messages_unpurged ON mefor.messages (received_at, seq) WHERE purged_at IS NULL
GO
CREATE INDEX queue_dead_unpurged ON mefor.queue (updated_at, seq)
  WHERE status = N'dead' AND stage = N'outbound' AND body_seq <> 0
GO
CREATE INDEX state_set_at ON mefor.state (set_at)
GO
CREATE INDEX connection_event_ts ON mefor.connection_event (ts)
GO
CREATE TABLE mefor.retention (
  id                 int NOT NULL PRIMARY KEY CLUSTERED CHECK (id = 1),
  -- Purged since the last audit row.
  messages           bigint NOT NULL DEFAULT 0,
  dead_letters       bigint NOT NULL DEFAULT 0,
  state              bigint NOT NULL DEFAULT 0,
  connection_events  bigint NOT NULL DEFAULT 0,
  alerts             bigint NOT NULL DEFAULT 0,
  -- The server's files and log may hold what was purged until it has cleaned up after itself.
  logs_hold_purged   int NOT NULL DEFAULT 0,
  -- Local day on which free space was given back.
  reclaimed_on       ${WORD}
)
GO
INSERT INTO mefor.retention (id) VALUES (1)
`;
