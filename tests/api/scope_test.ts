import assert from "node:assert/strict";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

// Goal: whoever is held to some inbounds sees and acts on nothing else, and fields with patient data
// are for who may see them.

const OUTSIDE = ["IB_OTHER"];

async function opened() {
  const bench = await ApiBench.open({ settings: unlimited });
  bench.lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("L1", "X2");
  await bench.walk.disposition("L1", "error");
  await bench.walk.disposition("X2", "error");
  return bench;
}

Deno.test("a scope hides other inbounds, their messages, dead letters and events, and every outbound", async () => {
  await using bench = await opened();
  const { id } = await bench.walk.message("L1");
  const roles = ["operator", "deployment"];
  const inside = await ApiClient.of(bench, "inside", { roles, scope: '["IB_ADT"]' });
  const outside = await ApiClient.of(bench, "outside", { roles, scope: JSON.stringify(OUTSIDE) });
  const everywhere = await ApiClient.of(bench, "everywhere", { roles });

  const count = async (client: ApiClient, path: string) => {
    const { json, status, text } = await client.get(path);
    assert.equal(status, 200, text);
    return Array.isArray(json) ? json.length : Number(json.total);
  };
  for (const [path, all] of [["/messages", 2], ["/dead-letters", 1]] as const) {
    assert.equal(await count(everywhere, path), all, path);
    assert.equal(await count(inside, path), all, path);
    assert.equal(await count(outside, path), 0, path);
    assert.equal(await count(outside, `${path}?channel_id=IB_ADT`), 0, path);
  }
  assert.equal(await count(inside, "/channels"), 1);
  assert.equal(await count(outside, "/channels"), 0);
  const rows = async (client: ApiClient) =>
    [...(await client.get("/connections")).json].map(({ role }) => role);
  assert.ok((await rows(everywhere)).includes("destination" as never));
  assert.deepEqual(await rows(inside), ["source"]);
  assert.deepEqual(await rows(outside), []);
  const events = [...(await inside.get("/events")).json];
  assert.ok(events.length > 0 && events.every(({ connection }) => `${connection}` === "IB_ADT"));
  assert.equal(await count(outside, "/events"), 0);

  const search = async (client: ApiClient) =>
    Number((await client.get("/messages/search?content=msh")).json.scanned);
  assert.deepEqual([await search(inside), await search(outside)], [2, 0]);

  for (const path of [`/messages/${id}`, `/messages/${id}/outbound`, `/messages/${id}/responses`]) {
    assert.equal((await inside.get(path)).status, 200);
    const hidden = await outside.get(path);
    const missing = await outside.get(path.replace(id, "f".repeat(32)));
    assert.deepEqual([hidden.status, hidden.text], [404, missing.text], path);
  }
  assert.equal((await outside.post(`/messages/${id}/replay`)).status, 404);
  const denials: [method: string, path: string, body?: unknown][] = [
    ["GET", "/events?connection=IB_ADT"],
    ["GET", "/connections/IB_ADT/events"],
    ["GET", "/connections/IB_ADT/metadata"],
    ["POST", "/connections/IB_ADT/stop"],
    ["POST", "/connections/IB_ADT/start"],
    ["POST", "/connections/IB_ADT/restart"],
    ["POST", "/connections/IB_ADT/test"],
    ["POST", "/connections/NONE/stop"],
    ["POST", "/dead-letters/replay", {}],
    ["POST", "/dead-letters/replay", { channel_id: "IB_ADT" }],
    ["POST", "/statistics/reset", { all: true }],
    ["POST", "/statistics/reset", { targets: [{ role: "source", channel_id: "IB_ADT" }] }],
  ];
  for (const [method, path, body] of denials) {
    const answer = await outside.once(method, path, body);
    assert.equal(answer.status, 403, `${method} ${path} ${answer.text}`);
  }
  const shared: [method: string, path: string, body?: unknown][] = [
    ["GET", "/connections/OB_LAB/metadata"],
    ["GET", "/connections/OB_LAB/events"],
    ["POST", "/connections/OB_LAB/stop"],
    ["POST", "/connections/OB_LAB/test"],
    ["POST", "/connections/OB_LAB/purge"],
    ["POST", "/statistics/reset", {
      targets: [{ role: "destination", channel_id: "IB_ADT", destination: "OB_LAB" }],
    }],
  ];
  for (const [method, path, body] of shared) {
    assert.equal((await inside.once(method, path, body)).status, 403, `${method} ${path}`);
  }
  assert.equal((await inside.get("/connections/IB_ADT/metadata")).status, 200);
  assert.equal((await bench.walk.engine.pipeline.inbounds.get("IB_ADT"))?.state, "running");
  assert.equal((await inside.post("/dead-letters/replay", { channel_id: "IB_ADT" })).status, 200);
  assert.equal((await inside.get("/stats")).status, 200, "figures are for all");

  const audit = await bench.walk.engine.store.register("auditNewest", 1000);
  const denied = audit.filter(({ action }) => action === "auth.channel_denied");
  assert.equal(denied.filter(({ actor }) => actor === "outside").length, denials.length + 4);
  assert.equal(denied.filter(({ actor }) => actor === "inside").length, shared.length);
  assert.equal(denied.at(-1)?.detail, '{"channel":"IB_ADT"}');
  const ofAll = denied.filter(({ detail }) => detail === '{"channel":null}');
  assert.ok(ofAll.length > 0, "what was asked of every channel says so");
  assert.ok(denied.every(({ detail }) => typeof detail === "string"));
});

Deno.test("summaries and errors are null without the permission, and looking at none is no access", async () => {
  await using bench = await opened();
  const { id } = await bench.walk.message("L1");
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const raw = { display_name: "Raw", permissions: ["messages:read", "messages:view_raw"] };
  const role = (await root.post("/roles/custom", raw)).json;
  const viewer = await ApiClient.of(bench, "viewer", { roles: [String(role.id)] });
  const operator = await ApiClient.of(bench, "operator", { roles: ["operator"] });
  const gated = async (client: ApiClient) => {
    const list = (await client.get("/messages")).json.messages!;
    const found = (await client.get("/messages/search?content=msh")).json.messages!;
    const dead = (await client.get("/dead-letters")).json.dead_letters!;
    const one = (await client.get(`/messages/${id}`)).json;
    return [
      ...[...list].map(({ error }) => error),
      ...[...found].map(({ error }) => error),
      ...[...dead].map(({ last_error }) => last_error),
      one.error,
      ...[...one.outbox!].map(({ last_error }) => last_error),
      ...[...one.events!].map(({ detail }) => detail).filter((detail) => detail !== null),
    ];
  };
  const shown = await gated(operator);
  assert.ok(shown.length >= 5 && shown.every((text) => typeof text === "string"), String(shown));
  assert.ok((await gated(viewer)).every((text) => text === null));
  assert.match(String((await viewer.get(`/messages/${id}`)).json.raw), /^MSH\|/);
  await bench.walk.engine.summaryAccess.flush();
  const audit = await bench.walk.engine.store.register("auditNewest", 1000);
  const accesses = audit.filter(({ action }) => action === "summary_access");
  assert.deepEqual([...new Set(accesses.map(({ actor }) => actor))], ["operator"]);
});

Deno.test("alerts of other connections are neither seen nor acted on", async () => {
  await using bench = await opened();
  const { engine } = bench.walk;
  for (const connection of ["IB_ADT", "OB_LAB"]) {
    engine.alerts.raise({ type: "connection_stopped", connection, code: "Error", row: 1 });
  }
  const roles = ["operator"];
  const inside = await ApiClient.of(bench, "inside", { roles, scope: '["IB_ADT"]' });
  const everywhere = await ApiClient.of(bench, "everywhere", { roles });
  const alerts = async (client: ApiClient) => {
    const { json } = await client.get("/alerts/active");
    return [...json.alerts!] as unknown as { id: number; connection: string }[];
  };
  let all = await alerts(everywhere);
  for (let turn = 0; all.length < 2 && turn < 200; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    all = await alerts(everywhere);
  }
  assert.deepEqual(all.map(({ connection }) => connection).toSorted(), ["IB_ADT", "OB_LAB"]);
  assert.deepEqual((await alerts(inside)).map(({ connection }) => connection), ["IB_ADT"]);
  const idOf = (name: string) => all.find(({ connection }) => connection === name)!.id;
  for (const act of ["ack", "resolve"]) {
    const hidden = await inside.post(`/alerts/${idOf("OB_LAB")}/${act}`);
    const missing = await inside.post(`/alerts/99999/${act}`);
    assert.deepEqual([hidden.status, hidden.text], [404, missing.text]);
    assert.equal((await inside.post(`/alerts/${idOf("IB_ADT")}/${act}`)).status, 200);
  }
  const rows = await engine.store.register("auditNewest", 100);
  const denied = rows.filter(({ action }) => action === "auth.channel_denied");
  assert.equal(denied.length, 2);
});
