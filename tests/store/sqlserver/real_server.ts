/** A real SQL Server, wherever one is named; none can be installed where this project is built. */
import type { ServerConnection, ServerOptions } from "../../../src/store/server/dialect.ts";
import { sqlserver } from "../../../src/store/sqlserver/dialect.ts";

const VARIABLE = "MEFOR_TEST_SQLSERVER_URL";

/** Undefined: none is named, which is said aloud. */
export function namedServer(): ServerOptions | undefined {
  const named = Deno.env.get(VARIABLE);
  if (named !== undefined) return optionsOf(new URL(named));
  console.warn(
    `SKIPPED: no SQL Server: set ${VARIABLE} to one, such as ` +
      '"sqlserver://user:password@host:1433/database?encrypt=false", and allow its address',
  );
  return undefined;
}

/** @param url `?encrypt=false` and `?trust=true` say how to connect. */
function optionsOf(url: URL): ServerOptions {
  return {
    host: url.hostname,
    port: url.port === "" ? 1433 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    auth: "sql",
    encrypt: url.searchParams.get("encrypt") !== "false",
    trustServerCertificate: url.searchParams.get("trust") === "true",
    caText: undefined,
    schema: undefined,
    applicationName: "messagefoundry tests",
    connectTimeoutMs: 15_000,
    commandTimeoutMs: 30_000,
  };
}

/** A name that no schema has. */
export function newSchema(): string {
  return `mefor_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** Looks at a schema once more, then drops it with its tables. */
export async function dropSchema(
  options: ServerOptions,
  look: (connection: ServerConnection) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const connection = await sqlserver.connect(options, "writer");
  try {
    await look(connection);
    const { rows } = await connection.ask(
      "SELECT t.name FROM sys.tables AS t WHERE t.schema_id = SCHEMA_ID(@p1)",
      [options.schema!],
    );
    for (const { name } of rows) await connection.ask(`DROP TABLE mefor.${name}`);
    await connection.ask(`DROP SCHEMA [${options.schema}]`);
  } finally {
    await connection.close();
  }
}
