// Goal: `serve` with its store in a SQL Server, over TLS, under the permissions that follow from the
// settings: the library asks for nothing beyond the server's host and port; nor does it for a reference
// set. The server is a stand-in.
import assert from "node:assert/strict";
import { Authority, textsOf } from "../../connectors/certificates.ts";
import { MllpSender } from "../../connectors/mllp_sender.ts";
import { freePort } from "../../connectors/waiting.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { standIn } from "../../store/sqlserver/stand_in.ts";
import { TdsServer } from "../../store/sqlserver/tds_server.ts";
import { admission, answered } from "../../walk/bench.ts";
import { graphText, Served, tempDir } from "../program.ts";

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

Deno.test({
  name: "serve keeps a message in a SQL Server, and reaches nothing but that server",
  ignore: !hasPostgres(),
  async fn() {
    await using dir = await tempDir();
    await using secrets = await tempDir();
    const authority = await Authority.create(secrets.path);
    const identity = await textsOf(await authority.issue("server"));
    await using behind = await PostgresServer.start();
    await using tds = new TdsServer(standIn(behind), identity);
    const port = await freePort();
    await dir.write("graph/adt.ts", graphText({ port, partnerPort: await freePort() }));
    await dir.write(
      "messagefoundry.toml",
      `[store]\nbackend = "sqlserver"\nserver = "localhost"\nport = ${tds.port}\n` +
        `database = "engine"\nusername = "mefor_service"\ntls_ca_file = "${authority.file}"\n` +
        `path = "${dir.path}/mf.db"\n` +
        "[api]\nport = 0\n",
    );
    const args = ["--project-root", dir.path, "--env", "dev"];
    const env = { MEFOR_STORE_PASSWORD: "open sesame" };
    await using served = new Served(args, { flags: launcherFlags, env });
    const flags = await served.line(/^engine permissions: /);
    assert.ok(flags.includes(`localhost:${tds.port}`), flags);
    assert.ok(flags.includes(authority.file), flags);
    await served.line(/engine\.started /);
    using sender = await MllpSender.connect(port);
    sender.send(admission("S1"));
    const [reply] = await sender.waitForReplies(1, 20_000);
    assert.equal(answered(reply!).code, "AA");
    assert.deepEqual(new Set(tds.logins.map(({ user }) => user)), new Set(["mefor_service"]));
    assert.equal(await served.stop(), 0);
    assert.ok(!served.text.includes("open sesame"));
    const found = await behind.ask(
      { schema: "engine" },
      async (connection) => (await connection.ask("SELECT control_id, status FROM messages")).rows,
    );
    assert.deepEqual(found.map(({ control_id }) => control_id), ["S1"]);
  },
});

Deno.test("serve reads a set from a SQL Server, and reaches nothing but that server", async () => {
  await using dir = await tempDir();
  await using secrets = await tempDir();
  const authority = await Authority.create(secrets.path);
  const identity = await textsOf(await authority.issue("server", "DNS:localhost"));
  const open = () => ({
    ask: ({ text }: { readonly text: string }) =>
      Promise.resolve(text.startsWith("SELECT") ? { rows: [{ k: "P" }, { k: "Q" }] } : {}),
    act: () => Promise.resolve(),
  });
  await using tds = new TdsServer({ open }, identity);
  await dir.write(
    "graph/plans.ts",
    `import { databaseRef, env, reference } from "messagefoundry";
     reference("plans", {
       source: databaseRef({
         server: "localhost", port: ${tds.port}, database: "Master", username: "mefor_reader",
         password: env("word"), tlsCaFile: "${authority.file}",
         statement: "SELECT k FROM dbo.plans", keyColumn: "k",
       }),
     });`,
  );
  await dir.write("graph/adt.ts", graphText({ port: await freePort() }));
  await dir.write("environments/dev.toml", "");
  await dir.write(
    "messagefoundry.toml",
    `[store]\npath = "${dir.path}/mf.db"\n[api]\nport = 0\n`,
  );
  const args = ["--project-root", dir.path, "--env", "dev"];
  const env = { MEFOR_VALUE_WORD: "CANARY" };
  await using served = new Served(args, { flags: launcherFlags, env });
  const flags = await served.line(/^engine permissions: /);
  assert.match(flags, new RegExp(`--allow-net=\\S*localhost:${tds.port}`));
  assert.ok(flags.includes(authority.file), flags);
  await served.line(/reference\.synced .*set=plans/);
  await served.line(/engine\.started/);
  assert.deepEqual(new Set(tds.logins.map(({ user }) => user)), new Set(["mefor_reader"]));
  assert.equal(await served.stop(), 0);
  assert.doesNotMatch(served.text, /CANARY/);
});
