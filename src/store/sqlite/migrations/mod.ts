/** Forward-only migrations in order; number and name are the same in every dialect. */
import type { Migration } from "../../migration.ts";
import { sql as stagedQueue } from "./0001_staged_queue.ts";
import { sql as totals } from "./0002_totals.ts";
import { sql as commitLog } from "./0003_commit_log.ts";
import { sql as storeKeys } from "./0004_store_keys.ts";
import { sql as keyRotation } from "./0005_key_rotation.ts";
import { sql as operators } from "./0006_operators.ts";
import { sql as retention } from "./0007_retention.ts";
import { sql as changedBodies } from "./0008_changed_bodies.ts";
import { sql as responses } from "./0009_responses.ts";
import { sql as references } from "./0010_references.ts";
import { sql as unprocessed } from "./0011_unprocessed.ts";

export const migrations: readonly Migration[] = [
  { version: 1, name: "0001_staged_queue", sql: stagedQueue },
  { version: 2, name: "0002_totals", sql: totals },
  { version: 3, name: "0003_commit_log", sql: commitLog },
  { version: 4, name: "0004_store_keys", sql: storeKeys },
  { version: 5, name: "0005_key_rotation", sql: keyRotation },
  { version: 6, name: "0006_operators", sql: operators },
  { version: 7, name: "0007_retention", sql: retention },
  { version: 8, name: "0008_changed_bodies", sql: changedBodies },
  { version: 9, name: "0009_responses", sql: responses },
  { version: 10, name: "0010_references", sql: references },
  { version: 11, name: "0011_unprocessed", sql: unprocessed },
];
