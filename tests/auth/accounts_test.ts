import assert from "node:assert/strict";
import { nameKey, permissions } from "../../src/auth/mod.ts";
import { builtInRoles, isGrantable, permissionsOf } from "../../src/auth/permissions.ts";
import { AuthBench, PASSWORD, refusal } from "./bench.ts";

// Goal: administrators keep accounts and roles, and cannot shut everybody out.

const draft = { displayName: "Watch", description: null, permissions: ["monitoring:read"] };

async function openWithAdmin(settings?: string) {
  const bench = await AuthBench.open({ settings });
  const userId = await bench.user("root", { roles: ["administrator"] });
  // The unclaimed first one would count as an administrator that is left.
  await bench.auth.afterNewAdministrator();
  return { bench, admin: { name: "root", userId } };
}

Deno.test("the built-in roles are those of the contract", () => {
  const table = Object.fromEntries(
    builtInRoles.map(({ id, permissions }) => [id, permissions.length]),
  );
  assert.deepEqual(table, {
    administrator: 19,
    operator: 9,
    deployment: 4,
    coding: 4,
    viewer: 2,
    auditor: 2,
  });
  assert.equal(new Set(permissions).size, 19);
  for (const { permissions } of builtInRoles) assert.ok(permissions.includes("monitoring:read"));
});

Deno.test("roles add up; what is unknown, or may not be granted, grants nothing", () => {
  assert.deepEqual([...permissionsOf([], [])], []);
  assert.deepEqual([...permissionsOf(["root", "__proto__", "constructor"], [])], []);
  assert.deepEqual(
    [...permissionsOf(["viewer"], ["audit:read", "users:manage", "approvals:approve", "all", ""])]
      .sort(),
    ["audit:read", "messages:read", "monitoring:read"],
  );
  const never = permissions.filter((permission) => !isGrantable(permission));
  assert.deepEqual(never, ["dr:operate", "users:manage", "approvals:approve"]);
});

Deno.test("a new account keeps the policy, has a name of its own, and must change its password", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const create = (username: string, password = PASSWORD, roles = ["viewer"]) =>
    bench.auth.accounts.create(admin, {
      username,
      password,
      displayName: null,
      email: null,
      roles,
    });
  const made = await create("Ann", PASSWORD, ["viewer", "operator", "viewer"]);
  assert.deepEqual([made.roles, made.mustChangePassword], [["operator", "viewer"], true]);
  assert.equal(await refusal(create("aNN")), "auth.conflict");
  assert.equal(await refusal(create("ＡＮＮ")), "auth.conflict", "the same letters, wider");
  assert.equal(await refusal(create("bob", "short")), "auth.password_policy");
  assert.equal(await refusal(create("bob", PASSWORD, ["king"])), "auth.invalid");
  for (const name of ["", " bob", "bob ", "b\nob", "b\u0000ob", "b\u202eob"]) {
    assert.equal(await refusal(create(name)), "auth.invalid", JSON.stringify(name));
  }
  for (const name of ["system", "Local", "anonymous", "bootstrap", "console", "Console:root"]) {
    assert.equal(
      await refusal(create(name)),
      "auth.invalid",
      `${name} is nobody's in the audit log`,
    );
  }
  assert.equal(nameKey("Ann"), "ann");
  const [action, actor, detail] = (await bench.audit()).at(-1)!;
  assert.deepEqual([action, actor, detail], [
    "user.created",
    "root",
    { username: "Ann", roles: ["operator", "viewer"] },
  ]);
});

// Goal: one enabled administrator is always left, also when two take each other down at once.
Deno.test("nobody takes the last administrator away, and none takes away themselves", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const { accounts } = bench.auth;
  const other = await bench.user("other", { roles: ["administrator"] });
  const by = { name: "other", userId: other };
  assert.equal(await refusal(accounts.delete(admin, admin.userId)), "auth.invalid");
  assert.equal(
    await refusal(accounts.update(admin, admin.userId, { isDisabled: true })),
    "auth.invalid",
  );
  assert.equal(await refusal(accounts.resetPassword(admin, admin.userId)), "auth.invalid");
  const race = await Promise.allSettled([
    accounts.update(admin, other, { isDisabled: true }),
    accounts.update(by, admin.userId, { isDisabled: true }),
    accounts.delete(admin, other),
    accounts.setRoles(by, admin.userId, ["viewer"]),
  ]);
  assert.ok(race.some(({ status }) => status === "rejected"));
  const left = (await accounts.list()).filter(({ roles, isDisabled }) =>
    roles.includes("administrator") && !isDisabled
  );
  assert.equal(left.length, 1);
  const last = left[0]!.id;
  const nobody = { name: "x", userId: "x" };
  for (
    const act of [
      accounts.update(nobody, last, { isDisabled: true }),
      accounts.delete(nobody, last),
      accounts.setRoles(nobody, last, []),
    ]
  ) {
    assert.equal(await refusal(act), "auth.invalid");
  }
  assert.equal((await accounts.get(last)).isDisabled, false, "nothing of it was written");
});

Deno.test("an edit leaves what it does not name, null clears, and the old address is told", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const id = await bench.user("ann", { email: "old@example.org" });
  const { accounts } = bench.auth;
  await accounts.update(admin, id, { displayName: "Ann" });
  assert.equal((await accounts.get(id)).email, "old@example.org");
  await accounts.update(admin, id, { email: "new@example.org" });
  assert.deepEqual(bench.notices.map(({ event, to, newEmail }) => [event, to, newEmail]), [
    ["email_changed", "old@example.org", "new@example.org"],
  ]);
  await accounts.update(admin, id, { displayName: null, email: null });
  const { displayName, email } = await accounts.get(id);
  assert.deepEqual([displayName, email], [null, null]);
  assert.equal(await refusal(accounts.update(admin, "x", {})), "auth.not_found");
});

Deno.test("an edit at the same time takes nothing back, least of all a disabling", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const { accounts } = bench.auth;
  const id = await bench.user("ann");
  await Promise.all([
    accounts.update(admin, id, { isDisabled: true }),
    accounts.update(admin, id, { email: "ann@example.org" }),
    accounts.update(admin, id, { displayName: "Ann" }),
  ]);
  const { isDisabled, email, displayName } = await accounts.get(id);
  assert.deepEqual([isDisabled, email, displayName], [true, "ann@example.org", "Ann"]);
});

Deno.test("a reset password is new, must be changed, and ends the lock", async () => {
  const { bench, admin } = await openWithAdmin("lockout_threshold = 1");
  await using _bench = bench;
  const id = await bench.user("ann");
  await refusal(bench.auth.signIn({ username: "ann", password: "x" }, undefined));
  const password = await bench.auth.accounts.resetPassword(admin, id);
  const token = await bench.token("ann", undefined, password);
  const identity = await bench.identity(token);
  assert.equal(identity.account.mustChangePassword, true);
  assert.equal(identity.account.isUnclaimed, false);
  const { ownPassword } = bench.auth;
  const change = (current: string, next: string) =>
    refusal(ownPassword.change(identity, { current, next }, undefined));
  assert.equal(await change("wrong", PASSWORD), "auth.wrong_password");
  const guess = ["auth.reauth", "ann", { ok: false, provider: "local" }];
  assert.deepEqual((await bench.audit()).at(-1), guess, "no guess goes unseen");
  assert.equal(await change(password, password), "auth.password_policy");
  assert.equal(await change(password, "password"), "auth.password_policy");
  await ownPassword.change(identity, { current: password, next: PASSWORD }, undefined);
  assert.equal((await bench.identity(await bench.token("ann"))).account.mustChangePassword, false);
});

Deno.test("a directory's accounts keep their password, roles and factors there", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const id = await bench.user("ad", { provider: "ad" });
  const { accounts } = bench.auth;
  for (
    const act of [
      accounts.setRoles(admin, id, ["viewer"]),
      accounts.resetPassword(admin, id),
      accounts.resetFactor(admin, id),
    ]
  ) {
    assert.equal(await refusal(act), "auth.invalid");
  }
});

Deno.test("roles of one's own grant what may be granted, until they are gone", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const { roles, accounts } = bench.auth;
  for (
    const wrong of [
      [],
      ["users:manage"],
      ["monitoring:read", "approvals:approve"],
      ["dr:operate"],
      ["no:such"],
    ]
  ) {
    assert.equal(
      await refusal(roles.create(admin, { ...draft, permissions: wrong })),
      "auth.invalid",
      String(wrong),
    );
  }
  const role = await roles.create(admin, draft);
  assert.match(role.id, /^custom:[0-9a-f]{32}$/);
  const id = await bench.user("ann", { roles: [] });
  assert.equal((await accounts.get(id)).permissions.size, 0);
  await accounts.setRoles(admin, id, [role.id]);
  assert.deepEqual([...(await accounts.get(id)).permissions], ["monitoring:read"]);
  await roles.update(admin, role.id, { ...draft, permissions: ["audit:read"] });
  assert.deepEqual([...(await accounts.get(id)).permissions], ["audit:read"]);
  await roles.setGroupRoles(admin, [{ group: "g", role: role.id }]);
  await roles.delete(admin, role.id);
  const { permissions: none, roles: left } = await accounts.get(id);
  assert.deepEqual([none.size, left], [0, []]);
  assert.deepEqual(await roles.groupRoles(), []);
  assert.equal(await refusal(roles.delete(admin, role.id)), "auth.not_found");
  assert.equal(await refusal(roles.update(admin, "viewer", draft)), "auth.not_found");
});

Deno.test("a stored scope or permission that is no list shows and grants nothing", async () => {
  const { bench } = await openWithAdmin();
  await using _bench = bench;
  for (const scope of ["", "{}", '"IB_A"', "[1]", "null", "[", '{"length":1}']) {
    const id = await bench.user(`of ${scope}`, { scope });
    assert.deepEqual((await bench.auth.accounts.get(id)).channelScope, [], scope);
  }
  const admin = await bench.user("boss", { roles: ["administrator"], scope: "[]" });
  assert.equal((await bench.auth.accounts.get(admin)).channelScope, null, "they see everything");
});

Deno.test("group maps are replaced whole, trimmed and in lower case", async () => {
  const { bench, admin } = await openWithAdmin();
  await using _bench = bench;
  const { roles } = bench.auth;
  await roles.setGroupRoles(admin, [
    { group: " HL7 Admins ", role: "administrator" },
    { group: "hl7 admins", role: "administrator" },
    { group: "  ", role: "viewer" },
    { group: "A", role: "viewer" },
  ]);
  assert.deepEqual(await roles.groupRoles(), [
    { group: "a", role: "viewer" },
    { group: "hl7 admins", role: "administrator" },
  ]);
  assert.equal(
    await refusal(roles.setGroupRoles(admin, [{ group: "b", role: "king" }])),
    "auth.invalid",
  );
  assert.equal((await roles.groupRoles()).length, 2);
  await roles.setGroupScopes(admin, [{ group: "LAB", channel: "*" }]);
  assert.deepEqual(await roles.groupScopes(), [{ group: "lab", channel: "*" }]);
});
