// Goal: over a database server the API answers as over a file: no value is too large for it, a standby
// counts what the leader has, and while the server is away clients are told so, but by those routes that
// need no store.
// Method: a real PostgreSQL server, that is killed and started again; two engines in one process.
import assert from "node:assert/strict";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { type RunningApi, startApi } from "../../src/api/mod.ts";
import { eventually, freePort, until } from "../connectors/waiting.ts";
import { admission, Walk } from "../walk/bench.ts";
import { ApiBench, type Json } from "./bench.ts";
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
    assert.equal((await client.get("/status")).json.db!.synchronous, null, "is a setting of files");
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
    for (const since of ["9999999999999", "999999999999999.999999999", "1e300"]) {
      assert.deepEqual(await bench.get(`/events?since=${since}`), []);
    }
  },
});

Deno.test({
  name: "a standby counts what waits as the leader does, and says that nothing runs on it",
  ignore,
  async fn() {
    await using server = await PostgresServer.start();
    const port = await freePort();
    const graph = `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const away = outbound("OB_AWAY", mllp({ host: "127.0.0.1", port: ${await freePort()} }));
      const pass = handler("pass", (msg) => send(away, msg));
      inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => pass) });
    `;
    const settings = storeOf(server) + "[cluster]\nenabled = true\n";
    await using leader = await Walk.open({ graph, settings });
    await until(() => leader.engine.cluster?.isServing === true, "a leader");
    await using standby = await Walk.open({ graph, settings });
    const local = { host: "127.0.0.1", port: 0 };
    await using ofLeader = await startApi(leader.engine, local);
    await using ofStandby = await startApi(standby.engine, local);

    for (const [api, running] of [[ofLeader, true], [ofStandby, false]] as const) {
      for (const name of ["IB_ADT", "OB_AWAY"]) {
        const { json } = await bodyOf(api, `/connections/${name}/metadata`);
        assert.equal(json.running, running, name);
      }
    }

    await leader.engine.pipeline.outbounds.get("OB_AWAY")!.pause();
    await leader.exchange(port, admission("L1"));
    const waiting = async (api: RunningApi) => {
      const { outbox_by_status, in_pipeline } = (await bodyOf(api, "/stats")).json;
      return { outbox_by_status, in_pipeline };
    };
    const isWaiting = async () => Number((await waiting(ofLeader)).outbox_by_status!.pending) === 1;
    await eventually(isWaiting, "a delivery that waits");

    const wanted = { outbox_by_status: { pending: 1 }, in_pipeline: 1 };
    assert.deepEqual([await waiting(ofLeader), await waiting(ofStandby)], [wanted, wanted]);
    const { engine } = (await bodyOf(ofStandby, "/status")).json;
    assert.deepEqual(engine!.outbox_by_status, wanted.outbox_by_status);
    const { text } = await bodyOf(ofStandby, "/metrics");
    assert.match(text, /^messagefoundry_outbox_status\{status="pending"\} 1$/m);
    assert.match(text, /^messagefoundry_in_pipeline 1$/m);
  },
});

async function bodyOf({ port }: RunningApi, path: string): Promise<{ json: Json; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return { text, json: path === "/metrics" ? undefined as unknown as Json : JSON.parse(text) };
}
