import assert from "node:assert/strict";
import fc from "fast-check";
import type { SecurityNotice } from "../../src/auth/mod.ts";
import { codeAt, PASSWORD, seedUser } from "../auth/bench.ts";
import { ShiftedClock } from "../auth/shifted_clock.ts";
import { ApiBench, type Json } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

// Goal: existing clients sign in, prove themselves when asked, and change what is theirs.

Deno.test("a client signs in, steps up, enrols a factor, is asked for it, and changes its password", async () => {
  const clock = new ShiftedClock();
  await using bench = await ApiBench.open({ settings: unlimited, clock });
  assert.deepEqual(await bench.get("/auth/providers"), { local: true, ad: false, kerberos: false });
  const client = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const login = await client.signIn();
  assert.deepEqual(Object.keys(login.json), [
    ...["token", "token_type", "must_change_password", "mfa_required", "user"],
  ]);
  assert.deepEqual([login.json.token_type, login.json.mfa_required], ["bearer", false]);
  assert.deepEqual(login.json.user, (await client.get("/auth/me")).json);
  assert.deepEqual([...login.json.user!.roles!], ["administrator"]);
  assert.equal(login.json.user!.permissions!.length, 19);

  // Fresh from the sign-in the password covers sensitive acts, and then no longer.
  const role = { display_name: "Watch", permissions: ["monitoring:read"] };
  assert.equal((await client.once("POST", "/roles/custom", role)).status, 201);
  clock.pass({ seconds: 301 });
  const stale = await client.once("POST", "/roles/custom", role);
  assert.equal(stale.status, 403);
  assert.equal(stale.headers.get("x-step-up-required"), "1");
  assert.equal((await client.request("POST", "/roles/custom", role)).status, 201);
  const reauth = await client.once("POST", "/me/reauth", { password: "wrong", purpose: "x" });
  assert.deepEqual([reauth.status, typeof reauth.json.detail], [403, "string"]);

  const enrolment = await client.post("/me/mfa/enroll");
  client.secret = String(enrolment.json.secret);
  assert.match(String(enrolment.json.otpauth_uri), /^otpauth:\/\/totp\/MessageFoundry:root\?/);
  assert.equal((await client.post("/me/mfa/confirm", { code: "000000" })).status, 400);
  const confirmed = await client.post("/me/mfa/confirm", { code: client.code() });
  assert.equal(confirmed.json.recovery_codes!.length, 10);
  const { enrolled_at, ...status } = (await client.get("/me/mfa")).json;
  assert.deepEqual(status, {
    enabled: true,
    recovery_codes_remaining: 10,
    required: false,
    webauthn_enrolled: false,
  });
  assert.ok(Math.abs(Number(enrolled_at) - clock.now() / 1e3) < 60);

  clock.pass({ seconds: 30 });
  const second = await client.signIn();
  assert.equal(second.json.mfa_required, true);
  const wanted = await client.once("POST", "/roles/custom", role);
  assert.deepEqual([wanted.status, wanted.headers.get("x-mfa-required")], [403, "1"]);
  assert.equal(wanted.headers.get("x-step-up-required"), null);
  assert.match(String(wanted.json.detail), /multi-factor verification/);
  assert.equal((await client.once("POST", "/auth/mfa-verify", { code: "1" })).status, 401);
  assert.equal((await client.request("POST", "/roles/custom", role)).status, 201);
  assert.equal((await client.once("DELETE", "/me/mfa")).status, 200);

  const short = await client.once("POST", "/me/password", {
    current_password: PASSWORD,
    new_password: "password",
  });
  assert.equal(short.status, 400);
  assert.match(
    String(short.json.detail),
    /^password must have at least 15 characters; not be a common/,
  );
  const mistaken = { current_password: "x", new_password: "sixteen silver sparrows" };
  assert.equal((await client.once("POST", "/me/password", mistaken)).status, 403);
  const changed = await client.once("POST", "/me/password", {
    current_password: PASSWORD,
    new_password: "sixteen silver sparrows",
  });
  assert.equal(changed.status, 200, changed.text);
  assert.equal((await client.get("/auth/me")).status, 401, "every session has ended");
  client.password = "sixteen silver sparrows";
  await client.signIn();
  const events = (await client.get("/me/security-events?limit=5")).json.events!;
  assert.deepEqual([...events].map(({ action }) => action), [
    "auth.login_success",
    "auth.password_changed",
    "auth.reauth",
    "auth.mfa_disabled",
    "auth.mfa_verified",
  ]);
  const logout = await client.once("POST", "/auth/logout", {});
  assert.deepEqual(logout.json, { detail: "logged out" });
  assert.equal((await client.get("/auth/me")).status, 401);
});

Deno.test("an administrator makes an account, whose owner changes the password at first", async () => {
  const notices: SecurityNotice[] = [];
  await using bench = await ApiBench.open({
    settings: unlimited,
    takeNotice: (notice) => notices.push(notice),
  });
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const body = { username: "Ann", password: PASSWORD, email: "a@example.org", roles: ["viewer"] };
  const made = await root.post("/users", body);
  assert.equal(made.status, 201, made.text);
  const { id, ...summary } = made.json;
  assert.deepEqual(summary, {
    username: "Ann",
    auth_provider: "local",
    display_name: null,
    email: "a@example.org",
    disabled: false,
    roles: ["viewer"],
    channel_scope: null,
  });
  assert.equal((await root.post("/users", body)).status, 409);
  const ann = new ApiClient(bench, "ann");
  assert.equal((await ann.signIn()).json.must_change_password, true);
  assert.equal((await ann.get("/status")).status, 403);
  const change = { current_password: PASSWORD, new_password: "sixteen silver sparrows" };
  assert.equal((await ann.once("POST", "/me/password", change)).status, 200);
  ann.password = change.new_password;
  await ann.signIn();
  assert.equal((await ann.get("/status")).status, 200);

  const patch = await root.request("PATCH", `/users/${id}`, { display_name: "Ann" });
  assert.deepEqual([patch.status, typeof patch.json.detail], [200, "string"]);
  const scope = { channels: ["IB_B", "IB_A", "IB_A"] };
  assert.equal((await root.request("PUT", `/users/${id}/channel-scope`, scope)).status, 200);
  assert.deepEqual((await root.get(`/users/${id}/channel-scope`)).json, {
    channels: ["IB_A", "IB_B"],
  });
  assert.equal((await ann.get("/status")).status, 401, "its sessions have ended");
  const reset = await root.post(`/users/${id}/reset-password`);
  assert.equal(reset.json.must_change_password, true);
  ann.password = String(reset.json.temp_password);
  assert.equal((await ann.signIn()).json.must_change_password, true);
  const list = (await root.get("/users")).json;
  assert.deepEqual([...list].map(({ username }) => username), ["admin", "Ann", "root"]);
  assert.equal(list[0]!.disabled, true, "the first administrator is retired");
  const roles = (await root.get("/roles")).json;
  assert.deepEqual([...roles].map(({ builtin }) => builtin), Array(6).fill(true));
  assert.equal((await root.request("PUT", `/users/${id}/roles`, { roles: ["x"] })).status, 400);
  assert.equal((await root.request("DELETE", `/users/${id}`)).status, 200);
  assert.equal((await root.request("DELETE", `/users/${id}`)).status, 404);
  assert.deepEqual(notices.map(({ event, to }) => `${event} ${to}`), [
    "password_changed a@example.org",
    "password_reset a@example.org",
  ]);
  const { json } = await root.get("/audit?limit=1");
  const [audit] = json.entries as unknown as readonly [Json];
  assert.deepEqual(Object.keys(audit), ["ts", "actor", "action", "channel_id", "detail"]);
  assert.deepEqual([audit.action, audit.actor], ["user.deleted", "root"]);
  assert.match(String(audit.detail), /^\{"user_id":"[0-9a-f]{32}","username":"Ann"\}$/);
});

Deno.test("the version and the assistant's leave are for whoever is known", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  assert.deepEqual(await bench.get("/health"), { status: "ok", version: null });
  assert.equal((await bench.get("/ai/policy")).assist_permitted, null);
  const coder = await ApiClient.of(bench, "coder", { roles: ["coding"] });
  assert.equal(typeof (await coder.get("/health")).json.version, "string");
  assert.equal((await coder.get("/ai/policy")).json.assist_permitted, true);
  const viewer = await ApiClient.of(bench, "viewer");
  assert.equal((await viewer.get("/ai/policy")).json.assist_permitted, false);
});

// Goal: the order of refusals is the contract's (spec api §0.3), each before the ones after it.
Deno.test("what is wrong first is told first", async () => {
  const clock = new ShiftedClock();
  await using bench = await ApiBench.open({
    settings: "[auth]\nlogin_rate_limit_enabled = false\nphi_read_rate_limit_per_actor = 2\n" +
      "admin_new_ip_step_up = true\n",
    clock,
  });
  const send = (path: string, token: string | undefined, body: string) =>
    bench.request(path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body,
    });
  const fresh = await ApiClient.of(bench, "fresh", { roles: [], mustChange: true });
  const viewer = await ApiClient.of(bench, "viewer");
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const replay = "/dead-letters/replay";
  const bad = '{"channel_id": 1}';
  const malformed = await send(replay, undefined, "{");
  assert.deepEqual([malformed.status, malformed.json.detail![0]!.type], [422, "json_invalid"]);
  assert.equal((await send(replay, undefined, bad)).status, 401);
  assert.match((await send(replay, fresh.token, bad)).text, /password change/);
  assert.match((await send(replay, viewer.token, bad)).text, /permission/);
  clock.pass({ seconds: 301 });
  assert.equal((await send(replay, root.token, bad)).headers.get("x-step-up-required"), "1");
  await root.once("POST", "/me/reauth", { password: PASSWORD });
  assert.equal((await send(replay, root.token, bad)).status, 422);

  // The limit of reads stands behind the permission, and in front of the input.
  const auditor = await ApiClient.of(bench, "auditor", { roles: ["auditor"] });
  for (let n = 0; n < 5; n++) assert.equal((await auditor.get("/messages")).status, 403);
  for (let n = 0; n < 2; n++) assert.equal((await viewer.get("/messages?limit=0")).status, 422);
  const throttled = await viewer.get("/messages?limit=0");
  assert.equal(throttled.status, 429);
  assert.equal(throttled.headers.get("retry-after"), "10");
  assert.equal(typeof throttled.json.detail, "string");
  assert.equal((await root.get("/messages")).status, 200, "each user has a window");
  clock.pass({ seconds: 61 });
  assert.equal((await viewer.get("/messages")).status, 200);
});

Deno.test("sign-ins are limited by address, without a time to come back", async () => {
  const clock = new ShiftedClock();
  await using bench = await ApiBench.open({
    settings: "[auth]\nlogin_rate_limit_per_ip = 3\n",
    clock,
  });
  await seedUser(bench.walk.engine.store, "ann");
  const login = (password = PASSWORD) => bench.post("/auth/login", { username: "ann", password });
  const { token } = (await login()).json;
  const authorization = `Bearer ${token}`;
  const headers = { authorization, "content-type": "application/json" };
  const reauth = () =>
    bench.request("/me/reauth", { method: "POST", headers, body: `{"password":"${PASSWORD}"}` });
  assert.equal((await reauth()).status, 200);
  assert.equal((await login("x")).status, 401);
  for (const answer of [await login(), await reauth(), await bench.post("/auth/negotiate")]) {
    assert.equal(answer.status, 429);
    assert.equal(answer.headers.get("retry-after"), null);
  }
  assert.equal((await bench.request("/auth/me", { headers: { authorization } })).status, 200);
  assert.match(await bench.walk.logged("auth.login_throttled"), /client=127\.0\.0\.1/);
  clock.pass({ seconds: 61 });
  assert.equal((await login()).status, 200);
});

Deno.test("providers that are not built refuse as a wrong password does", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  await seedUser(bench.walk.engine.store, "ann");
  const login = (provider: unknown) =>
    bench.post("/auth/login", { username: "ann", password: PASSWORD, provider });
  assert.equal((await login("ad")).status, 401);
  assert.equal((await login("ldap")).status, 400);
  assert.equal((await login(7)).status, 422);
  const negotiate = (authorization?: string) =>
    bench.request("/auth/negotiate", {
      method: "POST",
      headers: authorization === undefined ? {} : { authorization },
    });
  for (const header of [undefined, "Negotiate", "Negotiate !", "Bearer YII="]) {
    assert.equal((await negotiate(header)).status, 400, header);
  }
  assert.equal((await negotiate("Negotiate YIIabc==".replace("==", "="))).status, 400);
  assert.equal((await negotiate("Negotiate YIIabcde")).status, 401);
});

// Goal: whatever a client sends to where it proves itself, the answer is a refusal of its own.
Deno.test("no token, header, type or size of a sign-in ends in 500", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  const client = await ApiClient.of(bench, "ann");
  const value = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.string({ maxLength: 40 }),
    fc.constant("\ud800"),
    fc.constant("a".repeat(2_000)),
    fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }),
    fc.object({ maxDepth: 1 }),
  );
  const routes = ["/auth/mfa-verify", "/me/reauth", "/me/mfa/confirm", "/users", "/roles/custom"];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("/auth/login", ...routes),
      fc.record(
        { username: value, provider: value, code: value, roles: value, permissions: value },
        {
          requiredKeys: [],
        },
      ),
      fc.oneof(fc.constant(client.token), fc.base64String({ maxLength: 60 })),
      async (path, body, token) => {
        const answer = await bench.request(path, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify(body),
        });
        const expected = [400, 401, 403, 422];
        assert.ok(expected.includes(answer.status), `${path} ${answer.status} ${answer.text}`);
      },
    ),
    { numRuns: 150 },
  );
  const raw = (header: string) =>
    bench.raw(`GET /auth/me HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`);
  for (
    const header of [
      `Authorization: bearer ${client.token}`,
      `Authorization: Bearer${client.token}`,
      `Authorization: Bearer ${client.token} x`,
      `Authorization: Basic ${client.token}`,
      `Cookie: mf_session=${client.token}`,
      `X-Authorization: Bearer ${client.token}`,
      `Authorization: Bearer ${"a".repeat(8_000)}`,
      "Authorization: Bearer \xff\xfe",
      "Authorization: ",
    ]
  ) {
    const { status } = await raw(header);
    assert.ok(status === 401 || status === 400 || status === 431, `${header}: ${status}`);
  }
  assert.equal((await raw(`Authorization: Bearer   ${client.token}  `)).status, 200, "trimmed");
  assert.equal((await bench.request(`/auth/me?token=${client.token}`)).status, 401);
});

// Goal: nothing a client sees tells whether a name exists. Method: status, headers and body byte by
// byte; the time it takes is the timing proof's.
Deno.test("the answer to a sign-in that fails is one and the same, whoever it is about", async () => {
  await using bench = await ApiBench.open({ settings: `${unlimited}lockout_threshold = 2\n` });
  const { store } = bench.walk.engine;
  await seedUser(store, "known");
  await seedUser(store, "locked");
  await seedUser(store, "directory", { provider: "ad" });
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const gone = await root.post("/users", { username: "gone", password: PASSWORD });
  await root.request("PATCH", `/users/${gone.json.id}`, { disabled: true });
  const login = (username: string, password = "wrong and long enough") =>
    bench.post("/auth/login", { username, password });
  for (let n = 0; n < 2; n++) await login("locked");
  const seen = new Set<string>();
  for (
    const [name, password] of [
      ["known", undefined],
      ["locked", PASSWORD],
      ["directory", PASSWORD],
      ["gone", PASSWORD],
      ["nobody", PASSWORD],
      ["", ""],
      ["nobody' OR 1=1 --", PASSWORD],
    ] as const
  ) {
    const { status, text, headers } = await login(name, password);
    const kept = [...headers].filter(([key]) => key !== "date");
    seen.add(JSON.stringify([status, text, kept]));
  }
  assert.equal(seen.size, 1, [...seen].join("\n"));
  assert.match([...seen][0]!, /^\[401,/);
});

Deno.test("a code is asked of a session, and counted for the account", async () => {
  const clock = new ShiftedClock();
  await using bench = await ApiBench.open({ settings: unlimited, clock });
  const ann = await ApiClient.of(bench, "ann");
  const { secret } = (await ann.post("/me/mfa/enroll")).json;
  assert.equal(
    (await ann.post("/me/mfa/confirm", { code: codeAt(String(secret), clock) })).status,
    200,
  );
  clock.pass({ seconds: 30 });
  await ann.signIn();
  for (let n = 0; n < 5; n++) {
    assert.equal((await ann.once("POST", "/auth/mfa-verify", { code: "000000" })).status, 401);
  }
  const right = { code: codeAt(String(secret), clock) };
  assert.equal((await ann.once("POST", "/auth/mfa-verify", right)).status, 401, "locked");
  const login = await bench.post("/auth/login", { username: "ann", password: PASSWORD });
  assert.equal(login.status, 401);
});
