import assert from "node:assert/strict";
import { admission } from "../walk/bench.ts";
import { ApiBench, type Json } from "./bench.ts";

// Goal: messages are listed, shown and sent again as the contract says.

const SUMMARY = [
  "channel_id",
  "control_id",
  "error",
  "event",
  "id",
  "message_type",
  "metadata",
  "purged_at",
  "received_at",
  "source_type",
  "status",
  "summary",
];

Deno.test("/messages lists newest first, filters exactly and pages", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "F2", "U3", "X4", "L5");
  await bench.walk.drained();

  const page = await bench.get("/messages");
  assert.deepEqual([page.total, page.limit, page.offset], [5, 50, 0]);
  const messages = [...page.messages!];
  assert.deepEqual(messages.map((m) => m.control_id), ["L5", "X4", "U3", "F2", "L1"]);
  for (const message of messages) {
    assert.deepEqual(Object.keys(message).sort(), SUMMARY);
    const age = Date.now() / 1e3 - Number(message.received_at);
    assert.ok(age >= 0 && age < 60, "times are seconds");
  }
  assert.deepEqual(messages.map((m) => [m.status, m.event]), [
    ["processed", "delivered"],
    ["error", "dead"],
    ["unrouted", "unrouted"],
    ["filtered", "transformed"],
    ["processed", "delivered"],
  ]);
  const [{ id: _id, received_at: _at, ...first }] = messages as unknown as [Record<string, Json>];
  assert.deepEqual(first, {
    channel_id: "IB_ADT",
    source_type: "mllp",
    control_id: "L5",
    message_type: "ADT^A01^ADT_A01",
    status: "processed",
    error: null,
    event: "delivered",
    summary: "MRN L5 · SAMPLE^PERSON",
    metadata: null,
    purged_at: null,
  });

  const totals: Record<string, number> = {
    "channel_id=IB_ADT": 5,
    "channel_id=IB_": 0,
    "status=error": 1,
    "status=processed": 2,
    "status=nonsense": 0,
    "status=filtered&channel_id=IB_ADT": 1,
    "status=filtered&channel_id=OTHER": 0,
    "message_type=ADT%5EA01%5EADT_A01": 5,
    "message_type=ADT": 0,
    "control_id=F2": 1,
    "control_id=F2&status=processed": 0,
    "unknown=1&audit_summary=true": 5,
    "limit=1&limit=3": 5,
  };
  for (const [query, total] of Object.entries(totals)) {
    const found = await bench.get(`/messages?${query}`);
    assert.equal(found.total, total, query);
    assert.equal([...found.messages!].length, query.includes("limit") ? 3 : total, query);
  }
  const second = await bench.get("/messages?limit=2&offset=2");
  assert.deepEqual([...second.messages!].map((m) => m.control_id), ["U3", "F2"]);
  assert.deepEqual(
    await bench.get("/messages?offset=9000000000000000").then((p) => p.messages),
    [],
  );
  // Counted in memory; a stop writes it.
  await bench.restart();
  const shown = await bench.walk.audited("summary_access");
  assert.deepEqual([typeof shown.detail.count, shown.channel_id], ["number", null]);
  const rows = await bench.walk.engine.store.register("auditNewest", 10);
  assert.ok(rows.some(({ action }) => action === "summary_access"));
});

Deno.test("/messages/{id} shows body, rows and timeline, and leaves a trace", async () => {
  await using bench = await ApiBench.open();
  await bench.send("B1");
  await bench.walk.drained();
  const [{ id }] = [...(await bench.get("/messages")).messages!] as unknown as [{ id: string }];
  const detail = await bench.get(`/messages/${id}`);
  assert.deepEqual(Object.keys(detail).sort(), [...SUMMARY, "events", "outbox", "raw"].sort());
  assert.equal(detail.raw, admission("B1"));
  assert.equal(detail.summary as unknown, "MRN B1 · SAMPLE^PERSON");
  const rows = [...detail.outbox!];
  assert.deepEqual(
    rows.map(({ destination_name, status, attempts, last_error }) => ({
      destination_name,
      status,
      attempts,
      last_error,
    })),
    [
      { destination_name: "OB_LAB", status: "done", attempts: 1, last_error: null },
      { destination_name: "OB_ARCHIVE", status: "done", attempts: 1, last_error: null },
    ],
  );
  for (const row of rows) {
    assert.match(String(row.id), /^\d+$/);
    assert.ok(Number(row.next_attempt_at) > 1.7e9 && Number(row.next_attempt_at) < 1e11);
  }
  const events = [...detail.events!];
  assert.deepEqual(events.map((e) => e.event).slice(0, 3), ["received", "routed", "transformed"]);
  assert.deepEqual(Object.keys(events[0]!).sort(), ["destination", "detail", "event", "ts"]);

  const again = await bench.get(`/messages/${id}`);
  assert.equal([...again.events!].at(-1)!.event, "viewed");
  assert.equal([...(await bench.get("/messages")).messages!][0]!.event, "viewed");
  assert.deepEqual((await bench.walk.audited("message_view")).detail, { message_id: id });

  const payloads = await bench.get(`/messages/${id}/outbound`);
  assert.deepEqual(payloads, {
    message_id: id,
    payloads: [
      { destination_name: "OB_LAB", status: "done", payload: admission("B1") },
      { destination_name: "OB_ARCHIVE", status: "done", payload: admission("B1") },
    ],
  });
  assert.deepEqual((await bench.walk.audited("outbound.read")).detail, {
    message_id: id,
    count: 2,
  });
});

Deno.test("a message nobody has is 404 everywhere, whatever its id looks like", async () => {
  await using bench = await ApiBench.open();
  const ids = ["ab12", "0", "..%2f..%2fetc", "%00", "%F0%9F%92%A9", "%E0%A4%A", "a".repeat(5000)];
  for (const id of ids) {
    for (const path of [`/messages/${id}`, `/messages/${id}/outbound`]) {
      const answer = await bench.request(path);
      assert.deepEqual([answer.status, answer.json], [404, { detail: "No message has this id" }]);
    }
    const replay = await bench.post(`/messages/${id}/replay`);
    assert.equal(replay.status, 404);
  }
});

Deno.test("replay sends what is dead, else what is done, and 409 when there is nothing", async () => {
  await using bench = await ApiBench.open();
  bench.lab.script({ do: "ack", code: "AR" });
  await bench.send("L1", "U2");
  await bench.walk.disposition("L1", "error");
  const dead = await bench.walk.message("L1");
  const answer = await bench.post(`/messages/${dead.id}/replay`);
  assert.deepEqual([answer.status, answer.json], [200, { message_id: dead.id, requeued: 1 }]);
  await bench.walk.disposition("L1", "processed");
  assert.deepEqual((await bench.post(`/messages/${dead.id}/replay`)).json.requeued, 1);
  await bench.lab.waitForFrames(3);
  await bench.walk.drained();
  assert.deepEqual(bench.lab.controlIds, ["L1", "L1", "L1"]);
  const replayed = await bench.walk.audited("message_replay");
  assert.deepEqual([replayed.actor, replayed.detail.requeued], ["system", 1]);

  const unrouted = await bench.walk.message("U2");
  const refused = await bench.post(`/messages/${unrouted.id}/replay`);
  assert.equal(refused.status, 409);
  assert.equal(typeof refused.json.detail, "string");
});

Deno.test("dead letters are listed newest failure first and replayed by filter", async () => {
  await using bench = await ApiBench.open();
  bench.lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("L1", "B2");
  await bench.walk.disposition("L1", "error");
  await bench.walk.disposition("B2", "error");
  const page = await bench.get("/dead-letters");
  assert.deepEqual([page.total, page.limit, page.offset], [2, 50, 0]);
  const letters = [...page.dead_letters!];
  assert.deepEqual(letters.map((l) => l.control_id), ["B2", "L1"]);
  const { failed_at: failed, received_at: received, outbox_id: row, ...rest } =
    letters[1] as unknown as Record<string, Json>;
  assert.ok(Number(failed) >= Number(received) && Number(received) > 1.7e9);
  assert.match(String(row), /^\d+$/);
  assert.deepEqual(rest, {
    message_id: (await bench.walk.message("L1")).id,
    channel_id: "IB_ADT",
    destination_name: "OB_LAB",
    attempts: 1,
    last_error: "partner answered AR",
    control_id: "L1",
    message_type: "ADT^A01^ADT_A01",
    summary: "MRN L1 · SAMPLE^PERSON",
  });
  assert.equal((await bench.get("/dead-letters?destination_name=OB_ARCHIVE")).total, 0);
  assert.equal((await bench.get("/dead-letters?channel_id=IB_ADT&limit=1")).total, 2);
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { done: 1, dead: 2 });

  const none = await bench.post("/dead-letters/replay", { channel_id: "OTHER" });
  assert.deepEqual([none.status, none.json], [200, { requeued: 0 }]);
  bench.lab.otherwise = { do: "ack" };
  const all = await bench.post("/dead-letters/replay", { destination_name: "OB_LAB", x: 1 });
  assert.deepEqual(all.json, { requeued: 2 });
  await bench.walk.disposition("L1", "processed");
  await bench.walk.disposition("B2", "processed");
  assert.equal((await bench.get("/dead-letters")).total, 0);
  await bench.walk.drained();
  assert.deepEqual((await bench.get("/stats")).outbox_by_status, { done: 3 });
  const audited = bench.walk.auditLines("dead_letter_replay");
  assert.equal(audited.length, 1, "nothing requeued is not worth a row");
});
