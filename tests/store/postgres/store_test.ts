/** The store contract on PostgreSQL; every test of it leaves a store that is whole. */
import assert from "node:assert/strict";
import { postgres } from "../../../src/store/postgres/dialect.ts";
import { checkStore } from "../../../src/store/server/integrity.ts";
import { testStore } from "../../contract/store_contract.ts";
import { postgresBackend } from "./bench.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";

if (hasPostgres()) {
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.kill());
  testStore(postgresBackend(server, {
    look: (_store, { schema }) =>
      server.ask({ schema }, async (connection) => {
        const found = await checkStore(
          postgres,
          async (_name, text) => (await connection.ask(text)).rows,
        );
        assert.deepEqual(found, { ok: true, detail: "ok" });
      }),
  }));
}
