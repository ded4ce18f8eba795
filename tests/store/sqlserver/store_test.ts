/**
 * The store contract on a real SQL Server, wherever one is named; none can be installed where this
 * project is built, so that is the one part of the suite that may skip in CI too
 * (`docs/operating/sqlserver.md`).
 */
import assert from "node:assert/strict";
import { checkStore } from "../../../src/store/server/integrity.ts";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { sqlserver } from "../../../src/store/sqlserver/dialect.ts";
import { SqlServerStore } from "../../../src/store/sqlserver/store.ts";
import { type StoreBackend, testStore } from "../../contract/store_contract.ts";
import { dropSchema, namedServer, newSchema } from "./real_server.ts";

const named = namedServer();
if (named !== undefined) testStore(backendOn(named));

/** Each store has a schema of its own, which is dropped with it. */
function backendOn(server: ServerOptions): StoreBackend {
  const places = new Map<string, ServerOptions>();
  const open = async (options: ServerOptions, now: () => number) => {
    const store = await SqlServerStore.open({ server: options, poolSize: 3, now });
    places.set(store.path, options);
    return store;
  };
  return {
    name: "SQL Server:",
    open: (now) => open({ ...server, schema: newSchema() }, now),
    reopen: ({ path }, now) => open(places.get(path)!, now),
    remove: ({ path }) =>
      dropSchema(places.get(path)!, async (connection) => {
        const read = async (_name: string, text: string) => (await connection.ask(text)).rows;
        assert.deepEqual(await checkStore(sqlserver, read), { ok: true, detail: "ok" });
      }),
  };
}
