/** The list of sealed columns against the schema as it is. */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { cipheredColumns } from "../../../src/store/ciphered_cells.ts";
import { Folder, inspect, openStore } from "./bench.ts";

/** Names, ids and codes: nothing of a patient may be written to them. */
const clearColumns: Readonly<Record<string, readonly string[]>> = {
  store_meta: ["store_id", "sealing_key"],
  store_keys: ["key_id"],
  reseal_cursors: ["cells", "which", "key_id", "position"],
  messages: [
    ...["id", "channel_id", "source_type", "control_id", "message_type", "entered_as", "status"],
  ],
  message_by_id: ["id"],
  message_by_channel: ["channel_id"],
  message_by_control: ["control_id"],
  queue: ["stage", "lane", "channel_id", "handler_name", "status"],
  message_events: ["event", "destination"],
  response: ["destination", "outcome"],
  state: ["namespace", "key"],
  reference: ["name", "version"],
  reference_version: ["name", "version"],
  connection_event: ["connection", "transport", "direction", "kind", "peer_host"],
  totals: ["kind", "name"],
  users: [
    ...["id", "username", "username_key", "auth_provider", "display_name", "email"],
    ...["password_hash", "channel_scope", "totp_recovery_codes"],
  ],
  user_roles: ["user_id", "role_id"],
  roles: ["id", "display_name", "description", "permissions"],
  ad_group_role_map: ["ad_group", "role_id"],
  ad_group_scope_map: ["ad_group", "channel_id"],
  sessions: ["token_hash", "user_id", "client", "verified_ip"],
  audit_log: ["actor", "action", "channel_id", "detail", "row_hash"],
  pending_approvals: ["id", "operation", "params", "requester", "status", "approver"],
  alert_instance: ["event_type", "connection", "severity", "status", "acked_by"],
  retention: ["reclaimed_on"],
};

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  /** Place in the primary key, from 1. */
  readonly pk: number;
}

function columnsOf(db: DatabaseSync): Column[] {
  return db.prepare(`
    SELECT t.name AS "table", c.name, c.type, c.pk
      FROM sqlite_schema t, pragma_table_info(t.name) c
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
     ORDER BY t.name, c.cid`).all() as unknown as Column[];
}

// Goal: no column of text is forgotten: it is sealed, or somebody has said that it may be clear.
Deno.test("cipheredColumns and the clear ones are all columns that hold text", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const columns = inspect(path, columnsOf);
  const texts = columns.filter(({ type }) => type !== "INTEGER" && type !== "REAL")
    .map(({ table, name }) => `${table}.${name}`);
  const named = [
    ...cipheredColumns.map(({ table, column }) => `${table}.${column}`),
    ...Object.entries(clearColumns).flatMap(([table, names]) =>
      names.map((name) => `${table}.${name}`)
    ),
  ];
  assert.deepEqual(named.toSorted(), texts.toSorted());
});

Deno.test("cipheredColumns names the primary key of each table", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const columns = inspect(path, columnsOf);
  for (const { table, key } of cipheredColumns) {
    const primary = columns.filter((column) => column.table === table && column.pk > 0)
      .sort((a, b) => a.pk - b.pk)
      .map(({ name }) => name);
    assert.deepEqual(key, primary, table);
  }
});
