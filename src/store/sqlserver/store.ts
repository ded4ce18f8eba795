/** The SQL Server store as the engine's thread sees it. */
import { ServerStore, type ServerStoreOptions, startWriter } from "../server/store.ts";
import { sqlserver } from "./dialect.ts";

export class SqlServerStore extends ServerStore {
  /**
   * Opens the store, migrating it when needed.
   *
   * @throws {StoreError} `store.unavailable`, `store.locked`, `store.newer_schema`, …
   */
  static async open(options: ServerStoreOptions): Promise<SqlServerStore> {
    const writer = new URL("./sqlserver_writer_worker.ts", import.meta.url);
    return new SqlServerStore(await startWriter(sqlserver, writer, options), options);
  }
}
