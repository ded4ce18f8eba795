import assert from "node:assert/strict";
import type { Intent } from "../../src/store/intents.ts";
import { VERSION } from "../../src/version.ts";
import { until } from "../connectors/waiting.ts";
import { ApiBench, type Json } from "./bench.ts";

// Goal: what dashboards, load balancers and scrapers read has its shape and the right figures.

Deno.test("/health answers with the version and needs no store", async () => {
  await using bench = await ApiBench.open();
  assert.deepEqual(await bench.get("/health"), { status: "ok", version: VERSION });
});

Deno.test("/ai/policy answers with what holds, asking nobody", async () => {
  await using bench = await ApiBench.open({
    settings: '[ai]\nenvironment = "prod"\ndata_scope = "phi"\n',
  });
  const answer = await bench.request("/ai/policy");
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, {
    mode: "byo",
    data_scope: "code_only",
    environment: "prod",
    data_class: "phi",
    production: true,
    assist_permitted: true,
    reason:
      'data_scope "phi" is lowered to "code_only": production allows no more under mode "byo"',
  });
  assert.deepEqual(Object.keys(answer.json).slice(-2), ["assist_permitted", "reason"]);
  assert.equal((await bench.request("/ai/policy", { method: "POST" })).status, 405);
});

Deno.test("/stats and /status count what went through", async () => {
  await using bench = await ApiBench.open();
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, {});
  await bench.send("L1", "B2", "F3", "U4", "X5");
  await bench.walk.drained();

  const stats = await bench.get("/stats");
  const { diagnostics, ...rest } = stats as Record<string, Json>;
  assert.deepEqual(rest, {
    outbox_by_status: { done: 3 },
    in_pipeline: 0,
    empty_claims: 0,
    empty_claims_idle_poll: 0,
    empty_claims_wake_fanout: 0,
    executor_queue_depth: null,
    executor_busy: null,
  });
  for (const key of ["commits", "statements", "intents", "checkpoints", "fsyncs"]) {
    assert.equal(typeof diagnostics![key], "number", key);
  }
  assert.ok(Number(diagnostics!.commits) > 0);
  assert.deepEqual(diagnostics!.sandbox, { leaked_threads: 0 });

  const { engine, db, ...others } = await bench.get("/status") as Record<string, Json>;
  assert.deepEqual(others, { logs: null, update: null, pool: null });
  const { uptime_seconds: uptime, ...shown } = engine as Record<string, Json>;
  assert.ok(Number(uptime) > 0 && Number(uptime) < 60);
  assert.deepEqual(shown, {
    version: VERSION,
    pid: Deno.pid,
    channels_total: 1,
    channels_running: 1,
    channels_stopped: 0,
    outbox_by_status: { done: 3 },
  });
  const { size_bytes: size, events, ...fixed } = db as Record<string, Json>;
  assert.ok(Number(size) > 0);
  assert.ok(Number(events) >= 10);
  assert.deepEqual(fixed, {
    path: bench.walk.storePath,
    disk_free_bytes: null,
    journal_mode: "wal",
    messages: 5,
    audit: 0,
    synchronous: "normal",
  });
});

Deno.test("fsyncs are commits when every commit waits for the disk", async () => {
  await using bench = await ApiBench.open({ settings: 'synchronous = "full"' });
  await bench.send("L1");
  await bench.walk.drained();
  const { commits, fsyncs } = (await bench.get("/stats")).diagnostics!;
  assert.ok(Number(commits) > 0);
  assert.equal(fsyncs, commits);
});

Deno.test("/channels lists inbounds and whether they receive", async () => {
  await using bench = await ApiBench.open();
  const channel = {
    id: "IB_ADT",
    name: "IB_ADT",
    enabled: true,
    running: true,
    source_type: "mllp",
    destinations: [],
  };
  assert.deepEqual(await bench.get("/channels"), [channel]);
  await bench.post("/connections/IB_ADT/stop");
  assert.deepEqual(await bench.get("/channels"), [{ ...channel, running: false }]);
  const { engine } = await bench.get("/status");
  assert.equal(engine!.channels_stopped, 1);
});

Deno.test("/metrics counts connection events that the store did not take", async () => {
  await using bench = await ApiBench.open();
  const { store, pipeline } = bench.walk.engine;
  const submit = store.submit.bind(store);
  store.submit =
    ((intent: Intent) =>
      intent.kind === "connection_events"
        ? Promise.reject(new Error("disk full"))
        : submit(intent)) as typeof store.submit;
  await bench.send("L1");
  await bench.walk.drained();
  await pipeline.events.flush();
  const { text } = await bench.request("/metrics");
  assert.match(text, /^messagefoundry_connection_events_lost_total [1-9]\d*$/m);
});

Deno.test("/metrics is text a scraper can read, and adds up", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "L2", "B3");
  await bench.walk.drained();
  const { status, headers, text } = await bench.request("/metrics");
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const samples = new Map(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
  );
  const of = (name: string) => samples.get(`messagefoundry_${name}`);
  assert.equal(of(`build_info{version="${VERSION}"}`), 1);
  assert.equal(of('messages_received_total{connection="IB_ADT"}'), 3);
  assert.equal(of('messages_errored_total{connection="IB_ADT"}'), 0);
  const lab = 'connection="IB_ADT",destination="OB_LAB"';
  assert.equal(of(`deliveries_total{${lab}}`), 3);
  assert.equal(of(`deliveries_dead_total{${lab}}`), 0);
  assert.equal(of(`queue_depth{${lab}}`), 0);
  assert.equal(of(`oldest_pending_age_seconds{${lab}}`), 0);
  assert.equal(of('outbox_status{status="done"}'), 4);
  assert.equal(of('log_records_dropped_total{sink="stdout"}'), 0);
  assert.equal(of("connection_events_lost_total"), 0);
  assert.equal(of("in_pipeline"), 0);
  assert.equal(of(`delivery_latency_seconds_bucket{${lab},le="+Inf"}`), 3);
  assert.equal(of(`delivery_latency_seconds_count{${lab}}`), 3);
  const buckets = [...samples].filter(([name]) => name.includes(`_bucket{${lab}`));
  assert.equal(buckets.length, 13);
  assert.deepEqual(
    buckets.map(([, count]) => count),
    buckets.map(([, n]) => n).sort((a, b) => a - b),
  );
  assert.ok([...samples.values()].every(Number.isFinite));
  const named = [...text.matchAll(/^# TYPE (\S+) (gauge|counter|histogram)$/gm)];
  assert.equal(named.length, 28);
  const sent = bench.lab.received.reduce((bytes, frame) => bytes + frame.bytes.length, 0);
  assert.ok(of('bytes_out_total{connection="OB_LAB"}')! >= sent);
  assert.ok(of('bytes_in_total{connection="OB_LAB"}')! > 0 && sent > 0);
  assert.ok(of('bytes_in_total{connection="IB_ADT"}')! > 0);
  assert.equal(of('connections_open{connection="OB_LAB"}'), 1);
  assert.equal(of('connections_refused_total{connection="IB_ADT"}'), 0);
  assert.equal(of('naks_sent_total{connection="IB_ADT"}'), 0);
  assert.equal(of(`naks_received_total{${lab}}`), 0);
  assert.equal(of("retention_messages_total"), 0);
  assert.equal(of("retention_running"), 0);
});

Deno.test("a reset moves what people see and leaves the metrics alone", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "B2");
  await bench.walk.drained();
  const targets = [
    { role: "source", channel_id: "IB_ADT" },
    { role: "destination", channel_id: "IB_ADT", destination: "OB_LAB" },
    { role: "destination", channel_id: "IB_ADT", destination: "nobody" },
  ];
  const answer = await bench.post("/statistics/reset", { targets });
  assert.deepEqual([answer.status, answer.json], [200, { reset: 2 }]);
  await bench.send("L3");
  await until(() => bench.lab.received.length === 3, "the delivery");
  await bench.walk.drained();
  const rows = await bench.get("/connections");
  const figures = Object.fromEntries(
    [...rows].map((row) => [String(row.name), row.read ?? row.written]),
  );
  assert.deepEqual(figures, {
    "IB_ADT ▸ in": 1,
    "IB_ADT ▸ OB_LAB": 1,
    "IB_ADT ▸ OB_ARCHIVE": 1,
  });
  const { text } = await bench.request("/metrics");
  assert.match(text, /messages_received_total\{connection="IB_ADT"\} 3\n/);
  const all = await bench.post("/statistics/reset", { all: true });
  assert.deepEqual(all.json, { reset: 3 });
  assert.ok(
    [...await bench.get("/connections")].every((row) => Number(row.read ?? row.written) === 0),
  );
  const resets = bench.walk.auditLines("stats_reset").length;
  assert.equal((await bench.get("/status")).db!.audit as unknown, resets);
  const { actor, detail } = await bench.walk.audited("stats_reset");
  assert.deepEqual([actor, detail], ["system", { all: false, reset: 2 }]);
});
