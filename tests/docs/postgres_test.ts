// Goal: whoever sets a database up as the pages say has a store that opens, under a role that can do
// no more than it needs, over TLS, and can be saved and brought back.
import assert from "node:assert/strict";
import { loadSettings } from "../../src/settings/mod.ts";
import { serverOptionsOf } from "../../src/store/open.ts";
import { Connection } from "../../src/store/postgres/connection.ts";
import { PostgresStore } from "../../src/store/postgres/store.ts";
import { readPostgres } from "../../src/maintenance/postgres_source.ts";
import { Authority, textsOf } from "../connectors/certificates.ts";
import { runTool } from "../connectors/foreign_tool.ts";
import { hasPostgres, PostgresServer } from "../maintenance/one_server.ts";
import { openStore } from "../store/postgres/bench.ts";
import { testKeys } from "../store/ciphers.ts";
import { blocksOf, readPages } from "./pages.ts";

const ignore = !hasPostgres();

/** Statements of the SQL blocks of a page, block by block. */
async function sqlOf(page: string): Promise<readonly (readonly string[])[]> {
  const found = (await readPages()).find(({ path }) => path === page)!;
  const blocks = blocksOf(found).filter(({ language }) => language === "sql");
  return blocks.map(({ text }) => text.split(";\n").map((one) => one.trim()).filter(Boolean));
}

async function settingsOf(page: string) {
  const found = (await readPages()).find(({ path }) => path === page)!;
  return blocksOf(found).find(({ language }) => language === "toml")!.text;
}

Deno.test({
  name: "docs/operating/postgres.md sets up, tunes and saves a store as it says",
  ignore,
  async fn() {
    const page = "docs/operating/postgres.md";
    const directory = await Deno.makeTempDir({ prefix: "mefor_docs_postgres_" });
    try {
      const authority = await Authority.create(directory);
      const identity = await textsOf(await authority.issue("db", "DNS:localhost"));
      await using server = await PostgresServer.start({ tls: identity });
      const [cluster, database, tuning] = await sqlOf(page);
      const run = async (name: string, statements: readonly string[]) => {
        const options = server.options({ database: name, schema: undefined });
        const connection = await Connection.open(options);
        for (const statement of statements) await connection.ask(statement);
        await connection.close();
      };
      await run("postgres", cluster!);
      await run("messagefoundry", database!);

      const env = {
        MEFOR_STORE_SERVER: "localhost",
        MEFOR_STORE_PORT: String(server.port),
        MEFOR_STORE_TLS_CA_FILE: authority.file,
        MEFOR_STORE_PASSWORD: "CANARY",
        MEFOR_STORE_ENCRYPTION_KEY: testKeys.active.toBase64(),
      };
      const file = { path: "messagefoundry.toml", text: await settingsOf(page) };
      const { settings: { store: settings } } = loadSettings({ file, env });
      const options = await serverOptionsOf(settings);
      assert.equal(options.encrypt, true);
      const open = (name: string) =>
        openStore({ ...options, database: name }, { keys: testKeys, isShared: true });
      const audit = [{ at: 1, actor: "ann", action: "a", channel: null, detail: null }];
      {
        await using store = await open("messagefoundry");
        await store.submit({ kind: "register", changes: [], audit });
        await run("messagefoundry", tuning!);
        assert.equal((await store.checkIntegrity()).ok, true);
      }
      const own = await Connection.open(options);
      await assert.rejects(own.ask("CREATE TABLE public.x (y text)"), { code: "42501" });
      await assert.rejects(own.ask("CREATE SCHEMA other"), { code: "42501" });
      await own.close();

      // As the page says: dump, an empty database made as above but for the schema, restore.
      const restored = "messagefoundry_restored";
      const made = cluster!.filter((one) => !one.startsWith("CREATE ROLE"));
      await run("postgres", made.map((one) => one.replace(/messagefoundry/, restored)));
      const at = ["--host=127.0.0.1", `--port=${server.port}`, "--username=postgres"];
      const found = (await readPages()).find(({ path }) => path === page)!;
      const commands = blocksOf(found).find(({ text }) => text.startsWith("pg_dump"))!.text;
      for (const line of commands.trim().split("\n")) {
        const [program = "", ...args] = line.split(" ");
        await runTool(program, [...at, ...args], { cwd: directory });
      }
      await using copy: PostgresStore = await open(restored);
      assert.equal((await copy.register("auditCount"))[0]?.total, 1);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "docs/authoring/references.md gives a role that reads what the query reads, and no more",
  ignore,
  async fn() {
    await using server = await PostgresServer.start();
    const ask = (text: string) => server.ask({ schema: undefined }, (it) => it.ask(text));
    await ask("CREATE TABLE plans (plan_code text, payer_id text, payer_name text, active bool)");
    await ask("INSERT INTO plans VALUES ('P', 'I', 'N', true), ('Q', 'I', 'N', false)");
    await ask("CREATE TABLE others (k text)");
    const [grants] = await sqlOf("docs/authoring/references.md");
    for (const statement of grants!) await ask(statement);
    const definition = {
      kind: "database",
      name: "payer_plans",
      refreshMs: 1,
      position: undefined,
      dialect: "postgres",
      host: "127.0.0.1",
      port: server.port,
      database: "postgres",
      auth: "sql",
      username: "mefor_reader",
      password: undefined,
      statement: "SELECT plan_code, payer_id, payer_name FROM plans WHERE active",
      keyColumn: "plan_code",
      valueColumn: undefined,
      encrypt: false,
      trustServerCertificate: false,
      tlsCaFile: undefined,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 10_000,
    } as const;
    const { signal } = new AbortController();
    assert.deepEqual(await readPostgres(definition, signal), [
      ["P", { payer_id: "I", payer_name: "N" }],
    ]);
    await assert.rejects(readPostgres({ ...definition, statement: "TABLE others" }, signal), {
      code: "reference.query_refused",
    });
  },
});
