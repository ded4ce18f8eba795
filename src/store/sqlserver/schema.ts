/**
 * Opens a database: checks the server and brings the schema up to date. Several engines may open at
 * once; equal versions cost two reads.
 */
import { StoreError } from "../errors.ts";
import type { ServerConnection, ServerOptions, ServerRow } from "../server/dialect.ts";
import { migrations } from "./migrations/mod.ts";
import { bracketed, TEXT } from "./words.ts";

/** SQL Server 2017, which has `STRING_AGG`. */
const VERSION_MIN = 14;
/** Of a database; from here on it has `OPENJSON`. */
const LEVEL_MIN = 130;
/** Editions that are a service, whose version says nothing: Azure SQL Database and its kin. */
const SERVICES: ReadonlySet<unknown> = new Set([5, 8, 9, 11, 12]);

/** The schema version of this program. */
export const SCHEMA_VERSION = migrations[migrations.length - 1]!.version;

/** What the schema's own statements are; beside the migrations, so that all are checked. */
export const schemaTexts = {
  server: `
    SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS int) AS version,
           CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition,
           CAST(d.compatibility_level AS int) AS [level],
           CAST(d.is_read_committed_snapshot_on AS int) AS versions_rows,
           CAST(d.is_read_only AS int) AS is_read_only,
           CASE WHEN d.delayed_durability = 2 THEN 1 ELSE 0 END AS delays
      FROM sys.databases AS d
     WHERE d.name = DB_NAME()`,
  hasSchema: `SELECT CASE WHEN SCHEMA_ID(@p1) IS NULL THEN 0 ELSE 1 END AS found`,
  ownSchema: `SELECT SCHEMA_NAME() AS name`,
  hasMeta:
    `SELECT CASE WHEN OBJECT_ID(N'mefor.store_meta', N'U') IS NULL THEN 0 ELSE 1 END AS found`,
  version: `SELECT schema_version FROM mefor.store_meta WHERE id = 1`,
  foreign: `
    SELECT CASE WHEN OBJECT_ID(N'mefor.messages') IS NULL
                 AND OBJECT_ID(N'mefor.queue') IS NULL THEN 0 ELSE 1 END AS found`,
  /** Ends with the transaction. */
  lockSchema: `
    DECLARE @got int, @wait int = @p1;
    EXEC @got = sp_getapplock @Resource = N'messagefoundry.schema', @LockMode = 'Exclusive',
         @LockOwner = 'Transaction', @LockTimeout = @wait;
    SELECT CASE WHEN @got >= 0 THEN 1 ELSE 0 END AS is_mine`,
  createMeta: `
    CREATE TABLE mefor.store_meta (
      id              int NOT NULL PRIMARY KEY CLUSTERED CHECK (id = 1),
      schema_version  int NOT NULL,
      store_id        ${TEXT} NOT NULL,
      epoch           bigint NOT NULL,
      next_seq        bigint NOT NULL
    )`,
  insertMeta: `
    INSERT INTO mefor.store_meta (id, schema_version, store_id, epoch, next_seq)
    VALUES (1, 0, @p1, 0, 1)`,
  setVersion: `UPDATE mefor.store_meta SET schema_version = @p1 WHERE id = 1`,
} as const;

/** Statements of a migration: each is compiled when those before it have taken place. */
export function statementsOf(sql: string): readonly string[] {
  return sql.split(/^GO$/m).map((text) => text.trim()).filter((text) => text !== "");
}

/** Brings the schema up to date. @throws {StoreError} it cannot be this store's. */
export async function openSchema(
  connection: ServerConnection,
  { schema, commandTimeoutMs }: ServerOptions,
): Promise<readonly string[]> {
  const warnings = judgeServer(await first(connection, schemaTexts.server));
  if (schema !== undefined) await makeSchema(connection, schema);
  const current = await schemaVersion(connection);
  if (current === undefined) await refuseForeign(connection, schema);
  if (current === SCHEMA_VERSION) return warnings;
  refuseNewer(current ?? 0);
  await connection.begin();
  try {
    const { is_mine } = await first(connection, schemaTexts.lockSchema, commandTimeoutMs);
    if (is_mine !== 1) throw new StoreError("store.busy", "Cannot lock the schema of the store");
    const locked = await schemaVersion(connection);
    refuseNewer(locked ?? 0);
    if (locked === undefined) {
      await connection.ask(schemaTexts.createMeta);
      await connection.ask(schemaTexts.insertMeta, [crypto.randomUUID().replaceAll("-", "")]);
    }
    for (const { version, sql } of migrations) {
      if (version <= (locked ?? 0)) continue;
      for (const text of statementsOf(sql)) await connection.ask(text);
    }
    await connection.ask(schemaTexts.setVersion, [SCHEMA_VERSION]);
    await connection.commit();
  } catch (thrown) {
    if (!connection.isLost) await connection.rollBack();
    throw thrown;
  }
  return warnings;
}

async function first(
  connection: ServerConnection,
  text: string,
  ...values: readonly (string | number)[]
): Promise<ServerRow> {
  return (await connection.ask(text, values)).rows[0] ?? {};
}

/**
 * Returns what an operator should know of the server and its database.
 *
 * @throws {StoreError} `store.open_failed`: they are too old; `store.read_only`.
 */
export function judgeServer(row: ServerRow): readonly string[] {
  if (Number(row.version) < VERSION_MIN && !SERVICES.has(row.edition)) {
    throw new StoreError("store.open_failed", "Cannot use the database: its server is too old", {
      hint: "The store needs SQL Server 2017 or newer",
    });
  }
  if (Number(row.level) < LEVEL_MIN) {
    throw new StoreError(
      "store.open_failed",
      `Cannot use the database: its compatibility level ${row.level} is too low`,
      { hint: `Set it to ${LEVEL_MIN} or higher: ALTER DATABASE … SET COMPATIBILITY_LEVEL = 150` },
    );
  }
  if (row.is_read_only === 1) {
    throw new StoreError("store.read_only", "Cannot use the database: it is read-only", {
      hint: "Point [store] server at the primary, or ALTER DATABASE … SET READ_WRITE",
    });
  }
  const warnings: string[] = [];
  if (row.delays === 1) {
    warnings.push("DELAYED_DURABILITY is FORCED on the database: a power cut loses data");
  }
  if (row.versions_rows !== 1) {
    warnings.push(
      "READ_COMMITTED_SNAPSHOT is off in the database: those who read and the writer wait for each other",
    );
  }
  return warnings;
}

/** Makes the schema where it is missing; several may come at once. */
export async function makeSchema(connection: ServerConnection, schema: string): Promise<void> {
  const isThere = async () => (await first(connection, schemaTexts.hasSchema, schema)).found === 1;
  if (await isThere()) return;
  try {
    await connection.ask(`CREATE SCHEMA ${bracketed(schema)}`);
  } catch (thrown) {
    // Somebody else may have been faster.
    if (connection.isLost || !await isThere()) throw thrown;
  }
}

/** Undefined: there is no store yet. */
async function schemaVersion(connection: ServerConnection): Promise<number | undefined> {
  if ((await first(connection, schemaTexts.hasMeta)).found !== 1) return undefined;
  return Number((await first(connection, schemaTexts.version)).schema_version ?? 0);
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
async function refuseForeign(
  connection: ServerConnection,
  schema: string | undefined,
): Promise<void> {
  if ((await first(connection, schemaTexts.foreign)).found !== 1) return;
  const name = schema ?? (await first(connection, schemaTexts.ownSchema)).name;
  throw new StoreError(
    "store.foreign",
    `Cannot use schema "${name}": another program has tables of these names in it`,
    { hint: "Give the store its own [store] db_schema or database" },
  );
}
