// Goal: everything is denied that nobody has allowed: every route asks of whoever calls it what the
// contract says, for every role, for nobody, and for who has to change the password first.
// Method: the routes as they are declared (contract_test.ts holds them against the contract); every
// pair of route and role called.
import assert from "node:assert/strict";
import { Hono } from "@hono/hono";
import { allow } from "../../src/api/allow.ts";
import { accessTable, declareRoutes, type RouteAccess } from "../../src/api/app.ts";
import type { ApiContext } from "../../src/api/env.ts";
import { builtInRoles, type Permission } from "../../src/auth/mod.ts";
import { ApiBench } from "./bench.ts";
import { OPEN_WHILE_PASSWORD_IS_DUE } from "./contract.ts";
import { ApiClient, unlimited } from "./client.ts";

// Routes are declared without looking at the engine.
const declared = accessTable(declareRoutes({ engine: {} } as ApiContext).routes);

Deno.test("a route that does not say whom it is for is not served", () => {
  const good = new Hono().get("/a", allow("monitoring:read") as never, (c) => c.text("a"));
  assert.equal(accessTable(good.routes).length, 1);
  const bad = new Hono().get("/a", (c) => c.text("a"));
  assert.throws(() => accessTable(bad.routes), /Nobody says whom GET \/a is for/);
  const late = new Hono().get("/a", (c) => c.text("a"), allow("monitoring:read") as never);
  assert.throws(() => accessTable(late.routes), /Nobody says/);
});

/** What the answer may be although nothing is wrong: there is no disaster recovery site here. */
function isFault({ path }: RouteAccess, status: number): boolean {
  return status >= 500 && !(status === 503 && path.startsWith("/dr/"));
}

/** A request that changes nothing, whoever makes it: what it names is not there. */
function harmless({ method, path }: RouteAccess): { path: string; body: unknown } {
  const body = path === "/config/reload" ? { config_dir: "/not/here" } : {};
  return { path: path.replace(/:\w+/g, "none"), body: method === "GET" ? undefined : body };
}

/** What is asked of each route, by who asks. */
async function walk(ask: (route: RouteAccess) => Promise<void>): Promise<void> {
  // Signing out comes last: it ends the session that asks.
  const isLast = ({ path }: RouteAccess) => path === "/auth/logout";
  for (const route of declared.filter((route) => !isLast(route))) await ask(route);
  for (const route of declared.filter(isLast)) await ask(route);
}

const isForSessions = ({ access: { mode } }: RouteAccess) => mode !== "P" && mode !== "O";

Deno.test("every route, with no token and with every kind of wrong one", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  const tokens = [undefined, "", "Bearer", "Bearer x", `Bearer ${"a".repeat(43)}`, "Basic YTpi"];
  for (const authorization of tokens) {
    await walk(async (route) => {
      const { path, body } = harmless(route);
      const answer = await bench.request(path, {
        method: route.method,
        headers: {
          ...(authorization === undefined ? {} : { authorization }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const title = `${authorization} ${route.method} ${path}`;
      if (isForSessions(route)) {
        assert.equal(answer.status, 401, title);
        assert.equal(answer.headers.get("www-authenticate"), "Bearer", title);
        assert.equal(typeof answer.json.detail, "string", title);
      } else assert.ok(answer.status !== 401 && answer.status < 500, `${title}: ${answer.status}`);
    });
  }
  const rows = await bench.walk.engine.store.register("auditNewest", 1000);
  assert.deepEqual(
    rows.map(({ action }) => action).filter((action) => action !== "auth.bootstrap_admin_created"),
    [],
    "nobody did anything",
  );
});

for (const role of [...builtInRoles, { id: "none", permissions: [] as Permission[] }]) {
  Deno.test(`every route, as ${role.id}`, async () => {
    await using bench = await ApiBench.open({ settings: unlimited });
    const roles = role.id === "none" ? [] : [role.id];
    const client = await ApiClient.of(bench, "somebody", { roles });
    let denied = 0;
    await walk(async (route) => {
      const { path, body } = harmless(route);
      const answer = await client.once(route.method, path, body);
      const title = `${route.method} ${path}: ${answer.status} ${answer.text}`;
      const missing = route.access.permissions.filter((name) => !role.permissions.includes(name));
      assert.ok(!isFault(route, answer.status) && answer.status !== 429, title);
      if (missing.length > 0) {
        denied += 1;
        assert.equal(answer.status, 403, title);
        assert.match(String(answer.json.detail), /permission/, title);
        assert.equal(answer.headers.get("x-step-up-required"), null, title);
      } else {
        assert.ok(answer.status !== 401 || route.path === "/auth/mfa-verify", title);
        assert.doesNotMatch(answer.text, /permission "/, title);
      }
    });
    const rows = await bench.walk.engine.store.register("auditNewest", 1000);
    const noted = rows.filter(({ action }) => action === "auth.permission_denied");
    assert.equal(noted.length, denied);
    for (const { actor, detail } of noted) {
      assert.equal(actor, "somebody");
      const { permission, path, ...rest } = JSON.parse(String(detail));
      assert.ok(role.permissions.every((held) => held !== permission) && permission, permission);
      assert.ok(declared.some((route) => route.path === path), `${path} is a pattern`);
      assert.deepEqual(rest, {});
    }
    assert.equal((await client.once("GET", "/auth/me")).status, 401, "signed out at the end");
  });
}

Deno.test("every route, while the password has to be changed", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  const client = await ApiClient.of(bench, "fresh", { roles: ["administrator"], mustChange: true });
  await walk(async (route) => {
    const { path, body } = harmless(route);
    const answer = await client.once(route.method, path, body);
    const title = `${route.method} ${path}: ${answer.status}`;
    const isOpen = OPEN_WHILE_PASSWORD_IS_DUE.includes(`${route.method} ${route.path}`);
    if (isForSessions(route) && !isOpen) {
      assert.equal(answer.status, 403, title);
      assert.match(String(answer.json.detail), /password change required/, title);
    } else assert.ok(answer.status !== 403 && !isFault(route, answer.status), title);
  });
});

Deno.test("every sensitive route wants a fresh password, and nothing of it happens without", async () => {
  await using bench = await ApiBench.open({
    settings: `${unlimited}step_up_max_age_seconds = 0\n`,
  });
  const client = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  await walk(async (route) => {
    const { path, body } = harmless(route);
    const answer = await client.once(route.method, path, body);
    const title = `${route.method} ${path}: ${answer.status}`;
    const isSensitive = ["SU", "RA"].includes(route.access.mode);
    assert.equal(answer.headers.get("x-step-up-required"), isSensitive ? "1" : null, title);
    assert.equal(answer.headers.get("x-mfa-required"), null, title);
    if (!isSensitive) return;
    assert.equal(answer.status, 403, title);
    assert.match(String(answer.json.detail), /step-up re-verification/, title);
  });
});

Deno.test("every route, while nobody signs in: what needs accounts is 503, the rest is open", async () => {
  await using bench = await ApiBench.open();
  await walk(async (route) => {
    const { path, body } = harmless(route);
    const answer = await bench.request(path, {
      method: route.method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const title = `${route.method} ${path}: ${answer.status}`;
    if (route.access.needsAccounts) assert.equal(answer.status, 503, title);
    else assert.ok(!isFault(route, answer.status) && answer.status !== 401, title);
  });
  const me = await bench.get("/auth/me");
  assert.deepEqual([me.user_id, me.username, me.auth_provider], ["system", "system", "local"]);
  assert.equal(me.permissions!.length, 19);
  assert.deepEqual([...me.roles!], [
    ...["administrator", "auditor", "coding", "deployment", "operator", "viewer"],
  ]);
});
