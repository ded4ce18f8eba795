/**
 * The store contract on SQL Server's statements, translated for PostgreSQL: what they mean, not how a
 * SQL Server takes them. Every test of it leaves a store that is whole, by SQL Server's own checks.
 */
import assert from "node:assert/strict";
import { checkStore } from "../../../src/store/server/integrity.ts";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { type StoreBackend, testStore } from "../../contract/store_contract.ts";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { standIn, StandInStore } from "./stand_in.ts";

if (hasPostgres()) {
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.kill());
  testStore(standInBackend(server));
}

function standInBackend(server: PostgresServer): StoreBackend {
  const places = new Map<string, ServerOptions>();
  const open = async (options: ServerOptions, now: () => number) => {
    const store = await StandInStore.open({ server: options, poolSize: 3, now });
    places.set(store.path, options);
    return store;
  };
  return {
    name: "SQL Server, translated:",
    open: (now) => open(server.options(), now),
    reopen: ({ path }, now) => open(places.get(path)!, now),
    async remove({ path }) {
      const options = places.get(path)!;
      const connection = await standIn.connect(options, "reader");
      try {
        const read = async (_name: string, text: string) => (await connection.ask(text)).rows;
        assert.deepEqual(await checkStore(standIn, read), { ok: true, detail: "ok" });
      } finally {
        await connection.close();
      }
      await server.drop(options.schema!);
    },
  };
}
