/**
 * Opens a database: checks the server and brings the schema up to date. Several engines may open at
 * once; equal versions cost two reads.
 */
import { StoreError } from "../errors.ts";
import type { ServerConnection } from "../server/dialect.ts";
import { migrations } from "./migrations/mod.ts";

const VERSION_MIN = 130_000;
/** The schema version of this program. */
export const SCHEMA_VERSION = migrations[migrations.length - 1]!.version;

/** Brings the schema up to date. @throws {StoreError} it cannot be this store's. */
export async function openSchema(
  connection: ServerConnection,
  schema: string | undefined,
): Promise<readonly string[]> {
  const warnings = await checkServer(connection);
  if (schema !== undefined) await makeSchema(connection, schema);
  const current = await schemaVersion(connection);
  if (current === undefined) await refuseForeign(connection);
  if (current === SCHEMA_VERSION) return warnings;
  refuseNewer(current ?? 0);
  await connection.begin();
  try {
    await connection.ask(
      "SELECT pg_advisory_xact_lock(hashtext('messagefoundry.schema'), hashtext(current_schema()))",
    );
    const locked = await schemaVersion(connection);
    refuseNewer(locked ?? 0);
    if (locked === undefined) await createMeta(connection);
    for (const { version, sql } of migrations) {
      if (version > (locked ?? 0)) await connection.ask(sql);
    }
    await connection.ask("UPDATE store_meta SET schema_version = $1 WHERE id = 1", [
      SCHEMA_VERSION,
    ]);
    await connection.commit();
  } catch (thrown) {
    if (!connection.isLost) await connection.rollBack();
    throw thrown;
  }
  return warnings;
}

/** @throws {StoreError} `store.open_failed`: the server is too old, or keeps no Unicode. */
async function checkServer(connection: ServerConnection): Promise<readonly string[]> {
  const { rows: [row] } = await connection.ask(
    `SELECT current_setting('server_version_num') AS version,
            current_setting('server_encoding') AS encoding,
            current_setting('fsync') AS fsync,
            current_schema() AS schema`,
  );
  if (Number(row?.version) < VERSION_MIN) {
    throw new StoreError("store.open_failed", "Cannot use the database: its server is too old", {
      hint: `The store needs PostgreSQL ${VERSION_MIN / 10_000} or newer`,
    });
  }
  if (row?.encoding !== "UTF8") {
    throw new StoreError("store.open_failed", "Cannot use the database: its encoding is not UTF8", {
      hint: "Make another with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
    });
  }
  return row.fsync === "off" ? ["fsync is off on the database server: a power cut loses data"] : [];
}

async function makeSchema(connection: ServerConnection, schema: string): Promise<void> {
  if (await hasSchema(connection, schema)) return;
  try {
    await connection.ask(`CREATE SCHEMA IF NOT EXISTS "${schema.replaceAll('"', '""')}"`);
  } catch (thrown) {
    // Of two who make it at once, the server may tell one that the other was faster.
    if (connection.isLost || !await hasSchema(connection, schema)) throw thrown;
  }
}

async function hasSchema(connection: ServerConnection, schema: string): Promise<boolean> {
  const { rows: [row] } = await connection.ask(
    "SELECT count(*) AS found FROM pg_namespace WHERE nspname = $1",
    [schema],
  );
  return row?.found === 1;
}

/** Undefined: there is no store yet. */
async function schemaVersion(connection: ServerConnection): Promise<number | undefined> {
  const { rows: [row] } = await connection.ask("SELECT to_regclass('store_meta')::text AS meta");
  if (row?.meta === null) return undefined;
  const { rows: [meta] } = await connection.ask(
    "SELECT schema_version FROM store_meta WHERE id = 1",
  );
  return Number(meta?.schema_version ?? 0);
}

function refuseNewer(version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new StoreError(
    "store.newer_schema",
    `Cannot open the store: its schema version ${version} is newer than this engine's ` +
      SCHEMA_VERSION,
    { hint: "Start the engine version that wrote it, or a newer one" },
  );
}

/** Tables of these names that are not ours would be written to. */
async function refuseForeign(connection: ServerConnection): Promise<void> {
  const { rows: [row] } = await connection.ask(
    "SELECT current_schema() AS schema, to_regclass('messages')::text AS messages, " +
      "to_regclass('queue')::text AS queue",
  );
  if (row?.schema === null) {
    throw new StoreError("store.open_failed", "Cannot use the database: it has no schema to use", {
      hint: "Set [store] db_schema, or the database user's search_path",
    });
  }
  if (row?.messages === null && row.queue === null) return;
  throw new StoreError(
    "store.foreign",
    `Cannot use schema "${row?.schema}": another program has tables of these names in it`,
    { hint: "Give the store its own [store] db_schema or database" },
  );
}

async function createMeta(connection: ServerConnection): Promise<void> {
  await connection.ask(`
    CREATE TABLE store_meta (
      id              INTEGER PRIMARY KEY CHECK (id = 1),
      schema_version  INTEGER NOT NULL,
      store_id        TEXT NOT NULL,
      epoch           BIGINT NOT NULL,
      next_seq        BIGINT NOT NULL
    ) WITH (fillfactor = 50)`);
  await connection.ask("INSERT INTO store_meta VALUES (1, 0, $1, 0, 1)", [
    crypto.randomUUID().replaceAll("-", ""),
  ]);
}
