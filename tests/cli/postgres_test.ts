// Goal: what works on the store from the console works on one that is on a server too, beside engines
// that run, and under permissions no wider than the settings ask for.
import assert from "node:assert/strict";
import { verifyServerAudit } from "../../src/audit/mod.ts";
import { besideServerFlags } from "../../src/cli/beside_server.ts";
import { findAnchor } from "../../src/cli/anchor.ts";
import { type CellKeys, keyIdOf } from "../../src/crypto/keys.ts";
import { postgres } from "../../src/store/postgres/dialect.ts";
import { openServerAuditRows } from "../../src/store/server/audit_rows.ts";
import type { ServerOptions } from "../../src/store/server/dialect.ts";
import { seedUser } from "../auth/bench.ts";
import { PostgresServer, test } from "../maintenance/one_server.ts";
import { StoreBench } from "../contract/store/bench.ts";
import { otherKeys, rotatedKeys, testKeys } from "../store/ciphers.ts";
import { openStore } from "../store/postgres/bench.ts";
import { Authority, textsOf } from "../connectors/certificates.ts";
import { freePort } from "../connectors/waiting.ts";
import {
  graphText,
  offlineFlags,
  type Ran,
  root,
  run,
  type RunOptions,
  Served,
  tempDir,
} from "./program.ts";

/** As `deno task messagefoundry` is run. */
const flags = [...offlineFlags, "--allow-write", `--allow-run=${Deno.execPath()}`];
const key = { MEFOR_STORE_ENCRYPTION_KEY: testKeys.active.toBase64() };

/** Settings that name a schema of its own, and commands run with them. */
async function place(server: PostgresServer, parts: Partial<ServerOptions> = {}) {
  const dir = await tempDir();
  const options = server.options(parts);
  const settings = `${dir.path}/messagefoundry.toml`;
  await dir.write(
    "messagefoundry.toml",
    `[store]\nbackend = "postgres"\nserver = "127.0.0.1"\nport = ${options.port}\n` +
      `database = "${options.database}"\nusername = "${options.user}"\nencrypt = false\n` +
      `db_schema = "${options.schema}"\n`,
  );
  const call = (args: readonly string[], rest: RunOptions = {}): Promise<Ran> =>
    run([...args, "--service-config", settings], { flags, ...rest });
  const done = async (args: readonly string[], env: RunOptions["env"] = {}) => {
    const { code, out, err } = await call([...args, "--json"], { env });
    assert.deepEqual([code, err], [0, ""], out);
    return JSON.parse(out);
  };
  return { options, settings, call, done, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

async function auditOf(options: ServerOptions, keys?: CellKeys) {
  await using log = await openServerAuditRows(postgres, options, keys);
  const rows = [];
  for await (const row of log.rows()) rows.push(row);
  await using again = await openServerAuditRows(postgres, options, keys);
  return { rows, verdict: await verifyServerAudit(again.rows(), again.key) };
}

test("admin lets people in again beside an engine that writes, in one chain", async (server) => {
  await using here = await place(server);
  await using store = await openStore(here.options, { keys: testKeys });
  await seedUser(store, "root", { roles: ["administrator"] });
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n++) {
      const row = { at: n, actor: "ann", action: "message_view", channel: null, detail: null };
      await store.submit({ kind: "register", changes: [], audit: [row] });
    }
  })();
  const reset = await here.done(["admin", "reset-password", "root"], key);
  assert.equal(reset.username, "root");
  assert.ok(reset.temp_password.length >= 16);
  assert.deepEqual(await here.done(["admin", "clear-mfa", "root"], key), {
    op: "clear-mfa",
    username: "root",
  });
  await here.done(["admin", "create", "eve", "--role", "operator"], key);
  isOver = true;
  await writing;
  const listed = await here.done(["admin", "list"], key);
  assert.deepEqual(
    listed.map((one: Record<string, unknown>) => [one.username, one.roles, one.mfa_enabled]),
    [["eve", ["operator"], false], ["root", ["administrator"], false]],
  );
  const { rows, verdict } = await auditOf(here.options, testKeys);
  assert.equal(verdict.ok, true, JSON.stringify(verdict));
  assert.ok(rows.every(({ isKeyed }) => isKeyed));
  const acts = rows.filter(({ actor }) => actor.startsWith("console"));
  assert.deepEqual(acts.map(({ action }) => action), [
    "auth.password_reset",
    "auth.mfa_reset",
    "user.created",
  ]);
  if (Deno.uid() === 0) assert.ok(acts.every(({ actor }) => actor === "console:root"));
  const [first, last] = [rows.indexOf(acts[0]!), rows.indexOf(acts.at(-1)!)];
  assert.ok(rows.slice(first, last).some(({ actor }) => actor === "ann"), "they wrote at once");
  assert.ok(!JSON.stringify(rows).includes(reset.temp_password));
  assert.equal((await store.checkIntegrity()).detail, "ok");

  const whole = await here.call(["audit-verify"], { env: key });
  assert.deepEqual([whole.code, whole.err], [0, ""]);
  assert.match(whole.out, new RegExp(`^OK: ${rows.length} rows, newest hash [0-9a-f]{64}\n$`));
  await server.ask(here.options, (it) => it.ask("UPDATE audit_log SET actor = 'x' WHERE id = 2"));
  const broken = await here.call(["audit-verify"], { env: key });
  assert.deepEqual([broken.code, broken.err], [1, ""]);
});

test("admin refuses what it cannot work on, and makes nothing", async (server) => {
  await using here = await place(server);
  const list = (rest: RunOptions = {}, ...more: string[]) =>
    here.call(["admin", "list", ...more], rest);
  const none = await list();
  assert.deepEqual([none.code, none.out], [2, ""]);
  assert.match(
    none.err,
    /Cannot find a store in "postgres", schema "store_\d+"\nhint: Name it with/,
  );
  const found = await server.ask(
    { schema: undefined },
    (it) => it.ask("SELECT 1 FROM pg_namespace WHERE nspname = $1", [here.options.schema!]),
  );
  assert.equal(found.rows.length, 0, "no schema is made");

  await (await openStore(here.options, { keys: testKeys }))[Symbol.asyncDispose]();
  const file = await list({}, "--db", "x.db");
  assert.equal(file.code, 2);
  assert.match(file.err, /Cannot take --db: \[store\] backend is "postgres"/);
  const alone = await list({ flags: [...offlineFlags, "--allow-write"] });
  assert.equal(alone.code, 2);
  assert.match(alone.err, /this process may not\nhint: .* --allow-net=127\.0\.0\.1:\d+/);
  const other = { MEFOR_STORE_ENCRYPTION_KEY: otherKeys.active.toBase64() };
  for (const env of [undefined, other]) {
    const keyless = await list({ env });
    assert.equal(keyless.code, 2);
    assert.match(keyless.err, /cells sealed with key "\w+", which is not configured/);
  }
  const change = (version: number) =>
    server.ask(
      here.options,
      (it) => it.ask("UPDATE store_meta SET schema_version = schema_version + $1", [version]),
    );
  await change(-1);
  assert.match(
    (await list({ env: key })).err,
    /is of an older engine\nhint: Start the engine of th/,
  );
  await change(2);
  assert.match((await list({ env: key })).err, /is newer than this program's/);
  await change(-1);
  const known = await list({ env: key });
  assert.deepEqual([known.code, known.out], [0, "There are no accounts\n"]);
});

// Goal: a kill at any point loses nothing, and the next run finishes, beside an engine all the time.
test("rotate-key seals a store on a server anew, and survives being killed", async (server) => {
  await using here = await place(server);
  const bodies = Array.from({ length: 40 }, (_, index) => `CANARYbody ${index}`);
  await using bench = await StoreBench.open({
    name: "PostgreSQL:",
    open: (now) => openStore(here.options, { now, keys: testKeys }),
    reopen: () => Promise.reject(new Error("Not here")),
    remove: () => Promise.resolve(),
  });
  for (const raw of bodies) await bench.receiveCold({ raw });
  await bench.store[Symbol.asyncDispose]();
  const [oldId, newId] = [testKeys, rotatedKeys].map(({ active }) => keyIdOf(active));
  const both = {
    MEFOR_STORE_ENCRYPTION_KEY: rotatedKeys.active.toBase64(),
    MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: testKeys.active.toBase64(),
  };
  const early = await here.call(["rotate-key"], { env: key });
  assert.deepEqual([early.code, early.err], [0, ""]);
  assert.match(early.out, /^OK: 0 values sealed/);
  const none = await here.call(["rotate-key"]);
  assert.equal(none.code, 2);
  assert.match(none.err, /there is no active key/);

  await using engine = await openStore(here.options, { keys: rotatedKeys, isShared: true });
  const swapped = {
    MEFOR_STORE_ENCRYPTION_KEY: both.MEFOR_STORE_ENCRYPTION_KEYS_RETIRED,
    MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: both.MEFOR_STORE_ENCRYPTION_KEY,
  };
  const refused = await here.call(["rotate-key"], { env: swapped });
  assert.equal(refused.code, 2);
  assert.match(refused.err, /a running engine seals with key "\w+", not with "\w+"\nhint: Restart/);
  for (const point of ["before_commit@1", "after_commit@1", "before_finish@1"]) {
    const env = { ...both, MEFOR_FAILPOINTS: `reseal.${point}` };
    const killed = await here.call(["rotate-key", "--json"], { env });
    assert.deepEqual([killed.code, killed.out], [1, ""], point);
  }
  const report = await here.done(["rotate-key"], both);
  assert.deepEqual([report.key_id, report.retired_may_go, report.beside_engine], [
    newId,
    [oldId],
    true,
  ]);
  await engine[Symbol.asyncDispose]();
  await using after = await openStore(here.options, { keys: otherKeys });
  const found = await after.messageBodies({}, { before: undefined, limit: 100 });
  assert.deepEqual(found.map(({ raw }) => raw).reverse(), bodies);
});

// Goal: the launcher's permissions are enough for the store's server and for a reference set over TLS.
test("serve keeps its store on a server and reads a set from it, under derived permissions", async () => {
  await using dir = await tempDir();
  await using certificates = await tempDir();
  const authority = await Authority.create(certificates.path);
  const identity = await textsOf(await authority.issue("db", "DNS:localhost"));
  await using server = await PostgresServer.start({ tls: identity });
  await server.ask({ schema: undefined }, (it) => it.ask("CREATE TABLE plans AS SELECT 'P' AS k"));
  await dir.write(
    "graph/plans.ts",
    `import { databaseRef, env, reference } from "messagefoundry";
     reference("plans", {
       source: databaseRef({
         dialect: "postgres", server: "localhost", port: ${server.port}, database: "postgres",
         username: "postgres", password: env("word"), tlsCaFile: "${authority.file}",
         statement: "TABLE plans", keyColumn: "k",
       }),
     });`,
  );
  await dir.write("graph/adt.ts", graphText({ port: await freePort() }));
  await dir.write("environments/dev.toml", "");
  await dir.write(
    "messagefoundry.toml",
    `[api]\nport = 0\n[engine]\ndata_dir = "${dir.path}/data"\n` +
      `[store]\nbackend = "postgres"\nserver = "localhost"\nport = ${server.port}\n` +
      `database = "postgres"\nusername = "postgres"\ndb_schema = "engine"\n` +
      `tls_ca_file = "${authority.file}"\n`,
  );
  const env = { MEFOR_VALUE_WORD: "CANARY" };
  const launcher = [...offlineFlags, `--allow-run=${Deno.execPath()}`];
  const args = ["--project-root", dir.path, "--env", "dev"];
  await using served = new Served(args, { flags: launcher, env });
  const flags = await served.line(/^engine permissions: /);
  assert.match(flags, new RegExp(`--allow-net=\\S*localhost:${server.port}`));
  assert.ok(flags.includes(authority.file));
  await served.line(/reference\.synced .*set=plans/);
  await served.line(/engine\.started/);
  assert.equal(await served.stop(), 0);
  assert.doesNotMatch(served.text, /CANARY/);
});

test("a server that is away or refuses the sign-in is said", async (server) => {
  await using here = await place(server, { user: "nobody" });
  const refused = await here.call(["admin", "list"]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /refuses the sign-in\nhint: .*MEFOR_STORE_PASSWORD/);
  const verify = await here.call(["audit-verify"]);
  assert.deepEqual([verify.code, verify.out], [2, ""]);
});

Deno.test("such a command may reach the store's server, and nothing else", async () => {
  await using dir = await tempDir();
  await dir.write("ca.pem", "");
  await dir.write(
    "messagefoundry.toml",
    `[store]\nbackend = "postgres"\nserver = "db.internal"\ndatabase = "mf"\n` +
      `tls_ca_file = "${dir.path}/ca.pem"\n[api]\nport = 9000\n`,
  );
  const options = { config: ".", serviceConfig: `${dir.path}/messagefoundry.toml` };
  const given = await besideServerFlags(await findAnchor({ options, env: {} }));
  const [net, deny, read] = ["allow-net", "deny-net", "allow-read"].map((name) =>
    given.filter((flag) => flag.startsWith(`--${name}=`))
  );
  assert.deepEqual(net, ["--allow-net=db.internal:5432"]);
  assert.match(deny!.join(), /169\.254/);
  assert.deepEqual(read, [
    `--allow-read=${root}/src,${dir.path}/messagefoundry.toml,${dir.path}/ca.pem,/etc/passwd`,
  ]);
  assert.ok(!given.some((flag) => /^--allow-(write|run|ffi|all)/.test(flag)), given.join(" "));
  assert.ok(given.includes("--allow-sys=uid") && given.includes("--ignore-env"));
});
