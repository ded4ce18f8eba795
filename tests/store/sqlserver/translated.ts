/** SQL Server stores over a server that stands in for one, for a file of tests. */
import assert from "node:assert/strict";
import { checkStore } from "../../../src/store/server/integrity.ts";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { sqlserver } from "../../../src/store/sqlserver/dialect.ts";
import { SqlServerStore } from "../../../src/store/sqlserver/store.ts";
import type { StoreBackend } from "../../contract/store_contract.ts";
import type { PostgresServer } from "../../postgres/server.ts";
import type { TdsServer } from "./tds_server.ts";

export function translatedOptions(tds: TdsServer, database: string): ServerOptions {
  return {
    host: "127.0.0.1",
    port: tds.port,
    database,
    user: "mefor",
    password: "secret",
    auth: "sql",
    encrypt: false,
    trustServerCertificate: false,
    caText: undefined,
    schema: undefined,
    applicationName: "messagefoundry",
    connectTimeoutMs: 30_000,
    commandTimeoutMs: 30_000,
  };
}

/** Every store is whole when it is left, by SQL Server's own checks. */
export function translatedBackend(behind: PostgresServer, tds: TdsServer): StoreBackend {
  let stores = 0;
  const places = new Map<string, ServerOptions>();
  const open = async (options: ServerOptions, now: () => number) => {
    const store = await SqlServerStore.open({ server: options, poolSize: 2, now });
    places.set(store.path, options);
    return store;
  };
  return {
    name: "SQL Server, translated:",
    open: (now) => open(translatedOptions(tds, `translated_${stores += 1}`), now),
    reopen: ({ path }, now) => open(places.get(path)!, now),
    async remove({ path }) {
      const options = places.get(path)!;
      const connection = await sqlserver.connect(options, "reader");
      try {
        const read = async (_name: string, text: string) => (await connection.ask(text)).rows;
        assert.deepEqual(await checkStore(sqlserver, read), { ok: true, detail: "ok" });
      } finally {
        await connection.close();
      }
      await behind.drop(options.database);
    },
  };
}
