/**
 * Opens the store in a database: checks the server, brings the schema up to date, admits the keys and
 * begins an epoch. Several engines may open at once; equal versions cost two reads.
 */
import { StoreError } from "../errors.ts";
import type { Store } from "../store.ts";
import type { Connection, PgRow } from "./connection.ts";
import { migrations } from "./migrations/mod.ts";
import { statements } from "./statements.ts";
import { addUses, admitKeys, keysOfStore } from "./store_keys.ts";

export interface OpenedStore {
  /** Increases with each opening; claim tokens of different openings never meet. */
  readonly epoch: number;
  readonly recovered: number;
  readonly lanes: Store["openLanes"];
  /** Ids of all keys that cells may be sealed with; `CLEAR` among them. */
  readonly keysInUse: readonly string[];
  /** Times the active key has sealed, at most, those that were entered now included. */
  readonly keyUses: number;
  readonly warnings: readonly string[];
}

/** Claim tokens of one epoch; 2^32 of them last two weeks at 3,000 a second, 2^21 epochs. */
export const TOKENS_PER_EPOCH = 2 ** 32;

const VERSION_MIN = 130_000;
/** The schema version of this program. */
export const SCHEMA_VERSION = migrations[migrations.length - 1]!.version;

/** Brings the schema up to date. @throws {StoreError} it cannot be this store's. */
export async function openSchema(
  connection: Connection,
  schema: string | undefined,
): Promise<readonly string[]> {
  const warnings = await checkServer(connection);
  if (schema !== undefined) await makeSchema(connection, schema);
  const current = await schemaVersion(connection);
  if (current === undefined) await refuseForeign(connection);
  if (current === SCHEMA_VERSION) return warnings;
  refuseNewer(current ?? 0);
  await connection.ask("BEGIN");
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
    await connection.ask("COMMIT");
  } catch (thrown) {
    if (!connection.isLost) await connection.ask("ROLLBACK");
    throw thrown;
  }
  return warnings;
}

/** @throws {StoreError} `store.open_failed`: the server is too old, or keeps no Unicode. */
async function checkServer(connection: Connection): Promise<readonly string[]> {
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

async function makeSchema(connection: Connection, schema: string): Promise<void> {
  const { rows: [row] } = await connection.ask(
    "SELECT count(*) AS found FROM pg_namespace WHERE nspname = $1",
    [schema],
  );
  if (row?.found === 1) return;
  await connection.ask(`CREATE SCHEMA IF NOT EXISTS "${schema.replaceAll('"', '""')}"`);
}

/** Undefined: there is no store yet. */
async function schemaVersion(connection: Connection): Promise<number | undefined> {
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
async function refuseForeign(connection: Connection): Promise<void> {
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

async function createMeta(connection: Connection): Promise<void> {
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

/**
 * Starts a new epoch: admits the keys, enters the writer, and re-pends what nobody holds any more;
 * in a cluster (`isAlone` false) that waits for the promotion.
 */
export async function beginEpoch(
  connection: Connection,
  { now, keyIds, uses, session, isAlone, warnings }: {
    /** Microseconds since the epoch. */
    readonly now: number;
    readonly keyIds: readonly string[];
    readonly uses: number;
    readonly session: string;
    readonly isAlone: boolean;
    readonly warnings: readonly string[];
  },
): Promise<OpenedStore> {
  await connection.ask("BEGIN");
  try {
    // The lock every writer takes first.
    const { rows: [meta] } = await connection.ask(
      "UPDATE store_meta SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch",
    );
    await admitKeys(connection, { keyIds, now });
    const [active] = keyIds;
    const keyUses = active === undefined ? 0 : await addUses(connection, active, uses);
    const epoch = Number(meta?.epoch);
    if (isAlone) await connection.ask("DELETE FROM store_writer");
    await connection.ask(
      "INSERT INTO store_writer (session, link, batch, started_at) VALUES ($1, 1, 0, $2)",
      [session, now],
    );
    const recovered = isAlone ? await recover(connection, { now, epoch }) : 0;
    const lanes = (await connection.ask(statements.openLanes)).rows.map(toOpenLane);
    const keysInUse = await keysOfStore(connection);
    await connection.ask("COMMIT");
    return { epoch, recovered, lanes, keysInUse, keyUses, warnings };
  } catch (thrown) {
    if (!connection.isLost) await connection.ask("ROLLBACK");
    throw thrown;
  }
}

/** Re-pends what other openings left in flight, due now; returns how many rows. */
export async function recover(
  connection: Pick<Connection, "ask">,
  { now, epoch }: { readonly now: number; readonly epoch: number },
): Promise<number> {
  const from = epoch * TOKENS_PER_EPOCH;
  const { count } = await connection.ask(statements.recover, [now, from, from + TOKENS_PER_EPOCH]);
  return count;
}

function toOpenLane(row: PgRow): Store["openLanes"][number] {
  return {
    stage: String(row.stage),
    lane: String(row.lane),
    channel: String(row.channel_id),
    open: Number(row.open),
  };
}
