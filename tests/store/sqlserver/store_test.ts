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

const VARIABLE = "MEFOR_TEST_SQLSERVER_URL";
const named = Deno.env.get(VARIABLE);

if (named === undefined) {
  console.warn(
    `SKIPPED: no SQL Server: set ${VARIABLE} to one, such as ` +
      '"sqlserver://user:password@host:1433/database?encrypt=false", and allow its address',
  );
} else testStore(backendOn(optionsOf(new URL(named))));

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

/** Each store has a schema of its own, which is dropped with it. */
function backendOn(server: ServerOptions): StoreBackend {
  const places = new Map<string, ServerOptions>();
  const open = async (options: ServerOptions, now: () => number) => {
    const store = await SqlServerStore.open({ server: options, poolSize: 3, now });
    places.set(store.path, options);
    return store;
  };
  const newSchema = () => `mefor_${crypto.randomUUID().replaceAll("-", "")}`;
  return {
    name: "SQL Server:",
    open: (now) => open({ ...server, schema: newSchema() }, now),
    reopen: ({ path }, now) => open(places.get(path)!, now),
    async remove({ path }) {
      const options = places.get(path)!;
      const connection = await sqlserver.connect(options, "writer");
      try {
        const read = async (_name: string, text: string) => (await connection.ask(text)).rows;
        assert.deepEqual(await checkStore(sqlserver, read), { ok: true, detail: "ok" });
        const { rows } = await connection.ask(
          "SELECT t.name FROM sys.tables AS t WHERE t.schema_id = SCHEMA_ID(@p1)",
          [options.schema!],
        );
        for (const { name } of rows) await connection.ask(`DROP TABLE mefor.${name}`);
        await connection.ask(`DROP SCHEMA [${options.schema}]`);
      } finally {
        await connection.close();
      }
    },
  };
}
