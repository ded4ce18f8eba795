// Goal: over a database server the API answers as over a file: no value is too large for it, and while
// the server is away clients are told so, but by those routes that need no store.
// Method: a real PostgreSQL server, that is killed and started again.
import assert from "node:assert/strict";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

const ignore = !hasPostgres();

/** Lines of `[store]`; the walk's own settings begin in that section. */
function storeOf(server: PostgresServer): string {
  return `backend = "postgres"\nserver = "127.0.0.1"\nport = ${server.port}\n` +
    `database = "postgres"\nusername = "postgres"\nencrypt = false\ndb_schema = "engine"\n` +
    `connect_timeout = 1\n`;
}

Deno.test({
  name: "while the database server is away every route that needs it is 503, and no other",
  ignore,
  async fn() {
    await using server = await PostgresServer.start();
    await using bench = await ApiBench.open({ settings: storeOf(server) + unlimited });
    const client = await ApiClient.of(bench, "root", { roles: ["administrator"] });
    await server.down("SIGKILL");
    for (const path of ["/stats", "/status", "/metrics", "/messages", "/events", "/auth/me"]) {
      const { status, json } = await client.get(path);
      assert.deepEqual([status, json], [503, { detail: "Cannot reach the database server" }], path);
    }
    const login = await bench.post("/auth/login", { username: "root", password: "x" });
    assert.equal(login.status, 503);
    // Nobody can say whose token it is, and nobody has to.
    assert.deepEqual((await client.get("/health")).json, { status: "ok", version: null });
    const policy = await client.get("/ai/policy");
    assert.deepEqual([policy.status, policy.json.assist_permitted], [200, null]);
    assert.equal((await client.get("/ready")).status, 200);
    assert.ok(!bench.walk.log.some((line) => line.includes("internal_error")));
    await server.up();
    assert.notEqual((await client.get("/health")).json.version, null);
  },
});

Deno.test({
  name: "moments later than a database server can hold are moments",
  ignore,
  async fn() {
    await using server = await PostgresServer.start();
    await using bench = await ApiBench.open({ settings: storeOf(server) });
    for (const since of ["9999999999999", "999999999999999.999999999"]) {
      assert.deepEqual(await bench.get(`/events?since=${since}`), []);
    }
  },
});
