/**
 * 0007 retention: what is due is found without a look at what is not, and passes are accounted for.
 *
 * A body that is purged is gone from `bodies`; whatever meant it says 0 then. So a message's own body
 * and that of its dead delivery, which may be one row, end each at its own time.
 */
export const sql = `
-- Messages of which something may be left to purge; a replay puts one back.
CREATE INDEX messages_unpurged ON messages (received_at, seq) WHERE purged_at IS NULL;
CREATE INDEX queue_dead_unpurged ON queue (updated_at, seq)
 WHERE status = 'dead' AND stage = 'outbound' AND body_seq <> 0;
CREATE INDEX state_set_at ON state (set_at);
CREATE INDEX connection_event_ts ON connection_event (ts);

CREATE TABLE retention (
  id                 INTEGER PRIMARY KEY CHECK (id = 1),
  -- Purged since the last audit row.
  messages           BIGINT NOT NULL DEFAULT 0,
  dead_letters       BIGINT NOT NULL DEFAULT 0,
  state              BIGINT NOT NULL DEFAULT 0,
  connection_events  BIGINT NOT NULL DEFAULT 0,
  alerts             BIGINT NOT NULL DEFAULT 0,
  -- The server's tables and log may hold what was purged until it has cleaned up after itself.
  logs_hold_purged   INTEGER NOT NULL DEFAULT 0,
  -- Local day on which free space was given back.
  reclaimed_on       TEXT
);
INSERT INTO retention (id) VALUES (1);
`;
