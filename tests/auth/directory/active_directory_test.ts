// Goal: sign-in against a real Active Directory does what the maps say, and nothing else lets in.
// Method: Samba as a domain controller, one copy a test; the accounts over a real store.
// Needs samba (Debian: samba-ad-dc) and root; skipped aloud without them, and failed when CI=true.
import assert from "node:assert/strict";
import { realPathOf } from "../../../src/cli/paths.ts";
import { outsideOf, parsePermissionLog } from "../../../src/cli/serve/permission_log.ts";
import type { Grant } from "../../../src/cli/serve/permission_set.ts";
import { ApiBench } from "../../api/bench.ts";
import { ApiClient, unlimited } from "../../api/client.ts";
import { graphText, run, Served, tempDir } from "../../cli/program.ts";
import { Authority } from "../../connectors/certificates.ts";
import { freePort, within } from "../../connectors/waiting.ts";
import { ShiftedClock } from "../shifted_clock.ts";
import { BY, DirectoryBench, directoryEnv } from "./bench.ts";
import {
  BASE,
  Domain,
  type DomainController,
  hasDomainController,
  SERVICE,
  USERS,
} from "./domain_controller.ts";
import { Relay } from "./relay.ts";

const PASSWORD = "P@ssw0rd.of.alice";
const isHere = await hasDomainController();
let domain: Domain;

Deno.test.beforeAll(async () => {
  if (isHere) domain = await Domain.make();
});
Deno.test.afterAll(async () => {
  if (isHere) await domain[Symbol.asyncDispose]();
});

function directoryTest(
  name: string,
  fn: (controller: DomainController, open: typeof openBench) => Promise<void>,
): void {
  Deno.test(name, { ignore: !isHere }, async () => {
    await using controller = await domain.start();
    await fn(controller, openBench);
  });
}

function openBench(
  controller: { readonly url: string },
  more: Readonly<Record<string, string>> = {},
): Promise<DirectoryBench> {
  return DirectoryBench.open(directoryEnv(controller.url, {
    MEFOR_AUTH_AD_TLS_CA_CERT_FILE: domain.authority.file,
    ...more,
  }));
}

directoryTest("a user of the directory signs in by name or principal name", async (dc, open) => {
  await dc.addUser("alice", {
    password: PASSWORD,
    attributes: { mail: "alice@hospital.test", displayName: "Alice Liddell" },
  });
  await using bench = await open(dc);
  let id: string | undefined;
  for (const name of ["alice", "ALICE", "alice@ad.test", "Alice@AD.Test", " alice "]) {
    const { account, token, mfaRequired } = await bench.signIn(name, PASSWORD);
    assert.equal(account.name, "alice", name);
    assert.equal(account.provider, "ad");
    assert.equal(account.displayName, "Alice Liddell");
    assert.equal(account.email, "alice@hospital.test");
    assert.equal(account.passwordHash, null);
    assert.equal(account.mustChangePassword, false);
    assert.equal(mfaRequired, false);
    assert.equal(account.id, id ??= account.id, "one account, however the name is typed");
    const identity = await bench.auth.identify(token);
    assert.ok(identity!.session.reauthAt !== null, "the password was proved just now");
    // No group of hers is mapped.
    assert.deepEqual([...identity!.account.permissions], []);
  }
  const last = (await bench.audit()).at(-1);
  const facts = { provider: "ad", roles: [], client: "127.0.0.1" };
  assert.deepEqual(last, { action: "auth.login_success", actor: "alice", facts });
  assert.doesNotMatch(bench.log, new RegExp(PASSWORD));
});

directoryTest("whoever the directory does not vouch for is refused alike", async (dc, open) => {
  await dc.addUser("alice", { password: PASSWORD });
  await dc.addUser("carol", { password: PASSWORD, isDisabled: true });
  await using bench = await open(dc);
  const failed = "auth.login_failed";
  const facts = { provider: "ad", client: "127.0.0.1" };
  const wrong = { ...facts, reason: "bad_password" };
  const unknown = { ...facts, reason: "unknown_or_disabled" };
  for (
    const [name, password, actor, expected] of [
      ["alice", "wrong", "alice", { ...wrong, data: "52e" }],
      ["alice", PASSWORD.toLowerCase(), "alice", { ...wrong, data: "52e" }],
      // A bind with these would succeed and prove nothing.
      ["alice", "", "anonymous", wrong],
      ["alice", "\0", "anonymous", wrong],
      ["alice", `\0${PASSWORD}`, "anonymous", wrong],
      ["alice", `${PASSWORD}\0`, "anonymous", wrong],
      ["carol", PASSWORD, "anonymous", unknown],
      ["nobody", PASSWORD, "anonymous", unknown],
      ["", PASSWORD, "anonymous", unknown],
      ["", "", "anonymous", unknown],
      // Computers have accounts too.
      ["DC1$", PASSWORD, "anonymous", unknown],
    ] as const
  ) {
    const row = await bench.refused(name, password);
    assert.deepEqual(row, { action: failed, actor, facts: expected }, JSON.stringify([name]));
  }
  assert.deepEqual((await bench.auth.accounts.list()).map(({ name }) => name), ["admin"]);
  assert.deepEqual(bench.notices, []);
});

directoryTest("no sign in a name reaches the search as more than itself", async (dc, open) => {
  await dc.addUser("alice", { password: PASSWORD });
  await dc.addUser("o'hara", {
    password: PASSWORD,
    dn: `CN=O'Hara\\, Scarlett (Dr.) *\\\\,${USERS}`,
  });
  await dc.addUser("jörg", { password: PASSWORD });
  const lab = `CN=Lab\\, East (night)\\+,${USERS}`;
  await dc.addGroup("lab-east", [`CN=O'Hara\\, Scarlett (Dr.) *\\\\,${USERS}`], lab);
  await using bench = await open(dc);
  await bench.mapRoles({ "lab, east (night)+": "operator" });
  for (
    const name of [
      "*",
      "al*",
      "alice*",
      "alice)(objectClass=*",
      "*)(objectClass=*",
      "alice)(|(sAMAccountName=*",
      "\\61lice",
      "\\2a",
      "alice\\00",
      "alice\0",
      "alice\0nobody",
      "alice\r\n",
      "al\u200bice",
      "alice\u2028",
      "ADTEST\\alice",
      "ADTEST/alice",
      "alice@ad.test@ad.test",
      "alice@other.test",
      "@ad.test",
      "CN=alice,CN=Users,DC=ad,DC=test",
      `<GUID=00000000-0000-0000-0000-000000000000>`,
      "EXTERNAL",
      "a".repeat(256),
      "ａ".repeat(256),
      "\ud800",
      "__proto__",
    ]
  ) {
    const { facts } = await bench.refused(name, PASSWORD);
    assert.equal(facts.reason, "unknown_or_disabled", JSON.stringify(name));
  }
  const { account } = await bench.signIn("o'hara", PASSWORD);
  assert.equal(account.name, "o'hara");
  assert.deepEqual(account.roles, ["operator"], "the group's common name is unescaped");
  assert.equal((await bench.signIn("JÖRG", PASSWORD)).account.name, "jörg");
});

directoryTest("groups of groups give roles, when they are asked for", async (dc, open) => {
  const alice = await dc.addUser("alice", { password: PASSWORD });
  const inner = await dc.addGroup("Inner", [alice]);
  const middle = await dc.addGroup("Middle", [inner]);
  const outer = await dc.addGroup("Outer", [middle]);
  // A circle must end too.
  await dc.setMembers(inner, [alice, outer]);
  await dc.addGroup("Strangers");
  await using bench = await open(dc);
  const rolesWith = async (map: Record<string, string>, at = bench) => {
    await at.mapRoles(map);
    return (await at.signIn("alice", PASSWORD)).account.roles;
  };
  assert.deepEqual(await rolesWith({ Strangers: "administrator" }), []);
  assert.deepEqual(await rolesWith({ OUTER: "viewer" }), ["viewer"]);
  assert.deepEqual(await rolesWith({ [outer.toUpperCase()]: "auditor" }), ["auditor"]);
  assert.deepEqual(await rolesWith({ [inner]: "coding" }), ["coding"]);
  assert.deepEqual(
    await rolesWith({ inner: "coding", middle: "viewer", outer: "coding" }),
    ["coding", "viewer"],
  );
  for (
    const [key, value] of [
      ["MEFOR_AUTH_AD_USE_NESTED_GROUPS", "false"],
      ["MEFOR_AUTH_AD_GROUP_SEARCH_BASE", `OU=Domain Controllers,${BASE}`],
    ] as const
  ) {
    await using direct = await open(dc, { [key]: value });
    assert.deepEqual(await rolesWith({ inner: "coding", outer: "viewer" }, direct), ["coding"]);
  }
});

directoryTest("every sign-in makes the roles what the directory says", async (dc, open) => {
  const alice = await dc.addUser("alice", {
    password: PASSWORD,
    attributes: { mail: "alice@hospital.test" },
  });
  const nurses = await dc.addGroup("Nurses", [alice]);
  const admins = await dc.addGroup("Engine Admins");
  await using bench = await open(dc);
  await bench.mapRoles({ nurses: "viewer", "engine admins": "administrator" });
  const first = await bench.signIn("alice", PASSWORD);
  assert.deepEqual(first.account.roles, ["viewer"]);
  assert.deepEqual(bench.notices, [], "a new account is no news to its owner");
  const second = await bench.signIn("alice", PASSWORD);
  assert.ok(await bench.isLive(first.token), "nothing has changed");

  await dc.setMembers(admins, [alice]);
  const third = await bench.signIn("alice", PASSWORD);
  assert.deepEqual(third.account.roles, ["administrator", "viewer"]);
  assert.ok(third.account.permissions.has("users:manage"));
  assert.ok(await bench.isLive(third.token));
  for (const { token } of [first, second]) assert.equal(await bench.isLive(token), false);
  assert.deepEqual(bench.notices.map(({ event, to }) => [event, to]), [
    ["roles_changed", "alice@hospital.test"],
  ]);
  // The first administrator has made way for her.
  assert.equal((await bench.account("admin"))!.isDisabled, true);

  // What is another name is another group.
  await dc.rename(nurses, "Former Nurses");
  await dc.set(`CN=Former Nurses,${USERS}`, "sAMAccountName", "former-nurses");
  await dc.setMembers(admins, []);
  const fourth = await bench.signIn("alice", PASSWORD);
  assert.deepEqual(fourth.account.roles, []);
  assert.deepEqual([...fourth.account.permissions], []);
  assert.equal(await bench.isLive(third.token), false);

  const synced = (await bench.audit()).filter(({ action }) => action === "auth.ad_roles_resynced");
  assert.deepEqual(synced.map(({ actor, facts }) => [actor, facts]), [
    ["alice", { from: [], to: ["viewer"] }],
    ["alice", { from: ["viewer"], to: ["administrator", "viewer"] }],
    ["alice", { from: ["administrator", "viewer"], to: [] }],
  ]);
});

directoryTest("the scope map says which channels, but not to administrators", async (dc, open) => {
  const alice = await dc.addUser("alice", { password: PASSWORD });
  const east = await dc.addGroup("East", [alice]);
  const west = await dc.addGroup("West");
  const all = await dc.addGroup("All");
  const root = await dc.addGroup("Root");
  await using bench = await open(dc);
  await bench.mapRoles({ east: "viewer", root: "administrator" });
  await bench.mapScopes(
    ["east", "IB_B"],
    ["east", "IB_A"],
    ["west", "IB_W"],
    ["west", "IB_A"],
    ["all", "*"],
  );
  const scopeNow = async () => (await bench.signIn("alice", PASSWORD)).account.channelScope;
  assert.deepEqual(await scopeNow(), ["IB_A", "IB_B"]);
  const { token } = await bench.signIn("alice", PASSWORD);
  await dc.setMembers(west, [alice]);
  assert.deepEqual(await scopeNow(), ["IB_A", "IB_B", "IB_W"]);
  assert.equal(await bench.isLive(token), false, "another scope ends the other sessions");
  await dc.setMembers(all, [alice]);
  assert.deepEqual(await scopeNow(), null);
  await dc.setMembers(all, []);
  await dc.setMembers(west, []);
  assert.deepEqual(await scopeNow(), ["IB_A", "IB_B"]);
  // No group says anything: what was set last stays, and is never widened.
  await dc.setMembers(east, []);
  assert.deepEqual(await scopeNow(), ["IB_A", "IB_B"]);
  await dc.setMembers(west, [alice]);
  await dc.setMembers(root, [alice]);
  assert.deepEqual(await scopeNow(), null, "administrators see every channel");
  await dc.setMembers(root, []);
  await dc.setMembers(west, []);
  assert.deepEqual(await scopeNow(), ["IB_A", "IB_B"], "and leave with what they came with");
  const synced = (await bench.audit()).filter(({ action }) => action === "auth.ad_scope_resynced");
  assert.deepEqual(synced.map(({ facts }) => facts.channels), [
    ["IB_A", "IB_B"],
    ["IB_A", "IB_B", "IB_W"],
    "all",
    ["IB_A", "IB_B"],
  ]);
});

directoryTest("an account here can stand in the way", async (dc, open) => {
  const local = "a lamp beside the northern well";
  await dc.addUser("alice", { password: PASSWORD });
  await dc.addUser("bob", { password: PASSWORD });
  // Looks like "bob" to us and is another user to the directory.
  await dc.addUser("ｂob", { password: PASSWORD });
  await using bench = await open(dc);
  await bench.auth.accounts.create(BY, {
    username: "Alice",
    password: local,
    displayName: null,
    email: null,
    roles: ["administrator"],
  });
  const conflict = await bench.refused("alice", PASSWORD);
  assert.equal(conflict.action, "auth.login_failed");
  assert.equal(conflict.facts.reason, "local_account_conflict");
  assert.equal(
    (await bench.refused("alice@ad.test", PASSWORD)).facts.reason,
    conflict.facts.reason,
  );
  // Neither password opens the other's account.
  await assert.rejects(bench.auth.signIn({ username: "alice", password: PASSWORD }, undefined));
  assert.equal((await bench.refused("alice", local)).facts.reason, "bad_password");

  const { account, token } = await bench.signIn("bob", PASSWORD);
  assert.equal((await bench.refused("ｂob", PASSWORD)).facts.reason, "account_conflict");
  await assert.rejects(bench.auth.signIn({ username: "bob", password: PASSWORD }, undefined));
  await bench.auth.accounts.update(BY, account.id, { isDisabled: true });
  assert.equal(await bench.isLive(token), false);
  assert.equal((await bench.refused("bob", PASSWORD)).facts.reason, "unknown_or_disabled");
  assert.equal((await bench.account("bob"))!.isDisabled, true, "a sign-in enables nobody");
});

directoryTest("what changes in the directory counts at the next sign-in", async (dc, open) => {
  const alice = await dc.addUser("alice", {
    password: PASSWORD,
    attributes: { mail: "alice@hospital.test" },
  });
  await using bench = await open(dc);
  const { token } = await bench.signIn("alice", PASSWORD);
  const identity = (await bench.auth.identify(token))!;
  const reverify = (password: string) =>
    bench.auth.ownPassword.reverify(identity, password, "127.0.0.1");
  await reverify(PASSWORD);
  const isWrong = { code: "auth.wrong_password" };
  await assert.rejects(reverify("wrong"), isWrong);
  await assert.rejects(reverify(""), isWrong);

  const next = "An0ther.P@ssword";
  await dc.setPassword(alice, next);
  assert.equal((await bench.refused("alice", PASSWORD)).facts.reason, "bad_password");
  await assert.rejects(reverify(PASSWORD), isWrong);
  await reverify(next);
  await bench.signIn("alice", next);

  await dc.set(alice, "mail", "liddell@hospital.test");
  const { account } = await bench.signIn("alice", next);
  assert.equal(account.email, "liddell@hospital.test");
  const [notice] = bench.notices;
  assert.equal(notice!.event, "email_changed");
  assert.equal(notice!.to, "alice@hospital.test", "told where the owner used to be");

  await dc.disable(alice);
  assert.equal((await bench.refused("alice", next)).facts.reason, "unknown_or_disabled");
  await assert.rejects(reverify(next), isWrong);
  const rows = (await bench.audit()).filter(({ action }) => action === "auth.reauth");
  assert.deepEqual(rows.map(({ facts }) => facts.ok), [true, false, false, false, true, false]);
  assert.ok(rows.every(({ facts, actor }) => facts.provider === "ad" && actor === "alice"));

  await assert.rejects(
    bench.auth.ownPassword.change(identity, { current: next, next: PASSWORD }, undefined),
    { code: "auth.invalid" },
  );
  await assert.rejects(bench.auth.secondFactor.enroll(identity), { code: "auth.invalid" });
});

directoryTest("many sign-ins of one user at once make one account", async (dc, open) => {
  const alice = await dc.addUser("alice", { password: PASSWORD });
  await dc.addGroup("Nurses", [alice]);
  await using bench = await open(dc, { MEFOR_AUTH_MAX_SESSIONS_PER_USER: "0" });
  await bench.mapRoles({ nurses: "viewer" });
  const names = ["alice", "alice@ad.test", " alice", "ALICE@AD.TEST", "alice  "];
  const all = await Promise.all(names.map((name) => bench.signIn(name, PASSWORD)));
  assert.equal(new Set(all.map(({ account }) => account.id)).size, 1);
  for (const { account, token } of all) {
    assert.deepEqual(account.roles, ["viewer"]);
    assert.ok(await bench.isLive(token));
  }
});

directoryTest("a certificate that cannot be trusted ends the sign-in", async (dc, open) => {
  await dc.addUser("alice", { password: PASSWORD });
  await using dir = await tempDir();
  const other = await Authority.create(dir.path, "other-ca");
  const errorOf = async (bench: DirectoryBench) => {
    const { action, actor, facts } = await bench.refused("alice", PASSWORD);
    assert.deepEqual([action, actor], ["auth.login_error", "anonymous"]);
    return facts.error;
  };
  const caFile = "MEFOR_AUTH_AD_TLS_CA_CERT_FILE";
  {
    await using bench = await open(dc, { [caFile]: other.file });
    assert.equal(await errorOf(bench), "directory.untrusted");
    assert.match(bench.log, /auth\.directory_failed .*directory\.untrusted/);
  }
  {
    await using bench = await open(dc, { [caFile]: other.file, MEFOR_AUTH_AD_TLS_VERIFY: "false" });
    assert.match(bench.log, /auth\.directory_insecure/);
    await bench.signIn("alice", PASSWORD);
  }
  await using bench = await open(dc);
  await bench.signIn("alice", PASSWORD);
  for (
    const identity of [
      await domain.issue(dc.address, -1),
      await domain.authority.issue("elsewhere", "DNS:dc2.ad.test,IP:127.0.0.2"),
      await other.issue("dc", `IP:${dc.address}`),
    ]
  ) {
    await dc.stop();
    await dc.present(identity);
    await dc.start();
    assert.equal(await errorOf(bench), "directory.untrusted", identity.cert);
  }
  await dc.stop();
  await dc.present(await domain.issue(dc.address));
  await dc.start();
  await bench.signIn("alice", PASSWORD);
});

directoryTest("without TLS the directory takes no password, and says so", async (dc, open) => {
  await dc.addUser("alice", { password: PASSWORD });
  const url = `ldap://${dc.address}`;
  await using bench = await open({ url }, { MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP: "true" });
  assert.match(bench.log, /auth\.directory_insecure/);
  const { action, facts } = await bench.refused("alice", PASSWORD);
  assert.deepEqual([action, facts.error], ["auth.login_error", "directory.failed"]);
  // What the directory calls it: strong authentication required.
  assert.match(bench.log, /LDAP 8/);
});

directoryTest(
  "an account of the engine that the directory refuses is told apart",
  async (dc, open) => {
    await dc.addUser("alice", { password: PASSWORD });
    await using bench = await open(dc, { MEFOR_AUTH_AD_BIND_PASSWORD: "wrong" });
    const { action, facts } = await bench.refused("alice", PASSWORD);
    assert.deepEqual([action, facts.error], ["auth.login_error", "directory.service_refused"]);
    assert.doesNotMatch(bench.log, /wrong|P@ss/);
    await dc.disable(SERVICE.dn);
    await using right = await open(dc);
    assert.equal((await right.refused("alice", PASSWORD)).facts.error, "directory.service_refused");
  },
);

directoryTest(
  "a directory that is down is a refusal, and it works again when it is up",
  async (dc, open) => {
    await dc.addUser("alice", { password: PASSWORD });
    await using bench = await open(dc);
    const { token } = await bench.signIn("alice", PASSWORD);
    const identity = (await bench.auth.identify(token))!;
    await dc.stop();
    const { action, facts } = await bench.refused("alice", PASSWORD);
    assert.equal(action, "auth.login_error");
    assert.deepEqual(facts, {
      provider: "ad",
      error: "directory.unreachable",
      client: "127.0.0.1",
    });
    assert.ok(await bench.isLive(token), "whoever is signed in stays so");
    await assert.rejects(
      bench.auth.ownPassword.reverify(identity, PASSWORD, undefined),
      { code: "auth.wrong_password" },
    );
    const last = (await bench.audit()).at(-1)!;
    assert.deepEqual(last.facts, { ok: false, provider: "ad", error: "directory.unreachable" });
    await dc.start();
    await bench.signIn("alice", PASSWORD);
  },
);

directoryTest(
  "a directory that dies in the middle of a bind refuses nobody's password",
  async (dc, open) => {
    await dc.addUser("alice", { password: PASSWORD });
    // The engine's own bind is on the first connection, the user's on the second. Bytes of the client
    // after the server's greeting: the end of the handshake is short of 100, the bind is beyond.
    let greetedAt = Infinity;
    let killed: Promise<void> | undefined;
    let sentBefore = 0;
    await using relay = await Relay.start({ host: dc.address, port: 636 }, {
      onServerBytes: (connection) => {
        if (connection !== 2 || greetedAt !== Infinity) return;
        dc.freeze();
        greetedAt = sentBefore;
      },
      onClientBytes: (connection, sent) => {
        if (connection !== 2) return;
        sentBefore = sent;
        if (sent - greetedAt >= 120) killed ??= dc.stop("SIGKILL");
      },
    });
    await using bench = await open({ url: `ldaps://127.0.0.1:${relay.port}` });
    const refused = bench.refused("alice", PASSWORD);
    const { action, facts } = await within(refused, "the end of the sign-in", 20_000);
    assert.ok(killed !== undefined, "it was in the middle of a bind");
    await killed;
    assert.deepEqual([action, facts.error], ["auth.login_error", "directory.unreachable"]);
  },
);

directoryTest(
  "clients sign in through the API, step up, and manage no password of the directory",
  async (dc) => {
    const alice = await dc.addUser("alice", { password: PASSWORD });
    const admins = await dc.addGroup("Engine Admins", [alice]);
    const clock = new ShiftedClock();
    const env = directoryEnv(dc.url, { MEFOR_AUTH_AD_TLS_CA_CERT_FILE: domain.authority.file });
    await using bench = await ApiBench.open({ settings: unlimited, clock, env });
    assert.deepEqual(await bench.get("/auth/providers"), {
      local: true,
      ad: true,
      kerberos: false,
    });
    const login = (password: string, provider = "ad", username = "alice") =>
      bench.post("/auth/login", { username, password, provider });
    await bench.walk.engine.auth!.roles.setGroupRoles(BY, [
      { group: "engine admins", role: "administrator" },
    ]);

    const answer = await login(PASSWORD);
    assert.equal(answer.status, 200, answer.text);
    const { token, user, ...rest } = answer.json;
    assert.match(String(token), /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(rest, {
      token_type: "bearer",
      must_change_password: false,
      mfa_required: false,
    });
    assert.deepEqual([user!.username, user!.auth_provider], ["alice", "ad"]);
    assert.deepEqual(user!.roles, ["administrator"]);
    const client = new ApiClient(bench, "alice");
    client.token = String(token);
    client.password = PASSWORD;
    assert.deepEqual((await client.get("/auth/me")).json, user);

    // One answer to everything that is refused, the same that a local account gets.
    const refused = await login("wrong", "local", "nobody");
    for (
      const [password, provider, username] of [
        ["wrong", "ad", "alice"],
        ["", "ad", "alice"],
        ["\0", "ad", "alice"],
        [PASSWORD, "ad", "nobody"],
        [PASSWORD, "ad", "*"],
        [PASSWORD, "local", "alice"],
        [PASSWORD, "ad", "admin"],
      ] as const
    ) {
      const { status, text } = await login(password, provider, username);
      assert.deepEqual([status, text], [401, refused.text], `${provider} ${username}`);
    }
    for (const provider of ["kerberos", "AD", "", "ldap"]) {
      assert.equal((await login(PASSWORD, provider)).status, 400, provider);
    }

    clock.pass({ seconds: 301 });
    const map = { entries: [{ ad_group: "Engine Admins", role: "administrator" }] };
    const stale = await client.once("PUT", "/ad-group-map", map);
    assert.deepEqual([stale.status, stale.headers.get("x-step-up-required")], [403, "1"]);
    assert.equal((await client.once("POST", "/me/reauth", { password: "wrong" })).status, 403);
    assert.equal((await client.once("PUT", "/ad-group-map", map)).status, 403);
    assert.equal((await client.request("PUT", "/ad-group-map", map)).status, 200);

    const id = String(user!.user_id);
    for (
      const [method, path, body] of [
        ["POST", "/me/password", { current_password: PASSWORD, new_password: "x" }],
        ["POST", "/me/mfa/enroll", undefined],
        ["PUT", `/users/${id}/roles`, { roles: ["viewer"] }],
        ["POST", `/users/${id}/reset-password`, undefined],
        ["POST", `/users/${id}/reset-mfa`, undefined],
      ] as const
    ) assert.equal((await client.once(method, path, body)).status, 400, path);
    const users = (await client.get("/users")).json;
    const [summary] = [...users].filter(({ username }) => String(username) === "alice");
    assert.deepEqual([summary!.auth_provider, summary!.roles], ["ad", ["administrator"]]);
    const { events } = (await client.get("/me/security-events?limit=1000")).json;
    const actions = new Set([...events!].map(({ action }) => String(action)));
    for (const action of ["login_success", "login_failed", "reauth", "ad_roles_resynced"]) {
      assert.ok(actions.has(`auth.${action}`), action);
    }

    await dc.setMembers(admins, []);
    const lesser = await login(PASSWORD);
    assert.deepEqual(lesser.json.user!.permissions, []);
    assert.equal((await client.get("/auth/me")).status, 401, "the other session has ended");
    client.token = String(lesser.json.token);
    assert.equal((await client.get("/users")).status, 403);

    await dc.stop();
    const down = await login(PASSWORD);
    assert.deepEqual([down.status, down.text], [401, refused.text]);
  },
);

directoryTest("serve reaches the directory under the permissions it derives", async (dc) => {
  await dc.addUser("alice", { password: PASSWORD });
  await using relay = await Relay.start({ host: dc.address, port: 636 }, {});
  await using dir = await tempDir();
  await dir.write("graph/adt.ts", graphText({ port: await freePort() }));
  await dir.write("messagefoundry.toml", "[api]\nport = 0\n");
  const env = directoryEnv(`ldaps://localhost:${relay.port}`, {
    MEFOR_AUTH_AD_TLS_CA_CERT_FILE: domain.authority.file,
  });
  const args = ["--project-root", dir.path, "--db", `${dir.path}/data/mf.db`, "--env", "dev"];
  await Deno.mkdir(`${dir.path}/data`);
  const derived = await run(["permissions", ...args, "--format", "json"], { env });
  const { grants } = JSON.parse(derived.out) as { grants: Grant[] };
  const log = `${dir.path}/data/permissions.jsonl`;
  await using served = new Served(args, {
    flags: [
      "--allow-read",
      "--allow-env=MEFOR_*",
      "--ignore-env",
      `--allow-run=${Deno.execPath()}`,
    ],
    env: { ...env, DENO_AUDIT_PERMISSIONS: log },
  });
  const flags = await served.line(/^engine permissions: /);
  assert.match(flags, new RegExp(`--allow-net=\\S*localhost:${relay.port}\\b`));
  assert.ok(flags.includes(domain.authority.file));
  const started = await served.line(/engine\.started api=http:\/\/127\.0\.0\.1:\d+/);
  const login = async (password: string) => {
    const response = await fetch(`${/http:\S+/.exec(started)}/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: "alice", password, provider: "ad" }),
    });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await login(PASSWORD), 200, served.text);
  assert.equal(await login("wrong"), 401);
  assert.equal(await served.stop(), 0);
  assert.doesNotMatch(served.text, /directory_failed|P@ss|Serv1ce/);
  const requests = parsePermissionLog(await Deno.readTextFile(log));
  assert.deepEqual(
    outsideOf(grants, { log: requests, realPathOf }),
    [],
    "nothing else is asked for",
  );
});
