/** PostgreSQL stores, each in a schema of its own on one server for a file of tests. */
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import type { ServerStoreOptions } from "../../../src/store/server/store.ts";
import { PostgresStore } from "../../../src/store/postgres/store.ts";
import type { StoreBackend } from "../../contract/store_contract.ts";
import type { PostgresServer } from "../../postgres/server.ts";

export function openStore(
  server: ServerOptions,
  options: Partial<ServerStoreOptions> = {},
): Promise<PostgresStore> {
  return PostgresStore.open({ server, poolSize: 3, now: () => 1_000_000, ...options });
}

/** `look` sees each schema before it is dropped. */
export function postgresBackend(
  server: PostgresServer,
  { look, ...rest }: Partial<ServerStoreOptions> & {
    readonly look?: (store: PostgresStore, options: ServerOptions) => Promise<void>;
  } = {},
): StoreBackend {
  const places = new Map<string, ServerOptions>();
  const open = async (options: ServerOptions, now: () => number) => {
    const store = await openStore(options, { ...rest, now });
    places.set(store.path, options);
    return store;
  };
  return {
    name: "PostgreSQL:",
    open: (now) => open(server.options(), now),
    reopen: ({ path }, now) => open(places.get(path)!, now),
    async remove(closed) {
      const options = places.get(closed.path)!;
      await look?.(closed as PostgresStore, options);
      await server.drop(options.schema!);
    },
  };
}
