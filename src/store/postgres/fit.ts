/**
 * Whether a tool may work on the store that a schema holds: what opening would have asked of it, and
 * nothing is made, migrated or entered.
 */
import { keyIdsOf } from "../../crypto/keys.ts";
import type { CellKeys } from "../../crypto/keys.ts";
import { StoreError } from "../errors.ts";
import { missingKeys } from "../store_keys.ts";
import type { ServerOptions } from "../server/dialect.ts";
import { keysOfStore, type Run } from "../server/store_keys.ts";
import { Connection } from "./connection.ts";
import { describeFailure } from "./failures.ts";
import { SCHEMA_VERSION } from "./schema.ts";

/**
 * Connects to the store of an engine that runs or not.
 *
 * @throws {StoreError} `store.not_found`, `store.older_schema`, `store.newer_schema`,
 * `store.key_missing`, or what reaching the server says.
 */
export async function connectBeside(
  server: ServerOptions,
  keys: CellKeys | undefined,
): Promise<Connection> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(server);
    await requireFit(connection, server);
    const missing = missingKeys(await keysOfStore(runOn(connection)), keyIdsOf(keys));
    if (missing !== undefined) throw missing;
    return connection;
  } catch (thrown) {
    await connection?.close();
    throw toError(thrown);
  }
}

async function requireFit(
  connection: Connection,
  { database, schema }: ServerOptions,
): Promise<void> {
  const { rows: [found] } = await connection.ask("SELECT to_regclass('store_meta')::text AS meta");
  if (found?.meta === null) {
    const place = schema === undefined ? "" : `, schema "${schema}"`;
    throw new StoreError("store.not_found", `Cannot find a store in "${database}"${place}`, {
      hint: "Name it with [store] database and db_schema; the engine's first start makes it",
    });
  }
  const { rows: [meta] } = await connection.ask(
    "SELECT schema_version FROM store_meta WHERE id = 1",
  );
  const version = Number(meta?.schema_version ?? 0);
  if (version === SCHEMA_VERSION) return;
  if (version < SCHEMA_VERSION) {
    throw new StoreError("store.older_schema", "Cannot use the store: it is of an older engine", {
      hint: "Start the engine of this version once, which migrates it",
    });
  }
  throw new StoreError(
    "store.newer_schema",
    `Cannot use the store: its schema version ${version} is newer than this program's ` +
      SCHEMA_VERSION,
    { hint: "Use the program of the version that the engine has" },
  );
}

/** A failure as one of the store. */
export function toError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const { code, message, hint } = describeFailure(thrown);
  return new StoreError(code, message, { hint, cause: thrown });
}

/** The lock that every writer takes first, until the transaction ends. */
export async function lockStore(connection: Pick<Connection, "ask">): Promise<void> {
  await connection.ask("SELECT id FROM store_meta WHERE id = 1 FOR UPDATE");
}

/** Statements of the store, one after the other over a connection. */
export function runOn(connection: Pick<Connection, "run">): Run {
  return (name, ...values) => connection.run(name, ...values);
}
