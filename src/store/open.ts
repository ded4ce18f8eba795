/** Opens the store that the settings name; from there on nobody asks which backend runs. */
import type { CellKeys } from "../crypto/keys.ts";
import type { Logger } from "../logging/mod.ts";
import { type Settings, storePort } from "../settings/mod.ts";
import { StoreError } from "./errors.ts";
import type { Dialect, ServerOptions } from "./server/dialect.ts";
import type { ServerStore, ServerStoreOptions } from "./server/store.ts";
import type { Store } from "./store.ts";

export interface OpenStoreOptions {
  /** Microseconds since the epoch. */
  readonly now: () => number;
  /** Unset: cells are stored as they are. */
  readonly keys: CellKeys | undefined;
  readonly logger: Logger;
  /** `name@n` pairs of `failpoints.ts`, for crash tests. */
  readonly failpoints: string | undefined;
}

/** Backends that are a server. */
export type ServerBackend = Exclude<Settings["store"]["backend"], "sqlite">;

/** @throws {StoreError} the store cannot be opened. */
export async function openStore(
  settings: Settings["store"],
  options: OpenStoreOptions,
): Promise<Store> {
  switch (settings.backend) {
    case "sqlite": {
      const { SqliteStore } = await import("./sqlite/store.ts");
      const { path, synchronous } = settings;
      return SqliteStore.open({ path, synchronous, ...options });
    }
    case "postgres": {
      const { PostgresStore } = await import("./postgres/store.ts");
      const server = await serverOptionsOf(settings);
      return PostgresStore.open({ server, poolSize: settings.poolSize, ...options });
    }
    case "sqlserver": {
      const { SqlServerStore } = await import("./sqlserver/store.ts");
      const server = await serverOptionsOf(settings);
      return SqlServerStore.open({ server, poolSize: settings.poolSize, ...options });
    }
  }
}

/** What of a store that several engines have open is not the settings' own. */
export type SharedStoreOptions =
  & OpenStoreOptions
  & Pick<ServerStoreOptions, "poolSize" | "closeMs" | "onFenced">;

/** A store that other nodes of a cluster have open too. @throws {StoreError} */
export async function openSharedStore(
  settings: Settings["store"],
  options: SharedStoreOptions,
): Promise<ServerStore> {
  const shared = { server: await serverOptionsOf(settings), isShared: true, ...options };
  if (settings.backend === "postgres") {
    return (await import("./postgres/store.ts")).PostgresStore.open(shared);
  }
  return (await import("./sqlserver/store.ts")).SqlServerStore.open(shared);
}

/** The words of a database server, and its library with them. */
export async function dialectOf(backend: ServerBackend): Promise<Dialect> {
  if (backend === "postgres") return (await import("./postgres/dialect.ts")).postgres;
  return (await import("./sqlserver/dialect.ts")).sqlserver;
}

/**
 * How the settings say to reach the database server.
 *
 * @throws {StoreError} `store.ca_file`: the authority's file cannot be used.
 */
export async function serverOptionsOf(settings: Settings["store"]): Promise<ServerOptions> {
  const { server, database, encrypt, tlsCaFile } = settings;
  const port = storePort(settings);
  if (server === undefined || database === undefined || port === undefined) {
    throw new StoreError("store.open_failed", "Cannot reach a database that is not named", {
      hint: "Set [store] server and database",
    });
  }
  return {
    host: server,
    database,
    port,
    user: settings.username,
    password: settings.password?.reveal(),
    auth: settings.auth,
    encrypt,
    trustServerCertificate: settings.trustServerCertificate,
    caText: encrypt && tlsCaFile !== undefined ? await readAuthority(tlsCaFile) : undefined,
    schema: settings.dbSchema,
    applicationName: settings.applicationName,
    connectTimeoutMs: settings.connectTimeoutMs,
    commandTimeoutMs: settings.commandTimeoutMs,
  };
}

async function readAuthority(file: string): Promise<string> {
  const hint = "Name a readable PEM file in [store] tls_ca_file";
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (cause) {
    throw new StoreError("store.ca_file", `Cannot read "${file}"`, { cause, hint });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new StoreError("store.ca_file", `Cannot use "${file}": it holds no certificate`, { hint });
}
