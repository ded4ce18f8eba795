import assert from "node:assert/strict";
import { AuthBench, refusal } from "./bench.ts";

// Goal: a session ends when it should, everywhere at once, and not before.

Deno.test("a session ends after half an hour without a request, and after twelve hours with them", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  const idle = await bench.token("ann");
  bench.clock.pass({ minutes: 29, seconds: 50 });
  assert.ok(await bench.auth.identify(idle));
  bench.clock.pass({ minutes: 30, seconds: 1 });
  assert.equal(await bench.auth.identify(idle), undefined);
  const busy = await bench.token("ann");
  for (let minutes = 0; minutes < 12 * 60 - 20; minutes += 20) {
    bench.clock.pass({ minutes: 20 });
    assert.ok(await bench.auth.identify(busy), `after ${minutes} minutes`);
  }
  bench.clock.pass({ minutes: 20 });
  assert.equal(await bench.auth.identify(busy), undefined);
});

// Goal: "for ever", spelled as a very long time, locks nobody out.
Deno.test("sessions and locks last as long as a row can say", async () => {
  const settings = `session_absolute_hours = 9999999
session_idle_timeout_minutes = 999999999
lockout_minutes = 999999999
lockout_threshold = 1`;
  await using bench = await AuthBench.open({ settings });
  const id = await bench.user("ann");
  const token = await bench.token("ann");
  assert.ok(await bench.auth.identify(token));
  assert.equal((await bench.auth.sessions.of(id)).length, 1);
  await assert.rejects(bench.token("ann", "127.0.0.1", "another"));
  assert.ok((await bench.auth.accounts.find("ann")).lockedUntil! > bench.clock.now() * 1000);
});

Deno.test("looks in the background keep nothing alive; uses the store does not know do", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  const token = await bench.token("ann");
  bench.clock.pass({ seconds: 29 });
  assert.ok(await bench.auth.identify(token), "used, and not written");
  bench.clock.pass({ minutes: 29, seconds: 50 });
  assert.ok(await bench.auth.identify(token, false));
  bench.clock.pass({ seconds: 11 });
  assert.equal(await bench.auth.identify(token, false), undefined);
});

Deno.test("a request writes at most every half minute that the session is used", async () => {
  await using bench = await AuthBench.open();
  const id = await bench.user("ann");
  const token = await bench.token("ann");
  const lastUsed = async () => {
    const [row] = await bench.store.register("sessionsOfUser", id, 0);
    return Number(row?.last_used_at);
  };
  const opened = await lastUsed();
  bench.clock.pass({ seconds: 20 });
  await bench.auth.identify(token);
  assert.equal(await lastUsed(), opened);
  bench.clock.pass({ seconds: 20 });
  await bench.auth.identify(token);
  assert.ok(await lastUsed() >= opened + 40e6);
});

Deno.test("a clock that was set back ends the session", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  const token = await bench.token("ann");
  bench.clock.step({ minutes: -0.05 });
  assert.ok(await bench.auth.identify(token), "a correction of seconds is none");
  bench.clock.step({ minutes: -5 });
  assert.equal(await bench.auth.identify(token), undefined);
  bench.clock.step({ minutes: 6 });
  assert.equal(await bench.auth.identify(token), undefined, "for good");
});

Deno.test("a sixth session ends the oldest; 0 is no limit", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  const tokens: string[] = [];
  for (let n = 0; n < 6; n++) {
    tokens.push(await bench.token("ann"));
    bench.clock.pass({ seconds: 1 });
  }
  const live = await Promise.all(tokens.map((token) => bench.auth.identify(token)));
  assert.deepEqual(live.map(Boolean), [false, true, true, true, true, true]);
  await using endless = await AuthBench.open({ settings: "max_sessions_per_user = 0" });
  await endless.user("ann");
  const first = await endless.token("ann");
  for (let n = 0; n < 6; n++) await endless.token("ann");
  assert.ok(await endless.auth.identify(first));
});

Deno.test("one's own sessions are listed, and ended one by one or all the others", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  await bench.user("bob");
  const [here, there, third] = [
    await bench.token("ann", "10.0.0.1"),
    await bench.token("ann", "10.0.0.2"),
    await bench.token("ann", "10.0.0.3"),
  ];
  const foreign = await bench.token("bob");
  const mine = await bench.identity(here);
  bench.clock.pass({ seconds: 1 });
  await bench.identity(here);
  const listed = await bench.auth.sessions.of(mine.account.id);
  assert.deepEqual(listed.map(({ client }) => client)[0], "10.0.0.1", "used last, first");
  assert.equal(listed.length, 3);
  const { session: foreignSession } = await bench.identity(foreign);
  for (const id of [foreignSession.id, "0".repeat(64), "", "'"]) {
    assert.equal(await refusal(bench.auth.endOwnSession(mine, id)), "auth.not_found");
  }
  assert.ok(await bench.auth.identify(foreign));
  await bench.auth.endOwnSession(mine, (await bench.identity(there)).session.id);
  assert.equal(await bench.auth.identify(there), undefined);
  assert.equal(await bench.auth.endOtherSessions(mine), 1);
  assert.equal(await bench.auth.identify(third), undefined);
  await bench.auth.signOut(mine);
  assert.equal(await bench.auth.identify(here), undefined);
  const audit = (await bench.audit()).filter(([, actor]) => actor === "ann").slice(3);
  assert.deepEqual(audit.map(([action, , { scope, count }]) => [action, scope, count]), [
    ["auth.session_revoked", "self", undefined],
    ["auth.session_revoked", "self_others", 1],
    ["auth.logout", undefined, undefined],
  ]);
});

// Goal: whatever takes something from an account takes its sessions with it.
Deno.test("each act of an administrator ends the sessions it concerns, and no others", async () => {
  await using bench = await AuthBench.open();
  const admin = { name: "root", userId: await bench.user("root", { roles: ["administrator"] }) };
  const { accounts, roles } = bench.auth;
  const role = await roles.create(admin, {
    displayName: "Watch",
    description: null,
    permissions: ["monitoring:read"],
  });
  const acts: Record<string, (id: string) => Promise<unknown>> = {
    disable: (id) => accounts.update(admin, id, { isDisabled: true }),
    delete: (id) => accounts.delete(admin, id),
    roles: (id) => accounts.setRoles(admin, id, ["operator"]),
    scope: (id) => accounts.setChannelScope(admin, id, []),
    password: (id) => accounts.resetPassword(admin, id),
    factor: (id) => accounts.resetFactor(admin, id),
    sessions: (id) => accounts.endSessions(admin, id),
    "custom role": () =>
      roles.update(admin, role.id, {
        displayName: "Watch",
        description: null,
        permissions: ["audit:read"],
      }),
    "custom role gone": () => roles.delete(admin, role.id),
  };
  await bench.user("other");
  const other = await bench.token("other");
  for (const [name, act] of Object.entries(acts)) {
    const id = await bench.user(`of ${name}`, { roles: [role.id] });
    const token = await bench.token(`of ${name}`);
    await act(id);
    assert.equal(await bench.auth.identify(token), undefined, name);
  }
  assert.ok(await bench.auth.identify(other));
  await bench.auth.accounts.update(admin, admin.userId, { displayName: "R" });
});

Deno.test("what is no token is nobody's", async () => {
  await using bench = await AuthBench.open();
  await bench.user("ann");
  const token = await bench.token("ann");
  const { session } = await bench.identity(token);
  for (const no of ["", session.id, `${token}=`, token.slice(1), `${token}\0`, "a".repeat(43)]) {
    assert.equal(await bench.auth.identify(no), undefined);
  }
});

Deno.test("sessions that are over leave the store", async () => {
  await using bench = await AuthBench.open();
  const id = await bench.user("ann");
  await bench.auth.signOut(await bench.identity(await bench.token("ann")));
  await bench.token("ann");
  bench.clock.pass({ hours: 13 });
  const live = await bench.token("ann");
  await bench.auth.sessions.reap();
  const rows = await bench.store.register("sessionsOfUser", id, 0);
  assert.deepEqual(rows.map(({ token_hash }) => token_hash), [
    (await bench.identity(live)).session.id,
  ]);
});
