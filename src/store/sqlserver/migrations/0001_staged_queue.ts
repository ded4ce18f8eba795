/**
 * 0001 staged_queue: messages, bodies, queue, timeline, state, connection events.
 *
 * The tables mean what SQLite's do. No key of an index passes 1,700 bytes: what a partner or an
 * author may make as long as they like is hashed or cut for it.
 */
import { BIN, hashOf, NAME, OPEN, TEXT, WORD } from "../words.ts";

export const sql = `
CREATE TABLE mefor.messages (
  seq             bigint NOT NULL PRIMARY KEY CLUSTERED,
  id              ${WORD} NOT NULL,
  channel_id      ${NAME} NOT NULL,
  received_at     bigint NOT NULL,
  source_type     ${TEXT} NOT NULL,
  control_id      ${TEXT},
  -- A partner chooses its control IDs, and an index takes no long ones.
  control_prefix  AS CAST(LEFT(control_id, 200) AS nvarchar(200)) PERSISTED,
  message_type    ${TEXT},
  entered_as      ${TEXT} NOT NULL,
  status          ${WORD} NOT NULL,
  error           ${TEXT},
  summary         ${TEXT},
  metadata        ${TEXT},
  body_seq        bigint NOT NULL,
  purged_at       bigint
)
GO
CREATE INDEX message_by_id ON mefor.messages (id)
GO
CREATE INDEX message_by_channel ON mefor.messages (channel_id, seq)
GO
CREATE INDEX message_by_control ON mefor.messages (control_prefix, seq)
GO
CREATE TABLE mefor.bodies (
  seq   bigint NOT NULL PRIMARY KEY CLUSTERED,
  body  ${TEXT} NOT NULL
)
GO
CREATE TABLE mefor.queue (
  seq              bigint NOT NULL PRIMARY KEY CLUSTERED,
  message_seq      bigint NOT NULL,
  stage            ${WORD} NOT NULL,
  lane             ${NAME} NOT NULL,
  channel_id       ${NAME} NOT NULL,
  handler_name     ${NAME},
  body_seq         bigint NOT NULL,
  status           ${WORD} NOT NULL,
  attempts         int NOT NULL,
  next_attempt_at  bigint NOT NULL,
  claim_token      bigint,
  last_error       ${TEXT},
  created_at       bigint NOT NULL,
  updated_at       bigint NOT NULL
)
GO
-- Open rows only: history must not bloat the index every claim walks.
CREATE INDEX queue_lane_open ON mefor.queue (stage, lane, seq)
  INCLUDE (status, channel_id, next_attempt_at, claim_token, created_at)
  WHERE ${OPEN}
GO
CREATE INDEX queue_message ON mefor.queue (message_seq) INCLUDE (stage, status, body_seq)
GO
CREATE TABLE mefor.message_events (
  message_seq  bigint NOT NULL,
  seq          bigint NOT NULL,
  ts           bigint NOT NULL,
  event        ${TEXT} NOT NULL,
  destination  ${TEXT},
  detail       ${TEXT},
  PRIMARY KEY CLUSTERED (message_seq, seq)
)
GO
CREATE TABLE mefor.state (
  namespace       ${TEXT} NOT NULL,
  [key]           ${TEXT} NOT NULL,
  value           ${TEXT} NOT NULL,
  set_at          bigint NOT NULL,
  message_seq     bigint,
  namespace_hash  AS ${hashOf("namespace")} PERSISTED NOT NULL,
  key_hash        AS ${hashOf("[key]")} PERSISTED NOT NULL,
  PRIMARY KEY CLUSTERED (namespace_hash, key_hash)
)
GO
CREATE TABLE mefor.connection_event (
  id          bigint NOT NULL PRIMARY KEY CLUSTERED,
  ts          bigint NOT NULL,
  connection  ${NAME} NOT NULL,
  transport   ${TEXT} NOT NULL,
  direction   ${WORD} NOT NULL,
  kind        nvarchar(400) ${BIN} NOT NULL,
  peer_host   ${TEXT},
  reason      ${TEXT}
)
GO
CREATE INDEX connection_event_connection ON mefor.connection_event (connection, id)
`;
