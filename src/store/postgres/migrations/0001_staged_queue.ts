/**
 * 0001 staged_queue: messages, bodies, queue, timeline, state, connection events.
 *
 * The tables mean what SQLite's do. Look-ups are indexes here: one writer's batches keep them as cheap
 * as tables filled in bulk. Texts compare by their bytes, whatever the database's collation is.
 * Bodies stay beside their number and are not compressed: sealed they would not shrink.
 */
export const sql = `
CREATE TABLE messages (
  seq           BIGINT PRIMARY KEY,
  id            TEXT COLLATE "C" NOT NULL,
  channel_id    TEXT COLLATE "C" NOT NULL,
  received_at   BIGINT NOT NULL,
  source_type   TEXT NOT NULL,
  control_id    TEXT COLLATE "C",
  message_type  TEXT COLLATE "C",
  entered_as    TEXT NOT NULL,
  status        TEXT COLLATE "C" NOT NULL,
  error         TEXT,
  summary       TEXT,
  metadata      TEXT,
  body_seq      BIGINT NOT NULL,
  purged_at     BIGINT
) WITH (fillfactor = 85);
CREATE INDEX message_by_id ON messages (id);
CREATE INDEX message_by_channel ON messages (channel_id, seq);
-- A partner chooses its control IDs, and an index takes no long ones.
CREATE INDEX message_by_control ON messages (left(control_id, 200), seq)
 WHERE control_id IS NOT NULL;

CREATE TABLE bodies (
  seq   BIGINT PRIMARY KEY,
  body  TEXT NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE bodies ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE queue (
  seq              BIGINT PRIMARY KEY,
  message_seq      BIGINT NOT NULL,
  stage            TEXT COLLATE "C" NOT NULL,
  lane             TEXT COLLATE "C" NOT NULL,
  channel_id       TEXT COLLATE "C" NOT NULL,
  handler_name     TEXT COLLATE "C",
  body_seq         BIGINT NOT NULL,
  status           TEXT COLLATE "C" NOT NULL,
  attempts         INTEGER NOT NULL,
  next_attempt_at  BIGINT NOT NULL,
  claim_token      BIGINT,
  last_error       TEXT,
  created_at       BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL
) WITH (fillfactor = 80);
-- Open rows only: history must not bloat the index every claim walks.
CREATE INDEX queue_lane_open ON queue (stage, lane, seq) WHERE status IN ('pending', 'inflight');
CREATE INDEX queue_dead ON queue (updated_at) WHERE status = 'dead';
CREATE INDEX queue_message ON queue (message_seq);

CREATE TABLE message_events (
  message_seq  BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  ts           BIGINT NOT NULL,
  event        TEXT NOT NULL,
  destination  TEXT,
  detail       TEXT,
  PRIMARY KEY (message_seq, seq)
);

CREATE TABLE state (
  namespace    TEXT COLLATE "C" NOT NULL,
  key          TEXT COLLATE "C" NOT NULL,
  value        TEXT NOT NULL,
  set_at       BIGINT NOT NULL,
  message_seq  BIGINT,
  PRIMARY KEY (namespace, key)
);

CREATE TABLE connection_event (
  id          BIGINT PRIMARY KEY,
  ts          BIGINT NOT NULL,
  connection  TEXT COLLATE "C" NOT NULL,
  transport   TEXT NOT NULL,
  direction   TEXT NOT NULL,
  kind        TEXT COLLATE "C" NOT NULL,
  peer_host   TEXT,
  reason      TEXT
);
CREATE INDEX connection_event_connection ON connection_event (connection, id);
`;
