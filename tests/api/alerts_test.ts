// Goal: whoever looks sees which alerts are live, and what they do about one is kept and audited.
import assert from "node:assert/strict";
import { pause } from "../connectors/waiting.ts";
import { Receiver } from "../alerts/receiver.ts";
import { ApiBench, type Json } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

const settings = `[delivery]
buildup_max_oldest_seconds = 0
buildup_max_depth = 1
retry_backoff_seconds = 60
`;

/** Waits for a list of live alerts that `fits`. */
async function live(bench: ApiBench, fits: (alerts: Json) => boolean): Promise<Json> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const { alerts } = await bench.get("/alerts/active");
    if (fits(alerts!)) return alerts!;
    assert.ok(
      performance.now() < deadline,
      `waited for alerts, there are ${JSON.stringify(alerts)}`,
    );
    await pause(50);
  }
}

Deno.test("an alert is seen, acknowledged and resolved, each with its row in the audit log", async () => {
  await using bench = await ApiBench.open({ settings });
  assert.deepEqual(await bench.get("/alerts/active"), { alerts: [] });
  bench.lab.otherwise = { do: "ack", code: "AE" };
  await bench.send("L1");
  const [alert] = await live(bench, ({ length }) => length === 1) as unknown as [Json];
  const { id, first_seen, last_seen, count, ...rest } = alert as unknown as Record<string, unknown>;
  assert.deepEqual(rest, {
    event_type: "queue_buildup",
    connection: "OB_LAB",
    severity: "warning",
    status: "open",
    reason: rest.reason,
    acked_by: null,
    acked_at: null,
    resolved_at: null,
  });
  assert.match(String(rest.reason), /^1 rows wait, the oldest for \d+(\.\d)? s$/);
  assert.ok(Number.isInteger(id) && Number(count) >= 1);
  assert.ok(Math.abs(Number(last_seen) - Date.now() / 1000) < 60);
  assert.ok(Number(first_seen) <= Number(last_seen));
  const active = async () =>
    (await bench.get("/connections")).map((row) => [row.name, row.alerts_active]);
  assert.deepEqual(await active(), [["IB_ADT ▸ in", 0], ["IB_ADT ▸ OB_LAB", 1]]);

  const acked = await bench.post(`/alerts/${id}/ack`);
  assert.equal(acked.status, 200);
  assert.deepEqual([acked.json.status, acked.json.acked_by, acked.json.resolved_at], [
    "acknowledged",
    "system",
    null,
  ]);
  assert.equal(typeof acked.json.acked_at, "number");
  assert.deepEqual(await active(), [["IB_ADT ▸ in", 0], ["IB_ADT ▸ OB_LAB", 0]]);
  assert.equal((await bench.get("/alerts/active")).alerts!.length, 1, "acknowledged is not over");

  // Its cause goes on, so resolving it makes room for another.
  const resolved = await bench.post(`/alerts/${id}/resolve`);
  assert.deepEqual([resolved.status, resolved.json.status, resolved.json.acked_by], [
    200,
    "resolved",
    "system",
  ]);
  const [again] = await live(
    bench,
    (alerts) => alerts.length === 1 && alerts[0]!.id !== id,
  ) as unknown as [Json];
  assert.equal(again.status, "open");

  for (const act of ["ack", "resolve"]) {
    const gone = await bench.post(`/alerts/${id}/${act}`);
    assert.deepEqual([gone.status, gone.json.detail], [404, "No live alert has this id"]);
    assert.equal((await bench.post(`/alerts/999999/${act}`)).status, 404);
    for (const bad of ["x", "1.5", "0", "-1", "9".repeat(40)]) {
      const invalid = await bench.post(`/alerts/${bad}/${act}`);
      assert.equal(invalid.status, 422, bad);
      assert.deepEqual(invalid.json.detail![0]!.loc, ["path", "alert_id"]);
    }
  }
  const rows = await bench.walk.engine.store.register("auditNewest", 100);
  assert.deepEqual(
    rows.filter(({ action }) => String(action).startsWith("alert_"))
      .map(({ actor, action, detail }) => [actor, action, detail]),
    [
      ["system", "alert_resolve", `{"alert_id":${id}}`],
      ["system", "alert_ack", `{"alert_id":${id}}`],
    ],
  );
});

Deno.test("live alerts come last seen first, as many as asked for, and outlive a restart", async () => {
  await using bench = await ApiBench.open();
  const { alerts } = bench.walk.engine;
  for (const connection of ["A", "B", "C"]) {
    alerts.raise({ type: "connection_stopped", connection, code: "TypeError", row: 7 });
    await live(bench, ({ length }) => length === "ABC".indexOf(connection) + 1);
  }
  const names = (list: Json) => list.map(({ connection }) => connection);
  assert.deepEqual(names((await bench.get("/alerts/active?limit=2")).alerts!), ["C", "B"]);
  for (const limit of ["0", "1001", "x"]) {
    assert.equal((await bench.request(`/alerts/active?limit=${limit}`)).status, 422);
  }
  // Counted although nobody has waited for it to be written.
  alerts.raise({ type: "connection_stopped", connection: "A", code: "TypeError", row: 8 });
  await bench.restart();
  const list = (await bench.get("/alerts/active")).alerts!;
  assert.deepEqual(list.map(({ connection, count, reason }) => [connection, count, reason]), [
    ["A", 2, "stopped at row 8: TypeError"],
    ["C", 1, "stopped at row 7: TypeError"],
    ["B", 1, "stopped at row 7: TypeError"],
  ]);
});

Deno.test("/alerts/rules shows the rules, and no address, recipient or secret", async () => {
  await using bench = await ApiBench.open({
    settings: `[alerts]
webhook_url = "https://hooks.example.com/services/SECRETtoken"
email_smtp_host = "smtp.example.com"
email_from = "sender@example.com"
email_to = ["one@example.com", "two@example.com"]
email_username = "SECRETuser"
smtp_allowed_hosts = ["smtp.example.com"]
realert_seconds = 120

[[alerts.rules]]
event_type = "queue_buildup"
connection = "OB_*"
min_depth = 1000
severity = "critical"
transports = ["webhook"]
cooldown_seconds = 60

[[alerts.rules]]
transports = []
`,
  });
  const { text, json } = await bench.request("/alerts/rules");
  assert.deepEqual(json, {
    webhook_configured: true,
    webhook_timeout: 10,
    webhook_allowed_hosts: [],
    email_configured: true,
    email_smtp_port: 587,
    email_use_tls: true,
    email_recipient_count: 2,
    smtp_allowed_hosts: ["smtp.example.com"],
    realert_seconds: 120,
    rules: [
      {
        event_type: "queue_buildup",
        connection: "OB_*",
        min_depth: 1000,
        min_oldest_seconds: null,
        severity: "critical",
        transports: ["webhook"],
        cooldown_seconds: 60,
      },
      {
        event_type: "any",
        connection: "*",
        min_depth: null,
        min_oldest_seconds: null,
        severity: "warning",
        transports: [],
        cooldown_seconds: null,
      },
    ],
  });
  assert.doesNotMatch(text, /SECRET|one@|sender@|hooks\./);
});

// Goal: a source that cannot listen is told of, once as far as people are concerned.
Deno.test("a connection that cannot start is an alert with its code", async () => {
  await using receiver = await Receiver.start();
  await using bench = await ApiBench.open({
    settings: `[alerts]\nwebhook_url = "${receiver.url()}"\n`,
  });
  await bench.post("/connections/IB_ADT/stop");
  using _taken = Deno.listen({ hostname: "127.0.0.1", port: bench.inboundPort });
  assert.equal((await bench.post("/connections/IB_ADT/start")).status, 409);
  const [told] = await receiver.requests(1);
  const metrics = await bench.request("/metrics");
  assert.match(
    metrics.text,
    /^messagefoundry_alert_notices_lost_total\{transport="webhook"\} 0$/m,
  );
  const { ts, ...facts } = told!.body;
  assert.deepEqual(facts, {
    type: "connection_stopped",
    connection: "IB_ADT",
    detail: "stopped: connector.bind_in_use",
    severity: "warning",
  });
  assert.equal(typeof ts, "number");
  await bench.post("/connections/IB_ADT/stop");
});

// Goal: a foreign alert is as one that is not there, and whoever looked for it is written down.
Deno.test("whoever is held to inbounds sees and acts on their alerts alone", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  const roles = ["operator", "deployment"];
  const inside = await ApiClient.of(bench, "inside", { roles, scope: '["IB_ADT"]' });
  const everywhere = await ApiClient.of(bench, "everywhere", { roles });
  const { alerts, store } = bench.walk.engine;
  for (const connection of ["IB_ADT", "OB_LAB", "api"]) {
    alerts.raise({ type: "connection_stopped", connection, code: "TypeError", row: 1 });
  }
  const deadline = performance.now() + 10_000;
  while ((await store.register("alertsLive", 10)).length < 3) {
    assert.ok(performance.now() < deadline, "waited for three alerts");
    await pause(10);
  }
  const seen = async (
    client: ApiClient,
    query = "",
  ) => [...(await client.get(`/alerts/active${query}`)).json.alerts!];
  assert.equal((await seen(everywhere)).length, 3);
  const own = await seen(inside, "?limit=1");
  assert.deepEqual(own.map(({ connection }) => connection), ["IB_ADT"]);
  const rows = [...(await inside.get("/connections")).json];
  assert.deepEqual(rows.map(({ name, alerts_active }) => [name, alerts_active]), [
    ["IB_ADT ▸ in", 1],
  ]);
  const foreign = (await seen(everywhere)).find(({ connection }) => `${connection}` === "OB_LAB")!;
  for (const act of ["ack", "resolve"]) {
    const hidden = await inside.post(`/alerts/${foreign.id}/${act}`);
    const missing = await inside.post(`/alerts/9999/${act}`);
    assert.deepEqual([hidden.status, hidden.text], [404, missing.text]);
    assert.equal((await inside.post(`/alerts/${own[0]!.id}/${act}`)).status, 200);
  }
  assert.deepEqual((await seen(everywhere)).map(({ status }) => status), ["open", "open"]);
  const audit = await store.register("auditNewest", 100);
  const denied = audit.filter(({ action }) => action === "auth.channel_denied");
  assert.deepEqual(denied.map(({ actor, detail }) => [actor, detail]), [
    ["inside", '{"channel":"OB_LAB"}'],
    ["inside", '{"channel":"OB_LAB"}'],
  ]);
});
