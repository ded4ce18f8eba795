/**
 * Every column whose cells are sealed, in one place.
 *
 * Whatever goes through all sealed cells goes through this list; `cells.ts` seals what is written
 * to them. A column of a new table is entered here or, in the schema's test, among the clear ones.
 * Source: spec pipeline-store-cluster §4.3.
 */

export interface CipheredColumn {
  readonly table: string;
  /** Columns of the primary key. */
  readonly key: readonly string[];
  readonly column: string;
}

export const cipheredColumns: readonly CipheredColumn[] = [
  { table: "messages", key: ["seq"], column: "error" },
  { table: "messages", key: ["seq"], column: "summary" },
  { table: "messages", key: ["seq"], column: "metadata" },
  { table: "bodies", key: ["seq"], column: "body" },
  { table: "queue", key: ["seq"], column: "last_error" },
  { table: "message_events", key: ["message_seq", "seq"], column: "detail" },
  {
    table: "response",
    key: ["message_seq", "destination", "response_seq"],
    column: "detail",
  },
  { table: "state", key: ["namespace", "key"], column: "value" },
  { table: "connection_event", key: ["id"], column: "reason" },
  { table: "reference", key: ["name", "version", "part"], column: "entries" },
  { table: "reference_version", key: ["name"], column: "digest" },
  { table: "users", key: ["id"], column: "totp_secret" },
  { table: "users", key: ["id"], column: "totp_staged" },
  { table: "audit_key", key: ["id"], column: "key" },
  { table: "alert_instance", key: ["id"], column: "reason" },
];
