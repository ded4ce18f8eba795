/** SQL Server's text of every migration. */
import { migrationsOf } from "../../migration.ts";
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

export const migrations = migrationsOf({
  "0001_staged_queue": stagedQueue,
  "0002_totals": totals,
  "0003_commit_log": commitLog,
  "0004_store_keys": storeKeys,
  "0005_key_rotation": keyRotation,
  "0006_operators": operators,
  "0007_retention": retention,
  "0008_changed_bodies": changedBodies,
  "0009_responses": responses,
  "0010_references": references,
  "0011_unprocessed": unprocessed,
});
