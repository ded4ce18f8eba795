import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Auth } from "../../src/auth/mod.ts";
import { createLogger } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { AuthBench, PASSWORD, passwordHash, refusal } from "./bench.ts";
import { ShiftedClock } from "./shifted_clock.ts";

// Goal: a right password opens a session, a wrong one nothing; what fails looks the same from
// outside whoever it was about, and the audit log knows.

const wrong = (bench: AuthBench, username: string, password = "wrong and long enough") =>
  refusal(bench.auth.signIn({ username, password }, "10.0.0.9"));

Deno.test("a token opens the account, in any case of the name, and only its hash is stored", async () => {
  await using bench = await AuthBench.open();
  await bench.user("Ann", { roles: ["operator", "auditor"] });
  const { token, mfaRequired } = await bench.auth.signIn(
    { username: "aNN", password: PASSWORD },
    "10.0.0.9",
  );
  assert.match(token, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(mfaRequired, false);
  const { account, session } = await bench.identity(token);
  assert.deepEqual([account.name, account.roles], ["Ann", ["auditor", "operator"]]);
  assert.ok(account.permissions.has("audit:read") && !account.permissions.has("users:read"));
  assert.equal(session.verifiedIp, "10.0.0.9");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  assert.equal(session.id, new Uint8Array(digest).toHex());
  await bench.stop();
  for (const { name } of Deno.readDirSync(bench.dir)) {
    const bytes = Deno.readFileSync(`${bench.dir}/${name}`);
    assert.ok(!new TextDecoder("latin1").decode(bytes).includes(token), name);
  }
  await bench.start();
  assert.equal((await bench.identity(token)).account.name, "Ann", "it outlives the process");
});

Deno.test("every failure is the same refusal, and its reason stands in the audit log alone", async () => {
  await using bench = await AuthBench.open({ settings: "lockout_threshold = 2" });
  const gone = await bench.user("gone");
  await bench.user("locked");
  await bench.user("ad", { provider: "ad" });
  const admin = { name: "root", userId: "root" };
  await bench.user("root", { roles: ["administrator"] });
  await bench.auth.accounts.update(admin, gone, { isDisabled: true });
  for (let n = 0; n < 2; n++) await wrong(bench, "locked");
  for (const username of ["gone", "ad", "nobody", "", "locked"]) {
    assert.equal(await wrong(bench, username, PASSWORD), "auth.refused", username);
  }
  const rows = (await bench.audit()).slice(-7);
  assert.deepEqual(rows.map(([action, actor, { reason }]) => [action, actor, reason]), [
    ["auth.login_failed", "locked", "bad_password"],
    ["auth.login_failed", "locked", "bad_password"],
    ["auth.login_failed", "gone", "unknown_or_disabled"],
    ["auth.login_failed", "ad", "unknown_or_disabled"],
    // People type passwords where the name belongs.
    ["auth.login_failed", "anonymous", "unknown_or_disabled"],
    ["auth.login_failed", "anonymous", "unknown_or_disabled"],
    ["auth.login_locked", "locked", undefined],
  ]);
});

// Goal: no sign-in that fails is cheaper than another. Method: hashes and commits are counted; the
// time itself is measured by `timing_proof.ts`.
Deno.test("every failure costs one hash and one commit", async () => {
  await using bench = await AuthBench.open({ settings: "lockout_threshold = 2" });
  await bench.user("known");
  await bench.user("locked");
  await bench.user("directory", { provider: "ad" });
  for (let n = 0; n < 2; n++) await wrong(bench, "locked");
  const { subtle } = crypto;
  const derive = subtle.deriveBits;
  const submit = bench.store.submit;
  const costs: string[] = [];
  let commits = 0;
  subtle.deriveBits = (algorithm, ...rest) => {
    const { memory, passes, parallelism } = algorithm as unknown as Record<string, number>;
    costs.push(`${memory} ${passes} ${parallelism}`);
    return derive.call(subtle, algorithm, ...rest);
  };
  bench.store.submit = (...given) => {
    commits += 1;
    return submit.apply(bench.store, given) as never;
  };
  try {
    for (const name of ["known", "locked", "directory", "nobody"]) {
      costs.length = commits = 0;
      await wrong(bench, name);
      assert.deepEqual([costs, commits], [["65536 3 4"], 1], name);
    }
  } finally {
    subtle.deriveBits = derive;
    bench.store.submit = submit;
  }
});

Deno.test("the threshold locks for its time; what runs out begins anew, success clears", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann", { email: "ann@example.org" });
  for (let n = 0; n < 5; n++) await wrong(bench, "ann");
  assert.equal(await wrong(bench, "ann", PASSWORD), "auth.refused", "locked");
  assert.deepEqual(bench.notices.map(({ event, failures }) => [event, failures]), [
    ["account_locked", 5],
  ]);
  bench.clock.pass({ minutes: 14 });
  assert.equal(await wrong(bench, "ann", PASSWORD), "auth.refused");
  bench.clock.pass({ minutes: 1, seconds: 1 });
  for (let n = 0; n < 4; n++) await wrong(bench, "ann");
  await bench.token("ann");
  assert.deepEqual(bench.notices.at(-1)?.event, "login_after_failures");
  for (let n = 0; n < 4; n++) await wrong(bench, "ann");
  await bench.token("ann");
});

// Goal: guesses made at once are counted one by one: the lock closes after its threshold.
// Method: eight wrong passwords at the same time, then the right one.
Deno.test("guesses at once do not slip past the lock", async () => {
  await using bench = await AuthBench.open({ settings: "lockout_threshold = 3" });
  await bench.user("ann");
  await Promise.all(Array.from({ length: 8 }, () => wrong(bench, "ann")));
  assert.equal(await wrong(bench, "ann", PASSWORD), "auth.refused");
  const actions = await bench.actions();
  assert.equal(actions.filter((action) => action === "auth.login_failed").length, 3);
  assert.equal(actions.filter((action) => action === "auth.login_locked").length, 6);
});

// Method: two handles on one store are two nodes; each lets one guess at a time through.
Deno.test("guesses at two nodes at once are both counted", async () => {
  await using bench = await AuthBench.open({ settings: "lockout_threshold = 4" });
  const { store, clock, auth } = bench;
  const id = await bench.user("ann", { email: "ann@example.org" });
  const logger = createLogger({ level: "critical", sinks: [] });
  using other = await Auth.open({ settings: auth.settings, store, clock, logger });
  const guess = (node: Auth) => refusal(node.signIn({ username: "ann", password: "x" }, undefined));
  await Promise.all([auth, other].map(guess));
  assert.equal((await auth.accounts.get(id)).failedAttempts, 2);
  await Promise.all([auth, other].map(guess));
  assert.equal(await wrong(bench, "ann", PASSWORD), "auth.refused", "locked");
  const failed = (await bench.actions()).filter((action) => action === "auth.login_failed");
  assert.equal(failed.length, 4, "each has its row, once");
});

Deno.test("more than eight attempts at one name at once are sent away, known or not", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  for (const name of ["ann", "nobody"]) {
    const all = await Promise.all(Array.from({ length: 12 }, () => wrong(bench, name)));
    assert.equal(all.filter((code) => code === "auth.busy").length, 4, name);
  }
});

// Goal: an administrator who resets a password wins over a sign-in that is being checked.
// Method: the account is changed by the store while the hash runs.
Deno.test("a sign-in that was overtaken by a new password or a disabling opens nothing", async () => {
  await using bench = await AuthBench.open();
  const id = await bench.user("ann");
  const other = (await passwordHash()).replace(/.$/, (sign) => sign === "A" ? "E" : "A");
  const signIn = bench.auth.signIn({ username: "ann", password: PASSWORD }, undefined);
  const overtaken = refusal(signIn);
  await bench.store.register("userById", id);
  await bench.store.submit({
    kind: "register",
    changes: [{ name: "setPassword", values: [other, 1, 0, id], expect: 1 }],
    audit: [],
  });
  assert.equal(await overtaken, "auth.refused");
  assert.deepEqual(await bench.auth.sessions.of(id), []);
});

Deno.test("a weaker hash is made anew at the next sign-in", async () => {
  await using bench = await AuthBench.open();
  const id = await bench.user("ann");
  const weak = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$" +
    "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  await bench.store.submit({
    kind: "register",
    changes: [{ name: "setPassword", values: [weak, 1, 0, id] }],
    audit: [],
  });
  await bench.token("ann", undefined, "password");
  const [row] = await bench.store.register("userById", id);
  assert.match(String(row?.password_hash), /^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
  await bench.token("ann", undefined, "password");
});

Deno.test("the first administrator is told in a file of its owner's and taken over once", async () => {
  await using bench = await AuthBench.open();
  const file = `${bench.dir}/bootstrap-admin.txt`;
  assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
  const [, username = "", password = ""] =
    /^username: (.+)\npassword: (.+)\n$/.exec(Deno.readTextFileSync(file)) ?? [];
  assert.equal(username, "admin");
  assert.match(bench.log.join("\n"), /auth\.bootstrap_created file=\S+bootstrap-admin\.txt/);
  assert.ok(!bench.log.join("\n").includes(password));
  const signedIn = await bench.auth.signIn({ username, password }, undefined);
  assert.equal(signedIn.account.mustChangePassword, true);
  assert.deepEqual(signedIn.account.roles, ["administrator"]);
  const identity = await bench.identity(signedIn.token);
  await bench.auth.ownPassword.change(identity, { current: password, next: PASSWORD }, undefined);
  assert.equal(await bench.auth.identify(signedIn.token), undefined, "every session ends");
  // Claimed, it is an account like any other.
  bench.clock.pass({ hours: 100 });
  await bench.stop();
  await bench.start();
  assert.equal((await bench.identity(await bench.token("admin"))).account.isUnclaimed, false);
  const audit = await bench.audit();
  assert.deepEqual(audit[0], ["auth.bootstrap_admin_created", "bootstrap", {}]);
  assert.equal(audit.filter(([action]) => action.startsWith("auth.bootstrap")).length, 1);
});

Deno.test("of two nodes that make it at once, one keeps a file, and its password opens", async () => {
  const root = await Deno.makeTempDir({ prefix: "mefor_auth_" });
  const { settings } = loadSettings({ env: {} });
  const clock = new ShiftedClock();
  const path = `${root}/messagefoundry.db`;
  {
    await using store = await SqliteStore.open({ path, synchronous: "normal", now: () => 1e15 });
    const open = async (name: string) => {
      const bootstrapDir = `${root}/${name}`;
      await Deno.mkdir(bootstrapDir);
      const logger = createLogger({ level: "error", sinks: [] });
      const parts = { settings: settings.auth, store, clock, logger, takeNotice: () => {} };
      return await Auth.open({ ...parts, bootstrapDir });
    };
    const nodes = await Promise.all([open("a"), open("b")]);
    const told = ["a", "b"].flatMap((name) =>
      [...Deno.readDirSync(`${root}/${name}`)]
        .map((file) => Deno.readTextFileSync(`${root}/${name}/${file.name}`))
    );
    assert.equal(told.length, 1);
    const password = /password: (.+)/.exec(told[0]!)![1]!;
    for (const node of nodes) {
      const { account } = await node.signIn({ username: "admin", password }, undefined);
      assert.deepEqual(account.roles, ["administrator"]);
      node[Symbol.dispose]();
    }
  }
  await Deno.remove(root, { recursive: true });
});

Deno.test("unclaimed, it is retired after its time or by a second administrator", async () => {
  const passwordOf = ({ dir }: AuthBench) =>
    /password: (.+)/.exec(Deno.readTextFileSync(`${dir}/bootstrap-admin.txt`))![1]!;
  await using expired = await AuthBench.open();
  const first = passwordOf(expired);
  expired.clock.pass({ hours: 73 });
  assert.equal(await wrong(expired, "admin", first), "auth.refused");
  assert.deepEqual((await expired.audit()).at(-2), [
    "auth.bootstrap_admin_retired",
    "bootstrap",
    { reason: "expired" },
  ]);
  // Nobody could ever sign in again: whoever may restart the engine gets another one.
  await expired.stop();
  await expired.start();
  assert.notEqual(passwordOf(expired), first);
  await expired.token("admin", undefined, passwordOf(expired));

  await using superseded = await AuthBench.open();
  const token = await superseded.token("admin", undefined, passwordOf(superseded));
  await superseded.user("root", { roles: ["administrator"] });
  await superseded.auth.afterNewAdministrator();
  assert.equal(await superseded.auth.identify(token), undefined);
  assert.equal((await superseded.audit()).at(-1)?.[2].reason, "superseded");
  await superseded.stop();
  await superseded.start();
  assert.equal(await wrong(superseded, "admin", passwordOf(superseded)), "auth.refused");

  await using endless = await AuthBench.open({ settings: "bootstrap_expiry_hours = 0" });
  endless.clock.pass({ hours: 10_000 });
  await endless.token("admin", undefined, passwordOf(endless));
});

Deno.test("a file or a link that waits where the first password goes is not written through", async () => {
  await using bench = await AuthBench.open();
  await bench.stop();
  const file = `${bench.dir}/bootstrap-admin.txt`;
  Deno.removeSync(file);
  Deno.writeTextFileSync(`${bench.dir}/trap`, "untouched");
  Deno.symlinkSync(`${bench.dir}/trap`, file);
  for (const name of ["messagefoundry.db", "messagefoundry.db-wal", "messagefoundry.db-log"]) {
    try {
      Deno.removeSync(`${bench.dir}/${name}`);
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
  await bench.start();
  assert.equal(Deno.readTextFileSync(`${bench.dir}/trap`), "untouched");
  assert.equal(Deno.lstatSync(file).isSymlink, false);
});

Deno.test("a store that cannot be told of its first administrator does not open", async () => {
  await using bench = await AuthBench.open();
  await bench.stop();
  using db = new DatabaseSync(`${bench.dir}/messagefoundry.db`);
  db.exec("DELETE FROM users");
  const file = `${bench.dir}/bootstrap-admin.txt`;
  Deno.removeSync(file);
  Deno.mkdirSync(file);
  Deno.writeTextFileSync(`${file}/in the way`, "");
  assert.equal(await refusal(bench.start()), "auth.bootstrap_file");
  assert.equal(db.prepare("SELECT count(*) AS n FROM users").get()?.n, 0);
  Deno.removeSync(file, { recursive: true });
  await bench.store[Symbol.asyncDispose]();
  await bench.start();
});
