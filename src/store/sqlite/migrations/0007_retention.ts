/**
 * 0007 retention: what is due is found without a look at what is not, and passes are accounted for.
 *
 * A body that is purged is gone from `bodies`; whatever meant it says 0 then. So a message's own body
 * and that of its dead delivery, which may be one row, end each at its own time.
 */
export const sql = `
-- Messages of which something may be left to purge; a replay puts one back.
CREATE INDEX messages_unpurged ON messages (received_at) WHERE purged_at IS NULL;
CREATE INDEX queue_dead_unpurged ON queue (updated_at)
 WHERE status = 'dead' AND stage = 'outbound' AND body_seq <> 0;
CREATE INDEX state_set_at ON state (set_at);
CREATE INDEX connection_event_ts ON connection_event (ts);

CREATE TABLE retention (
  id                 INTEGER PRIMARY KEY CHECK (id = 1),
  -- Purged since the last audit row.
  messages           INTEGER NOT NULL DEFAULT 0,
  dead_letters       INTEGER NOT NULL DEFAULT 0,
  state              INTEGER NOT NULL DEFAULT 0,
  connection_events  INTEGER NOT NULL DEFAULT 0,
  alerts             INTEGER NOT NULL DEFAULT 0,
  -- The logs beside the database may hold what was purged from it.
  logs_hold_purged   INTEGER NOT NULL DEFAULT 0,
  -- Local day on which free pages were given back.
  reclaimed_on       TEXT
) STRICT;
INSERT INTO retention (id) VALUES (1);
`;
