/** The PostgreSQL store as the engine's thread sees it. */
import { ServerStore, type ServerStoreOptions, startWriter } from "../server/store.ts";
import { postgres } from "./dialect.ts";

export class PostgresStore extends ServerStore {
  /**
   * Opens the store, migrating it when needed.
   *
   * @throws {StoreError} `store.unavailable`, `store.locked`, `store.newer_schema`, …
   */
  static async open(options: ServerStoreOptions): Promise<PostgresStore> {
    const writer = new URL("./server_writer_worker.ts", import.meta.url);
    return new PostgresStore(await startWriter(postgres, writer, options), options);
  }
}
