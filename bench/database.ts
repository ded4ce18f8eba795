/**
 * A PostgreSQL server for the engine's store, started by the benchmark on the disk under test, with
 * the settings it is shipped with but for its memory.
 */
import { PostgresServer } from "../tests/postgres/server.ts";

export class BenchDatabase implements AsyncDisposable {
  readonly #server: PostgresServer;

  static async start(directory: string): Promise<BenchDatabase> {
    return new BenchDatabase(await PostgresServer.start({ directory }));
  }

  private constructor(server: PostgresServer) {
    this.#server = server;
  }

  /** Lines of `[store]` that name a schema nobody used before. */
  storeLines(): string {
    const { host, port, database, user, schema } = this.#server.options();
    return `backend = "postgres"
server = "${host}"
port = ${port}
database = "${database}"
username = "${user}"
encrypt = false
db_schema = "${schema}"`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
