import assert from "node:assert/strict";
import { until } from "../connectors/waiting.ts";
import { admission } from "../walk/bench.ts";
import { ApiBench, type Json } from "./bench.ts";

// Goal: rows say what each connection does, and acts change exactly that.

async function rows(bench: ApiBench): Promise<Record<string, Record<string, Json>>> {
  const all = [...await bench.get("/connections")] as unknown as Record<string, Json>[];
  return Object.fromEntries(all.map((row) => [String(row.name), row]));
}

async function row(bench: ApiBench, name: string): Promise<Record<string, Json> | undefined> {
  return (await rows(bench))[name];
}

async function statusOf(bench: ApiBench, name: string, wanted: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const status = String((await row(bench, name))?.status);
    if (status === wanted) return;
    if (performance.now() > deadline) throw new Error(`"${name}" is ${status}, not ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const LAB = "IB_ADT ▸ OB_LAB";

Deno.test("/connections has a row for the inbound and for each edge that carried traffic", async () => {
  await using bench = await ApiBench.open();
  const before = await rows(bench);
  assert.deepEqual(Object.keys(before), ["IB_ADT ▸ in"]);
  assert.deepEqual(before["IB_ADT ▸ in"], {
    role: "source",
    channel_id: "IB_ADT",
    channel_name: "IB_ADT",
    destination: null,
    name: "IB_ADT ▸ in",
    status: "running",
    direction: "in",
    method: "MLLP",
    peer: null,
    port: bench.inboundPort,
    queue_depth: null,
    idle_seconds: null,
    alerts_active: 0,
    errored: 0,
    read: 0,
    written: null,
    backlog_seconds: null,
    delivered_age_seconds: null,
    simulated: null,
    paused: false,
    error: null,
  });
  await bench.send("B1");
  await bench.walk.drained();
  const after = await rows(bench);
  assert.deepEqual(Object.keys(after), ["IB_ADT ▸ in", LAB, "IB_ADT ▸ OB_ARCHIVE"]);
  assert.equal(after["IB_ADT ▸ in"]!.read, 1);
  const { idle_seconds: idle, ...lab } = after[LAB]!;
  assert.ok(Number(idle) >= 0 && Number(idle) < 10);
  assert.deepEqual(lab, {
    role: "destination",
    channel_id: "IB_ADT",
    channel_name: "IB_ADT",
    destination: "OB_LAB",
    name: LAB,
    status: "running",
    direction: "out",
    method: "MLLP",
    peer: "127.0.0.1",
    port: bench.lab.port,
    queue_depth: 0,
    alerts_active: 0,
    errored: 0,
    read: null,
    written: 1,
    backlog_seconds: 0,
    delivered_age_seconds: null,
    simulated: false,
    paused: false,
    error: null,
  });
  const archive = after["IB_ADT ▸ OB_ARCHIVE"]!;
  assert.deepEqual([archive.method, archive.port], ["File", null]);
  assert.match(String(archive.peer), /mefor_archive_/);
});

Deno.test("stopping an outbound is stopping, then stopped; its queue grows and a restart keeps it", async () => {
  await using bench = await ApiBench.open();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  bench.lab.script({ do: "ack", when: answered });
  await bench.send("L1", "L2", "L3");
  await bench.lab.waitForFrames(1);

  const stop = await bench.post("/connections/OB_LAB/stop");
  assert.deepEqual([stop.status, stop.json], [200, { name: "OB_LAB", running: false }]);
  const stopping = (await row(bench, LAB))!;
  assert.deepEqual([stopping.status, stopping.paused], ["stopping", false]);
  assert.equal((await bench.post("/connections/OB_LAB/purge")).status, 409);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { pending: 2, inflight: 1 });

  answer();
  await statusOf(bench, LAB, "stopped");
  const stopped = (await row(bench, LAB))!;
  assert.deepEqual([stopped.paused, stopped.queue_depth, stopped.written], [true, 2, 1]);
  assert.equal(stopped.backlog_seconds, 120);
  const age = Number(stopped.delivered_age_seconds);
  assert.ok(age > 0 && age < 30);
  assert.deepEqual((await bench.get("/stats")).in_pipeline, 2);

  await bench.restart();
  bench.lab.otherwise = { do: "silence" };
  await bench.lab.waitForFrames(2);
  const seeded = (await row(bench, LAB))!;
  assert.deepEqual([seeded.queue_depth, seeded.written, seeded.status], [2, 0, "running"]);
  assert.ok(Number(seeded.delivered_age_seconds) > 0);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, {
    pending: 1,
    inflight: 1,
    done: 1,
  });
  bench.lab.hangUp();
});

Deno.test("purge cancels the head or all of a stopped outbound, and every count follows", async () => {
  await using bench = await ApiBench.open();
  assert.equal((await bench.post("/connections/OB_LAB/stop")).status, 200);
  assert.equal((await row(bench, "OB_LAB ▸ out"))!.status, "stopped");
  await bench.send("L1", "L2", "L3", "B4");
  const lane = bench.walk.engine.pipeline.outbounds.get("OB_LAB")!;
  await until(() => lane.depth === 4 && bench.walk.engine.pipeline.openRows === 4, "four rows");

  assert.equal((await bench.post("/connections/OB_LAB/purge?scope=some")).status, 422);
  const top = await bench.post("/connections/OB_LAB/purge?scope=top");
  assert.deepEqual([top.status, top.json], [200, { cancelled: 1 }]);
  assert.equal((await row(bench, LAB))!.queue_depth, 3);
  assert.equal((await bench.get("/stats")).in_pipeline, 3);
  assert.equal((await bench.walk.message("L1")).rows[0]!.status, "cancelled");

  assert.deepEqual((await bench.post("/connections/OB_LAB/purge")).json, { cancelled: 3 });
  const purged = (await row(bench, LAB))!;
  assert.deepEqual([purged.queue_depth, purged.status, purged.paused], [0, "stopped", true]);
  assert.equal((await bench.get("/stats")).in_pipeline, 0);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { done: 1, cancelled: 4 });
  assert.deepEqual((await bench.post("/connections/OB_LAB/purge")).json, { cancelled: 0 });

  assert.deepEqual((await bench.post("/connections/OB_LAB/start")).json, {
    name: "OB_LAB",
    running: true,
  });
  await bench.send("L5");
  await bench.lab.waitForFrames(1);
  await bench.walk.drained();
  assert.deepEqual(bench.lab.controlIds, ["L5"], "nothing that was cancelled is sent");
  const { detail } = await bench.walk.audited("connection_purge");
  assert.deepEqual(detail, { connection: "OB_LAB", scope: "top", cancelled: 1 });
});

Deno.test("purge: unknown names are 404, inbounds too, a running outbound is 409", async () => {
  await using bench = await ApiBench.open();
  assert.equal((await bench.post("/connections/NOBODY/purge")).status, 404);
  assert.equal((await bench.post("/connections/IB_ADT/purge")).status, 404);
  const running = await bench.post("/connections/OB_LAB/purge");
  assert.equal(running.status, 409);
  assert.match(String(running.json.detail), /stopped/);
});

Deno.test("purge cancels more rows than one commit takes", async () => {
  await using bench = await ApiBench.open();
  await bench.post("/connections/OB_LAB/stop");
  const sender = await bench.walk.sender(bench.inboundPort);
  const count = 1_203;
  sender.send(...Array.from({ length: count }, (_, index) => admission(`L${index}`)));
  await sender.waitForReplies(count, 30_000);
  const { pipeline } = bench.walk.engine;
  const lane = pipeline.outbounds.get("OB_LAB")!;
  await until(() => lane.depth === count && pipeline.openRows === count, "rows", 30_000);
  assert.deepEqual((await bench.post("/connections/OB_LAB/purge")).json, { cancelled: count });
  assert.equal((await row(bench, LAB))!.queue_depth, 0);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { cancelled: count });
});

Deno.test("an inbound stops, starts and restarts; a port that is taken is 409 and shows", async () => {
  await using bench = await ApiBench.open();
  const stop = await bench.post("/connections/IB_ADT/stop");
  assert.deepEqual([stop.status, stop.json], [200, { name: "IB_ADT", running: false }]);
  assert.equal((await row(bench, "IB_ADT ▸ in"))!.status, "stopped");
  await assert.rejects(bench.walk.exchange(bench.inboundPort, "x"));

  {
    using _blocker = Deno.listen({ hostname: "127.0.0.1", port: bench.inboundPort });
    const failed = await bench.post("/connections/IB_ADT/start");
    assert.equal(failed.status, 409);
    assert.match(String(failed.json.detail), /in use/);
    const shown = (await row(bench, "IB_ADT ▸ in"))!;
    assert.equal(shown.status, "failed");
    assert.match(String(shown.error), /in use/);
    assert.equal((await bench.walk.audited("connection_start")).detail.running, false);
  }
  const starts = await Promise.all(
    ["start", "restart", "start", "restart"].map((act) => bench.post(`/connections/IB_ADT/${act}`)),
  );
  for (const { status, json } of starts) {
    assert.deepEqual([status, json], [200, { name: "IB_ADT", running: true }]);
  }
  assert.equal((await row(bench, "IB_ADT ▸ in"))!.status, "running");
  await bench.send("L1");
  await bench.walk.drained();
  assert.deepEqual(bench.lab.controlIds, ["L1"]);
});

Deno.test("an outbound that halted after an error of ours is failed until it is restarted", async () => {
  await using bench = await ApiBench.open({ labOptions: '{ internalError: "stop" }' });
  const lane = bench.walk.engine.pipeline.outbounds.get("OB_LAB")!;
  const { destination } = lane;
  lane.destination = {
    counters: destination.counters,
    send: () => Promise.reject(new TypeError("value of PID-5")),
    probe: (signal) => destination.probe(signal),
    close: () => destination.close(),
  };
  await bench.send("L1");
  await statusOf(bench, LAB, "failed");
  const failed = (await row(bench, LAB))!;
  assert.equal(failed.error, "Delivery stopped after an error: internal error: TypeError");
  lane.destination = destination;
  assert.deepEqual((await bench.post("/connections/OB_LAB/restart")).json, {
    name: "OB_LAB",
    running: true,
  });
  await bench.lab.waitForFrames(1);
  await bench.walk.drained();
  assert.equal((await row(bench, LAB))!.status, "running");
});

Deno.test("metadata shows references, never a secret's default", async () => {
  await using bench = await ApiBench.open({ settings: "[shadow]\nsimulate_all_egress = true" });
  assert.deepEqual(await bench.get("/connections/OB_LAB/metadata"), {
    name: "OB_LAB",
    direction: "out",
    method: "mllp",
    running: true,
    router: null,
    metadata: { owner: "lab" },
    settings: { host: { env: "lab_host", default: "127.0.0.1" }, port: bench.lab.port },
    simulated: true,
    error: null,
  });
  assert.deepEqual(await bench.get("/connections/IB_ADT/metadata"), {
    name: "IB_ADT",
    direction: "in",
    method: "mllp",
    running: true,
    router: "route",
    metadata: {},
    settings: { port: bench.inboundPort },
    simulated: null,
    error: null,
  });
  assert.equal((await bench.request("/connections/NOBODY/metadata")).status, 404);
  await bench.send("L1");
  await bench.walk.drained();
  assert.equal((await row(bench, LAB))!.simulated, true);
  assert.equal(bench.lab.received.length, 0, "a simulated outbound sends nothing");
});

Deno.test("a test reaches the partner without data, and says why it cannot", async () => {
  await using bench = await ApiBench.open();
  const good = await bench.post("/connections/OB_LAB/test");
  assert.equal(good.status, 200);
  const { duration_ms: took, ...rest } = good.json as unknown as Record<string, Json>;
  assert.ok(Number(took) > 0);
  assert.deepEqual(rest, {
    name: "OB_LAB",
    direction: "out",
    supported: true,
    success: true,
    detail: null,
  });
  const archive = await bench.post("/connections/OB_ARCHIVE/test");
  assert.equal(archive.json.success, true);
  const inbound = await bench.post("/connections/IB_ADT/test");
  assert.deepEqual([inbound.json.supported, inbound.json.success], [false, false]);
  assert.equal((await bench.post("/connections/NOBODY/test")).status, 404);
  assert.equal(bench.lab.received.length, 0);

  await bench.lab[Symbol.asyncDispose]();
  const gone = await bench.post("/connections/OB_LAB/test");
  assert.deepEqual([gone.status, gone.json.supported, gone.json.success], [200, true, false]);
  assert.match(String(gone.json.detail), /^Cannot /);
  const [ofInbound] = bench.walk.auditLines("connection_test").filter(({ channel_id }) =>
    channel_id !== null
  );
  assert.deepEqual([ofInbound?.channel_id, ofInbound?.detail.direction], ["IB_ADT", "inbound"]);
  assert.equal((await bench.walk.audited("connection_test")).detail.connection, "OB_LAB");
});

Deno.test("events are listed newest first and filtered", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1");
  await bench.walk.engine.pipeline.events.flush();
  const all = [...await bench.get("/events")];
  const established = all.find((event) => String(event.kind) === "established")!;
  const { id, ts, ...rest } = established as unknown as Record<string, Json>;
  assert.ok(Number.isInteger(Number(id)) && Number(ts) > 1.7e9);
  assert.deepEqual(rest, {
    connection: "IB_ADT",
    transport: "mllp",
    direction: "inbound",
    kind: "established",
    peer_host: "127.0.0.1",
    message_id: null,
    reason: null,
  });
  const ids = all.map((event) => Number(event.id));
  assert.deepEqual(ids, ids.toSorted((a, b) => b - a));
  const only = async (path: string) => [...await bench.get(path)].map((event) => event.kind);
  assert.deepEqual(await only("/events?kind=established&limit=1"), ["established"]);
  assert.deepEqual(await only("/events?kind=nothing&kind=established"), ["established"]);
  assert.deepEqual(await only("/events?kind=closed%20established"), []);
  assert.deepEqual(await only("/events?connection=OTHER"), []);
  assert.deepEqual(await only(`/events?since=${Date.now() / 1e3 + 60}`), []);
  assert.deepEqual(await only("/connections/OTHER/events"), []);
  assert.ok((await only("/connections/IB_ADT/events?connection=OTHER")).length > 0);
});

Deno.test("[diagnostics] connection_events = false records none, and nothing else changes", async () => {
  await using bench = await ApiBench.open({
    settings: "[diagnostics]\nconnection_events = false\n",
  });
  await bench.send("L1", "B2");
  await bench.walk.drained();
  await bench.lab[Symbol.asyncDispose]();
  await bench.send("L3");
  await bench.walk.engine.pipeline.events.flush();
  assert.deepEqual([...await bench.get("/events")], []);
  assert.equal(bench.walk.engine.pipeline.events.dropped, 0, "none is lost, none was made");
  assert.equal((await bench.get("/connections"))[0]!.read as unknown, 3);
});

Deno.test("control of a name nobody has is 404, also when it looks like a path", async () => {
  await using bench = await ApiBench.open();
  for (
    const name of [
      "NOBODY",
      "..%2f..",
      "%2e%2e",
      "__proto__",
      "constructor",
      "%00",
      "a".repeat(2000),
    ]
  ) {
    for (const act of ["start", "stop", "restart", "test", "purge"]) {
      assert.equal((await bench.post(`/connections/${name}/${act}`)).status, 404, `${name} ${act}`);
    }
  }
});

Deno.test("rows outlive the inbound and the outbound they belong to", async () => {
  await using bench = await ApiBench.open();
  bench.lab.script({ do: "ack" });
  bench.lab.otherwise = { do: "silence" };
  await bench.send("L1", "L2");
  await bench.walk.disposition("L1", "processed");
  await bench.lab.waitForFrames(2);
  bench.lab.hangUp();
  const { id } = await bench.walk.message("L1");

  await bench.walk.bundle.write(
    "graph/walk.ts",
    `import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
     const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${bench.lab.port} }));
     const toLab = handler("to_lab", (msg) => send(lab, msg));
     const route = router("route", () => toLab);
     inbound("IB_NEW", mllp({ port: ${bench.inboundPort} }), { router: route });`,
  );
  await bench.restart();
  assert.deepEqual(Object.keys(await rows(bench)), ["IB_NEW ▸ in", LAB]);
  assert.equal((await row(bench, LAB))!.queue_depth, 1);

  await bench.walk.bundle.write(
    "graph/walk.ts",
    `import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
     const next = outbound("OB_NEXT", mllp({ host: "127.0.0.1", port: ${bench.lab.port} }));
     const toNext = handler("to_next", (msg) => send(next, msg));
     const route = router("route", () => toNext);
     inbound("IB_NEW", mllp({ port: ${bench.inboundPort} }), { router: route });`,
  );
  await bench.restart();
  assert.deepEqual(Object.keys(await rows(bench)), ["IB_NEW ▸ in"]);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { done: 1, dead: 1 });
  assert.equal((await bench.post(`/messages/${id}/replay`)).json.requeued, 1);
  const draining = (await row(bench, LAB))!;
  assert.deepEqual(
    [draining.status, draining.method, draining.peer, draining.port, draining.queue_depth],
    ["draining", "—", null, null, 1],
  );
  assert.ok(Number(draining.delivered_age_seconds) > 0);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { pending: 1, dead: 1 });
});

Deno.test("an unordered outbound knows depth and age too, and is purged the same way", async () => {
  await using bench = await ApiBench.open({ labOptions: '{ ordering: "unordered" }' });
  await bench.post("/connections/OB_LAB/stop");
  await bench.send("L1", "L2");
  const lane = bench.walk.engine.pipeline.outbounds.get("OB_LAB")!;
  await until(() => lane.depth === 2 && bench.walk.engine.pipeline.openRows === 2, "two rows");
  const shown = (await row(bench, LAB))!;
  assert.deepEqual([shown.queue_depth, shown.backlog_seconds], [2, null]);
  const age = Number(shown.delivered_age_seconds);
  assert.ok(age > 0 && age < 30);
  assert.deepEqual((await bench.post("/connections/OB_LAB/purge")).json, { cancelled: 2 });
  assert.equal((await row(bench, LAB))!.queue_depth, 0);
  await bench.post("/connections/OB_LAB/start");
  await bench.send("L3");
  await bench.lab.waitForFrames(1);
  await bench.walk.drained();
  assert.deepEqual(bench.lab.controlIds, ["L3"]);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { done: 1, cancelled: 2 });
});

Deno.test("dead rows and replays move the depth of their edge, also while its lane stands", async () => {
  await using bench = await ApiBench.open();
  bench.lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("L1", "L2");
  await bench.walk.disposition("L2", "error");
  await bench.walk.drained();
  const dead = (await row(bench, LAB))!;
  assert.deepEqual([dead.queue_depth, dead.errored], [0, 2]);
  await bench.post("/connections/OB_LAB/stop");
  assert.equal((await bench.post("/dead-letters/replay", {})).json.requeued, 2);
  const replayed = (await row(bench, LAB))!;
  assert.deepEqual([replayed.queue_depth, replayed.status], [2, "stopped"]);
  assert.equal((await bench.get("/stats")).in_pipeline, 2);
  const { id } = await bench.walk.message("L1");
  assert.equal((await bench.post(`/messages/${id}/replay`)).json.requeued, 1, "pending, again");
  assert.equal((await row(bench, LAB))!.queue_depth, 2);
  bench.lab.otherwise = { do: "ack" };
  await bench.post("/connections/OB_LAB/start");
  await bench.walk.disposition("L2", "processed");
  await bench.walk.drained();
  assert.equal((await row(bench, LAB))!.queue_depth, 0);
});

Deno.test("an inbound whose routing stopped at a message is failed until it is started", async () => {
  await using bench = await ApiBench.open({ settings: '[delivery]\ninternal_error = "stop"' });
  await bench.send("X1", "L2");
  await statusOf(bench, "IB_ADT ▸ in", "failed");
  const failed = (await row(bench, "IB_ADT ▸ in"))!;
  assert.equal(failed.error, "Routing stopped after an error: Error");
  assert.equal((await bench.get("/connections/IB_ADT/metadata")).running, false);
  assert.equal((await bench.get("/stats")).in_pipeline, 2);

  await bench.post("/connections/IB_ADT/start");
  await statusOf(bench, "IB_ADT ▸ in", "failed");
  assert.equal(bench.lab.received.length, 0, "the message that halts it keeps its place");
});
