/**
 * The T-SQL of what a batch has changed: each takes one list, of rows that are lists of columns.
 * Meaning stands in `store/changes.ts`.
 */
import type { ChangeStatement } from "../server/statement_names.ts";
import { BIN, hashOf } from "./words.ts";

const STATE_ROWS = `OPENJSON(@p1) WITH (
           namespace nvarchar(max) '$[0]', [key] nvarchar(max) '$[1]', value nvarchar(max) '$[2]',
           set_at bigint '$[3]', message_seq bigint '$[4]') AS t`;

/** The server takes keys that differ in spaces at their end for equal; their hashes differ. */
const sameHash = (column: string, by: string) => `s.${by} = ${hashOf(`t.${column}`)}`;
const SAME_KEY = `${sameHash("namespace", "namespace_hash")} AND ${sameHash("[key]", "key_hash")}`;

const TOTAL_ROWS = `OPENJSON(@p1) WITH (
           kind nvarchar(100) '$[0]', name nvarchar(4000) '$[1]', total bigint '$[2]') AS t`;

const SAME_TOTAL = `o.kind = t.kind ${BIN} AND o.name = t.name ${BIN}`;

export const changeTexts: Readonly<Record<ChangeStatement, string>> = {
  insertBodies: `
    INSERT INTO mefor.bodies (seq, body, base_seq)
    SELECT t.seq, t.body, t.base_seq
      FROM OPENJSON(@p1) WITH (
           seq bigint '$[0]', body nvarchar(max) '$[1]', base_seq bigint '$[2]') AS t`,

  insertMessages: `
    INSERT INTO mefor.messages (seq, id, channel_id, received_at, source_type, control_id,
           message_type, entered_as, status, error, metadata, body_seq)
    SELECT t.seq, t.id, t.channel_id, t.received_at, t.source_type, t.control_id, t.message_type,
           t.entered_as, t.status, t.error, t.metadata, t.seq
      FROM OPENJSON(@p1) WITH (
           seq bigint '$[0]', id nvarchar(max) '$[1]', channel_id nvarchar(max) '$[2]',
           received_at bigint '$[3]', source_type nvarchar(max) '$[4]',
           control_id nvarchar(max) '$[5]', message_type nvarchar(max) '$[6]',
           entered_as nvarchar(max) '$[7]', status nvarchar(max) '$[8]',
           error nvarchar(max) '$[9]', metadata nvarchar(max) '$[10]') AS t`,

  updateMessages: `
    UPDATE m
       SET status = t.status, error = t.error
      FROM mefor.messages AS m
      JOIN OPENJSON(@p1) WITH (
           seq bigint '$[0]', status nvarchar(max) '$[1]', error nvarchar(max) '$[2]') AS t
        ON m.seq = t.seq`,

  insertRows: `
    INSERT INTO mefor.queue (seq, message_seq, stage, lane, channel_id, handler_name, body_seq,
           status, attempts, next_attempt_at, claim_token, last_error, created_at, updated_at)
    SELECT t.seq, t.message_seq, t.stage, t.lane, t.channel_id, t.handler_name, t.body_seq,
           t.status, t.attempts, t.next_attempt_at, t.claim_token, t.last_error, t.created_at,
           t.updated_at
      FROM OPENJSON(@p1) WITH (
           seq bigint '$[0]', message_seq bigint '$[1]', stage nvarchar(max) '$[2]',
           lane nvarchar(max) '$[3]', channel_id nvarchar(max) '$[4]',
           handler_name nvarchar(max) '$[5]', body_seq bigint '$[6]', status nvarchar(max) '$[7]',
           attempts int '$[8]', next_attempt_at bigint '$[9]', claim_token bigint '$[10]',
           last_error nvarchar(max) '$[11]', created_at bigint '$[12]',
           updated_at bigint '$[13]') AS t`,

  updateRows: `
    UPDATE q
       SET status = t.status, attempts = t.attempts, next_attempt_at = t.next_attempt_at,
           claim_token = t.claim_token, last_error = t.last_error, updated_at = t.updated_at
      FROM mefor.queue AS q
      JOIN OPENJSON(@p1) WITH (
           seq bigint '$[0]', status nvarchar(max) '$[1]', attempts int '$[2]',
           next_attempt_at bigint '$[3]', claim_token bigint '$[4]', last_error nvarchar(max) '$[5]',
           updated_at bigint '$[6]') AS t
        ON q.seq = t.seq`,

  deleteRows: `
    DELETE FROM mefor.queue
     WHERE seq IN (SELECT t.seq FROM OPENJSON(@p1) WITH (seq bigint '$[0]') AS t)`,

  insertEvents: `
    INSERT INTO mefor.message_events (message_seq, seq, ts, event, destination, detail)
    SELECT t.message_seq, t.seq, t.ts, t.event, t.destination, t.detail
      FROM OPENJSON(@p1) WITH (
           message_seq bigint '$[0]', seq bigint '$[1]', ts bigint '$[2]',
           event nvarchar(max) '$[3]', destination nvarchar(max) '$[4]',
           detail nvarchar(max) '$[5]') AS t`,

  insertResponses: `
    INSERT INTO mefor.response (message_seq, destination, response_seq, outcome, detail, body_seq,
           captured_at)
    SELECT t.message_seq, t.destination, t.response_seq, t.outcome, t.detail, t.body_seq,
           t.captured_at
      FROM OPENJSON(@p1) WITH (
           message_seq bigint '$[0]', destination nvarchar(max) '$[1]', response_seq bigint '$[2]',
           outcome nvarchar(max) '$[3]', detail nvarchar(max) '$[4]', body_seq bigint '$[5]',
           captured_at bigint '$[6]') AS t`,

  insertConnectionEvents: `
    INSERT INTO mefor.connection_event (id, ts, connection, transport, direction, kind, peer_host,
           reason)
    SELECT t.id, t.ts, t.connection, t.transport, t.direction, t.kind, t.peer_host, t.reason
      FROM OPENJSON(@p1) WITH (
           id bigint '$[0]', ts bigint '$[1]', connection nvarchar(max) '$[2]',
           transport nvarchar(max) '$[3]', direction nvarchar(max) '$[4]', kind nvarchar(max) '$[5]',
           peer_host nvarchar(max) '$[6]', reason nvarchar(max) '$[7]') AS t`,

  /** Two statements and no MERGE: the store's lock is held, so nobody comes between. */
  upsertState: `
    UPDATE s
       SET value = t.value, set_at = t.set_at, message_seq = t.message_seq
      FROM mefor.state AS s
      JOIN ${STATE_ROWS}
        ON ${SAME_KEY};
    INSERT INTO mefor.state (namespace, [key], value, set_at, message_seq)
    SELECT t.namespace, t.[key], t.value, t.set_at, t.message_seq
      FROM ${STATE_ROWS}
     WHERE NOT EXISTS (SELECT 1 FROM mefor.state AS s WHERE ${SAME_KEY})`,

  /** The same. */
  addTotals: `
    UPDATE o
       SET total = o.total + t.total
      FROM mefor.totals AS o
      JOIN ${TOTAL_ROWS}
        ON ${SAME_TOTAL};
    INSERT INTO mefor.totals (kind, name, total)
    SELECT t.kind, t.name, t.total
      FROM ${TOTAL_ROWS}
     WHERE NOT EXISTS (SELECT 1 FROM mefor.totals AS o WHERE ${SAME_TOTAL})`,
};
