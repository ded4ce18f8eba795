/**
 * What the nodes of a test meet in: a real PostgreSQL, or what stands in for a SQL Server before one.
 * Either way the rows are in PostgreSQL, where an onlooker finds them.
 */
import { postgresDriver } from "../../src/cluster/postgres/driver.ts";
import { Connection, type Row } from "../../src/cluster/server/connection.ts";
import type { ServerOptions } from "../../src/store/server/dialect.ts";
import type { ServerBackend } from "../../src/store/open.ts";
import { PostgresServer, type PostgresServerOptions } from "../postgres/server.ts";
import { standIn } from "../store/sqlserver/stand_in.ts";
import { TdsServer } from "../store/sqlserver/tds_server.ts";

/** Where the onlooker finds the rows; to the stand-in, a schema is a database. */
const SCHEMA = "public";

export class ClusterDatabase implements AsyncDisposable {
  readonly backend: ServerBackend;
  /** It has the rows. */
  readonly server: PostgresServer;
  /** Undefined: nodes ask PostgreSQL. */
  readonly tds: TdsServer | undefined;

  static async start(
    backend: ServerBackend,
    options: PostgresServerOptions = {},
  ): Promise<ClusterDatabase> {
    return new ClusterDatabase(backend, await PostgresServer.start(options));
  }

  private constructor(backend: ServerBackend, server: PostgresServer) {
    this.backend = backend;
    this.server = server;
    this.tds = backend === "sqlserver" ? new TdsServer(standIn(server)) : undefined;
  }

  /** Where nodes connect. */
  get port(): number {
    return this.tds?.port ?? this.server.port;
  }

  /** How nodes connect, to it or to what stands before it. */
  optionsAt(port: number): ServerOptions {
    const parts = { port, schema: undefined, applicationName: "bench" };
    if (this.tds === undefined) return this.server.options(parts);
    return this.server.options({ ...parts, database: SCHEMA, user: "mefor", password: "unused" });
  }

  /** A connection of an onlooker's own, to PostgreSQL. */
  onlooker(timeoutMs: number): Connection {
    const options = this.server.options({ schema: undefined });
    return new Connection({ timeoutMs, driver: postgresDriver({ server: options, timeoutMs }) });
  }

  /** A statement of an onlooker's. */
  async query(text: string): Promise<readonly Row[]> {
    await using connection = this.onlooker(30_000);
    return await connection.run(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tds?.[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}
