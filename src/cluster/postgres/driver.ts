/** How the cluster's connections reach PostgreSQL. */
import pg from "pg";
import type { ServerOptions } from "../../store/server/dialect.ts";
import type { Driver, Line, Row, Value } from "../server/connection.ts";

export interface PostgresDriverOptions {
  readonly server: ServerOptions;
  /** For connecting, and the server's own bound of a statement. */
  readonly timeoutMs: number;
  /** Channels to listen on from the moment the connection stands. */
  readonly channels?: readonly string[];
  readonly onNotification?: (payload: string) => void;
}

/** What we use of the library, which has no types of its own. */
interface Client {
  connect(): Promise<void>;
  query(text: string, values?: readonly Value[]): Promise<{ rows: Row[] }>;
  end(): Promise<void>;
  on(event: "error" | "end", told: (error?: unknown) => void): void;
  on(event: "notification", told: (message: { payload?: string }) => void): void;
  readonly connection: { readonly stream: { destroy(): void } };
}

export function postgresDriver(options: PostgresDriverOptions): Driver {
  return { open: (onGone) => open(options, onGone), refusalOf };
}

async function open(
  { server, timeoutMs, channels = [], onNotification }: PostgresDriverOptions,
  onGone: () => void,
): Promise<Line> {
  const { host, port, database, user, password, schema, applicationName, ...tls } = server;
  const client = new pg.Client({
    ...{ host, port, database, user },
    // Without one the library would look for a password file.
    password: password ?? "",
    ssl: tls.encrypt ? { rejectUnauthorized: !tls.trustServerCertificate, ca: tls.caText } : false,
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
  const drop = () => client.connection.stream.destroy();
  try {
    await client.connect();
    if (schema !== undefined) await client.query(`SET search_path TO ${quoted(schema)}`);
    await client.query(PARTING);
    await client.query(DURABLE);
    for (const channel of channels) await client.query(`LISTEN ${quoted(channel)}`);
  } catch (thrown) {
    drop();
    throw thrown;
  }
  return {
    ask: async (text, values) => (await client.query(text, values)).rows,
    drop,
    end: () => client.end(),
  };
}

/** Sessions of a node that vanished would stay for hours, and use up what the server has of them. */
const PARTING = "SET tcp_user_timeout TO '5s'; SET tcp_keepalives_idle TO '10s'; " +
  "SET tcp_keepalives_interval TO '5s'; SET tcp_keepalives_count TO 3";

/** An answer must outlive the server: a lease that a crash takes back would be held twice. */
const DURABLE = "SELECT set_config('synchronous_commit', 'on', false) " +
  "WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/** A name as SQL takes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The server goes on after an error; its code has five characters. */
function refusalOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code, severity } = thrown as { code?: unknown; severity?: unknown };
  const isState = typeof code === "string" && /^[0-9A-Z]{5}$/.test(code);
  return isState && severity === "ERROR" ? `SQLSTATE ${code}` : undefined;
}
