/** `admin` as whoever stands at the machine meets it, when nobody can sign in. */
import assert from "node:assert/strict";
import { openAuditRows, verifyAudit } from "../../src/audit/mod.ts";
import { readKeys } from "../../src/crypto/keys.ts";
import { seedUser } from "../auth/bench.ts";
import { ApiBench } from "../api/bench.ts";
import { ApiClient, unlimited } from "../api/client.ts";
import { openStore } from "../store/sqlite/bench.ts";
import { otherKeys, testKeys } from "../store/ciphers.ts";
import { offlineFlags, type Ran, root, run, type RunOptions, tempDir } from "./program.ts";

const flags = [...offlineFlags, "--allow-write"];
const key = { MEFOR_STORE_ENCRYPTION_KEY: testKeys.active.toBase64() };

function admin(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return run(["admin", ...args], { flags, ...options });
}

/** The JSON of an act that went well. */
async function done(args: readonly string[], env: RunOptions["env"] = {}) {
  const { code, out, err } = await admin([...args, "--json"], { env });
  assert.deepEqual([code, err], [0, ""], out);
  return JSON.parse(out);
}

function auditOf(path: string, env: Readonly<Record<string, string>> = {}) {
  const keys = readKeys({ active: env.MEFOR_STORE_ENCRYPTION_KEY, retired: undefined });
  using log = openAuditRows(path, keys);
  const rows = [...log.rows()];
  return { rows, verdict: verifyAudit(rows, log.key) };
}

// Goal: the only administrator has lost password and phone, and is locked; the engine runs. One
// command lets them in, with a password of one use, and each act is a row of the chain that the
// engine goes on with.
Deno.test("admin lets a locked-out administrator in beside a running engine", async () => {
  await using bench = await ApiBench.open({
    settings: unlimited,
    env: key,
  });
  const client = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const enrolment = await client.post("/me/mfa/enroll");
  client.secret = String(enrolment.json.secret);
  assert.equal((await client.post("/me/mfa/confirm", { code: client.code() })).status, 200);
  const former = client.token;
  for (let n = 0; n < 5; n++) {
    await bench.post("/auth/login", { username: "root", password: "wrong" });
  }
  const { path } = bench.walk.engine.store;
  const db = ["--db", path];
  const locked = (await done(["list", ...db], key)).find((one: { username: string }) =>
    one.username === "root"
  );
  assert.deepEqual(locked, {
    username: "root",
    auth_provider: "local",
    roles: ["administrator"],
    disabled: false,
    locked: true,
    failed_attempts: 5,
    must_change_password: false,
    mfa_enabled: true,
  });

  assert.deepEqual(await done(["unlock", "ROOT", ...db], key), { op: "unlock", username: "ROOT" });
  await client.signIn();
  const reset = await done(["reset-password", "root", ...db], key);
  assert.deepEqual({ ...reset, temp_password: "" }, {
    op: "reset-password",
    username: "root",
    temp_password: "",
    must_change_password: true,
  });
  assert.deepEqual(await done(["clear-mfa", "root", ...db], key), {
    op: "clear-mfa",
    username: "root",
  });
  for (const token of [former, client.token]) {
    client.token = token;
    assert.equal((await client.once("GET", "/auth/me")).status, 401, "every session has ended");
  }
  client.password = reset.temp_password;
  const login = await client.signIn();
  assert.deepEqual([login.json.must_change_password, login.json.mfa_required], [true, false]);
  assert.match(String((await client.once("GET", "/users")).json.detail), /password change/);

  const { rows, verdict } = auditOf(path, key);
  assert.equal(verdict.ok, true);
  assert.ok(rows.every(({ isKeyed }) => isKeyed));
  const user = Deno.uid() === 0 ? "root" : undefined;
  const acts = rows.filter(({ actor }) => actor.startsWith("console"));
  assert.deepEqual(acts.map(({ action }) => action), [
    "auth.admin_unlocked",
    "auth.password_reset",
    "auth.mfa_reset",
  ]);
  for (const { actor, detail } of acts) {
    assert.match(actor, /^console:./);
    if (user !== undefined) assert.equal(actor, `console:${user}`);
    assert.match(detail!, /"username":"root"/);
  }
  const everything = [...rows.map(({ detail }) => detail), ...bench.walk.log].join("\n");
  assert.ok(!everything.includes(reset.temp_password), "the password is shown and kept nowhere");
  assert.equal(rows.at(-1)!.action, "auth.login_success", "the engine went on with the chain");
});

// Goal: the same rows whoever writes them, at once and in any order, are one chain.
Deno.test("admin and an engine that writes audit rows at once make one chain", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  await using store = await openStore(path);
  await seedUser(store, "ann", {});
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n++) {
      const row = { at: n, actor: "ann", action: "message_view", channel: null, detail: null };
      await store.submit({ kind: "register", changes: [], audit: [row] });
    }
  })();
  for (let n = 0; n < 4; n++) await done(["unlock", "ann", "--db", path]);
  isOver = true;
  await writing;
  const { rows, verdict } = auditOf(path);
  assert.equal(verdict.ok, true, JSON.stringify(verdict));
  assert.equal(rows.filter(({ action }) => action === "auth.admin_unlocked").length, 4);
  const [first, last] = [rows.findIndex(isConsole), rows.findLastIndex(isConsole)];
  assert.ok(rows.slice(first, last).some((row) => !isConsole(row)), "they did write at once");
});

function isConsole({ actor }: { readonly actor: string }): boolean {
  return actor.startsWith("console");
}

Deno.test("admin creates an administrator in a store without accounts, engine stopped", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  await (await openStore(path))[Symbol.asyncDispose]();
  const db = ["--db", path];
  const none = await admin(["list", ...db]);
  assert.deepEqual([none.code, none.out], [0, "There are no accounts\n"]);
  const { code, out } = await admin(["create", "Ann Lee", ...db]);
  assert.equal(code, 0);
  const [, password] = /^One-time password: (\S{16,})$/m.exec(out)!;
  assert.match(out, /^The account "Ann Lee" is there: administrator\.\n/);
  await done(["create", "op", "--role", "operator", "--role", "auditor", ...db]);
  assert.equal(
    (await admin(["list", ...db])).out,
    [
      "Ann Lee  administrator; must change its password",
      "op       auditor, operator; must change its password",
      "",
    ].join("\n"),
  );
  assert.notEqual(password, "");
  const files = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assert.deepEqual(files.filter((name) => name.includes("console")), [], "no file is left");
});

Deno.test("admin enables an account", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  {
    await using store = await openStore(path);
    await seedUser(store, "ann", { roles: ["administrator"] });
    const [{ id } = { id: null }] = await store.register("users");
    const change = { name: "setDisabled", values: [1, 1, id!], expect: 1 } as const;
    await store.submit({ kind: "register", changes: [change], audit: [] });
  }
  const shown = () => done(["list", "--db", path]);
  assert.equal((await shown())[0].disabled, true);
  await done(["enable", "ann", "--db", path]);
  assert.equal((await shown())[0].disabled, false);
});

// Goal: what is refused changes nothing and says what to do; 1 for an act, 2 for what cannot begin.
Deno.test("admin refuses with one sentence and a hint", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  {
    await using store = await openStore(path, { keys: testKeys });
    await seedUser(store, "ann", {});
  }
  await dir.write("theirs.db", "");
  await dir.write("note.db", "This is a note, and no database at all. ".repeat(99));
  const db = ["--db", path];
  const rows = auditOf(path, key).rows.length;
  const wrong = { MEFOR_STORE_ENCRYPTION_KEY: otherKeys.active.toBase64() };
  const cases: readonly [readonly string[], RunOptions["env"], number, RegExp][] = [
    [["list", ...db], {}, 2, /sealed with key "\w+", which is not configured\nhint: Put the key/],
    [["unlock", "ann", ...db], wrong, 2, /which is not configured/],
    [["unlock", "bob", ...db], key, 1, /No user has this name/],
    [["create", "ANN", ...db], key, 1, /This user name is taken/],
    [
      ["create", "bob", "--role", "boss", ...db],
      key,
      1,
      /There is no such role; built in are administrator, operator, .*viewer/,
    ],
    [["create", " bob", ...db], key, 1, /neither control characters nor blanks/],
    [["unlock", ...db], key, 2, /Whose account\? Name it: admin unlock <user>\nhint: /],
    [["sudo", "ann", ...db], key, 2, /No act "sudo" on accounts\nhint: There are: list, create/],
    [["list", "--db", `${dir.path}/no.db`], key, 2, /Cannot find the store ".*no\.db"\nhint: /],
    [["list", "--db", `${dir.path}/theirs.db`], key, 2, /it is no store of this engine/],
    [["list", "--db", `${dir.path}/note.db`], key, 2, /not a SQLite database: .*\nhint: Point \[/],
  ];
  for (const [args, env, expected, message] of cases) {
    const { code, out, err } = await admin(args, { env });
    assert.deepEqual([code, out], [expected, ""], `${args}: ${err}`);
    assert.match(err, message);
    const json = await admin([...args, "--json"], { env });
    assert.deepEqual([json.code, json.err], [expected, ""]);
    assert.equal(typeof JSON.parse(json.out).error, "string");
  }
  assert.equal(auditOf(path, key).rows.length, rows);
  await assert.rejects(Deno.stat(`${dir.path}/no.db`), Deno.errors.NotFound);
});

// Goal: a user whom the operating system keeps from the store is kept from it here too. Method: root
// is kept from nothing, so it asks as somebody else.
Deno.test("admin is of no use to whoever may not read the store's file", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  await (await openStore(path))[Symbol.asyncDispose]();
  const isRoot = Deno.uid() === 0;
  await Deno.chmod(dir.path, 0o755);
  if (!isRoot) await Deno.chmod(path, 0o000);
  await dir.write(
    "open.ts",
    `import { RegistersBeside } from "${root}/src/store/sqlite/registers/beside.ts";
try {
  RegistersBeside.open({ path: ${JSON.stringify(path)}, keys: undefined });
  console.log("opened");
} catch (thrown) {
  console.log(thrown.code, thrown.message);
}
`,
  );
  const cache = await Deno.makeTempDir({ prefix: "mefor_cli_cache_" });
  await Deno.chmod(cache, 0o777);
  const deno = ["run", "--no-prompt", "--no-config", "--no-check", "--allow-read", "--allow-write"];
  const whole = [Deno.execPath(), ...deno, `${dir.path}/open.ts`];
  const other = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", ...whole];
  const [program = "", ...args] = isRoot ? other : whole;
  try {
    const { stdout, stderr } = await new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1", HOME: cache, DENO_DIR: cache },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.match(text(stdout), /^store\.open_failed Cannot open the store file/, text(stderr));
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});
