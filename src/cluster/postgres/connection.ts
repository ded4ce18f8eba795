/**
 * One connection to PostgreSQL that opens itself when it is needed and gives up in time.
 *
 * It belongs to one user and stands outside the store's pool, so that a full pool never costs
 * leadership (I70). A statement without an answer in time costs the connection: a later answer must
 * not be taken for that of another statement.
 */
import pg from "pg";
import { ClusterError } from "../errors.ts";
import type { DatabaseAddress } from "./address.ts";

export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, unknown>>;

export interface ConnectionOptions {
  readonly address: DatabaseAddress;
  /** For connecting, and for a statement that names no other. */
  readonly timeoutMs: number;
  /** Channels to listen on from the moment the connection stands. */
  readonly channels?: readonly string[];
  readonly onNotification?: (payload: string) => void;
  /** The connection is there, or is there again: what was told in between was not heard. */
  readonly onConnected?: () => void;
  /** The connection is gone, and nobody asked for that. */
  readonly onLost?: () => void;
}

/** What we use of the driver, which has no types of its own. */
interface Client {
  connect(): Promise<void>;
  query(text: string, values?: readonly Value[]): Promise<{ rows: Row[] }>;
  end(): Promise<void>;
  on(event: "error" | "end", told: (error?: unknown) => void): void;
  on(event: "notification", told: (message: { payload?: string }) => void): void;
  readonly connection: { readonly stream: { destroy(): void } };
}

export class Connection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  #opening: Promise<Client> | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  /**
   * Executes one statement, on a new connection if there is none.
   *
   * @throws {ClusterError}
   */
  async run(
    text: string,
    values: readonly Value[] | undefined = undefined,
    { timeoutMs = this.#options.timeoutMs, signal }: {
      timeoutMs?: number;
      signal?: AbortSignal;
    } = {},
  ): Promise<readonly Row[]> {
    if (this.#isClosed) throw new ClusterError("cluster.closed", "Cannot use a closed connection");
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    tooLate.catch(() => {});
    const timer = setTimeout(() => reject(timeoutError(timeoutMs)), timeoutMs);
    const aborted = () => reject(new ClusterError("cluster.closed", "Cannot wait any longer"));
    signal?.addEventListener("abort", aborted);
    if (signal?.aborted) aborted();
    const opening = this.#opening ??= this.#begin();
    try {
      const client = await Promise.race([opening, tooLate]);
      const { rows } = await Promise.race([client.query(text, values), tooLate]);
      return rows;
    } catch (thrown) {
      if (isRefusedStatement(thrown)) throw statementError(thrown);
      if (this.#opening === opening) this.#opening = undefined;
      void drop(opening);
      throw thrown instanceof ClusterError ? thrown : lostError(thrown);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening !== undefined) await end(opening);
  }

  #begin(): Promise<Client> {
    const opening = this.#open(() => {
      if (this.#opening !== opening) return;
      this.#opening = undefined;
      this.#options.onLost?.();
    });
    return opening;
  }

  async #open(onGone: () => void): Promise<Client> {
    const { address, timeoutMs, channels = [], onNotification, onConnected } = this.#options;
    const { host, port, database, user, password, tls, schema, applicationName } = address;
    const client = new pg.Client({
      ...{ host, port, database, user },
      // Without one the driver would look for a password file.
      password: password ?? "",
      ssl: tls ?? false,
      application_name: applicationName,
      connectionTimeoutMillis: timeoutMs,
      // The server's end of the bound: no statement of a connection that is gone keeps a lock.
      statement_timeout: Math.ceil(timeoutMs),
      keepAlive: true,
    }) as Client;
    // Without a listener a lost connection ends the process.
    client.on("error", onGone);
    client.on("end", onGone);
    client.on("notification", ({ payload }) => onNotification?.(payload ?? ""));
    try {
      await client.connect();
      if (schema !== undefined) await client.query(`SET search_path TO ${quoted(schema)}`);
      await client.query(DURABLE);
      for (const channel of channels) await client.query(`LISTEN ${quoted(channel)}`);
    } catch (cause) {
      client.connection.stream.destroy();
      throw new ClusterError("cluster.unreachable", "Cannot connect to the database", {
        cause,
        hint: "Check [store] server, port, database, username and MEFOR_STORE_PASSWORD",
      });
    }
    onConnected?.();
    return client;
  }
}

/** An answer must outlive the server: a lease that a crash takes back would be held twice. */
const DURABLE = "SELECT set_config('synchronous_commit', 'on', false) " +
  "WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/** A name as SQL takes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function drop(opening: Promise<Client>): Promise<void> {
  try {
    (await opening).connection.stream.destroy();
  } catch {
    // It never stood.
  }
}

async function end(opening: Promise<Client>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, 1_000));
  try {
    const client = await Promise.race([opening, limit]);
    if (client) await Promise.race([client.end(), limit]);
  } catch {
    // It is gone, which is what was wanted.
  }
  clearTimeout(timer);
  await drop(opening);
}

/** The server refused the statement and goes on; its code has five characters. */
function isRefusedStatement(thrown: unknown): thrown is Error & { code: string } {
  if (!(thrown instanceof Error) || thrown instanceof ClusterError) return false;
  const { code, severity } = thrown as { code?: unknown; severity?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && severity === "ERROR";
}

function statementError(cause: Error & { code: string }): ClusterError {
  return new ClusterError(
    "cluster.statement_failed",
    `Cannot execute a statement of the cluster (SQLSTATE ${cause.code})`,
    { cause },
  );
}

function timeoutError(ms: number): ClusterError {
  return new ClusterError("cluster.timeout", `Cannot get an answer of the database in ${ms} ms`);
}

function lostError(cause: unknown): ClusterError {
  return new ClusterError("cluster.connection_lost", "Cannot reach the database any more", {
    cause,
  });
}
