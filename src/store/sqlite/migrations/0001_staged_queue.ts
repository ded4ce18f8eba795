/**
 * 0001 staged_queue: messages, bodies, queue, timeline, state, connection events.
 *
 * Bodies stand apart from the rows that mean them: a status change then rewrites a row of some
 * hundred bytes instead of the message, the ingress row of a message needs no copy, and equal
 * payloads of one handoff are stored once. One counter numbers every table, so a higher number
 * was written later; wall clocks order nothing. How a message entered (`received`, `error`) is a
 * column of its row, not a timeline row: both would say the same.
 */
export const sql = `
CREATE TABLE messages (
  seq           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL,
  channel_id    TEXT NOT NULL,
  received_at   INTEGER NOT NULL,
  source_type   TEXT NOT NULL,
  control_id    TEXT,
  message_type  TEXT,
  entered_as    TEXT NOT NULL,
  status        TEXT NOT NULL,
  error         TEXT,
  summary       TEXT,
  metadata      TEXT,
  body_seq      INTEGER NOT NULL,
  purged_at     INTEGER
) STRICT;

-- Look-ups by id, inbound and control ID. Filled some hundred messages at a time (see
-- store_meta.indexed_to): one message at a time they would touch more pages than all the rest.
CREATE TABLE message_by_id (
  id   TEXT NOT NULL,
  seq  INTEGER NOT NULL,
  PRIMARY KEY (id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE message_by_channel (
  channel_id  TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (channel_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE message_by_control (
  control_id  TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (control_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE bodies (
  seq   INTEGER PRIMARY KEY,
  body  TEXT NOT NULL
) STRICT;

CREATE TABLE queue (
  seq              INTEGER PRIMARY KEY,
  message_seq      INTEGER NOT NULL REFERENCES messages (seq),
  stage            TEXT NOT NULL,
  lane             TEXT NOT NULL,
  channel_id       TEXT NOT NULL,
  handler_name     TEXT,
  body_seq         INTEGER NOT NULL REFERENCES bodies (seq),
  status           TEXT NOT NULL,
  attempts         INTEGER NOT NULL,
  next_attempt_at  INTEGER NOT NULL,
  claim_token      INTEGER,
  last_error       TEXT,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL
) STRICT;
-- Open rows only: history must not bloat the index every claim walks.
CREATE INDEX queue_lane_open ON queue (stage, lane, seq) WHERE status IN ('pending', 'inflight');
CREATE INDEX queue_dead ON queue (updated_at) WHERE status = 'dead';
CREATE INDEX queue_message ON queue (message_seq);

CREATE TABLE message_events (
  message_seq  INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  ts           INTEGER NOT NULL,
  event        TEXT NOT NULL,
  destination  TEXT,
  detail       TEXT,
  PRIMARY KEY (message_seq, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
  namespace    TEXT NOT NULL,
  key          TEXT NOT NULL,
  value        TEXT NOT NULL,
  set_at       INTEGER NOT NULL,
  message_seq  INTEGER,
  PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE connection_event (
  id          INTEGER PRIMARY KEY,
  ts          INTEGER NOT NULL,
  connection  TEXT NOT NULL,
  transport   TEXT NOT NULL,
  direction   TEXT NOT NULL,
  kind        TEXT NOT NULL,
  peer_host   TEXT,
  reason      TEXT
) STRICT;
CREATE INDEX connection_event_connection ON connection_event (connection);
`;
