// Goal: three partners, each slow, failing or blocked in its own way, are told of within two seconds of
// crossing and once in the cooldown of the rule that matches (I73); nobody who is told delays a
// message, dead or slow as they may be (I74).
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { type Received, Receiver } from "../alerts/receiver.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause, until } from "../connectors/waiting.ts";
import { admission, answered, Walk } from "./bench.ts";

/** I73, seconds. */
const LATE_MAX = 2;
/** A busy machine may be late by itself. */
const SLACK = 1;

function ofConnection(receiver: Receiver, name: string): readonly Received[] {
  return receiver.received.filter(({ body }) => body.connection === name);
}

Deno.test("slow, failing and blocked lanes are told of in time, and once a cooldown", async () => {
  await using receiver = await Receiver.start();
  await using slow = await ScriptedPartner.start({ otherwise: { do: "ack", delayMs: 700 } });
  await using failing = await ScriptedPartner.start({ otherwise: { do: "ack", code: "AE" } });
  const ports = { slow: await freePort(), failing: await freePort(), blocked: await freePort() };
  await using walk = await Walk.open({
    settings: `[delivery]
internal_error = "stop"
buildup_max_oldest_seconds = 2
retry_backoff_seconds = 0.2
retry_max_backoff_seconds = 0.2

[alerts]
webhook_url = "${receiver.url()}"

[[alerts.rules]]
event_type = "queue_buildup"
connection = "OB_SLOW"
severity = "critical"
cooldown_seconds = 3

[[alerts.rules]]
event_type = "queue_buildup"
connection = "OB_QUIET"
transports = []
`,
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const slow = outbound("OB_SLOW", mllp({ host: "127.0.0.1", port: ${slow.port} }), {
        buildup: { maxDepth: 4, maxOldestSeconds: null },
      });
      const failing = outbound("OB_FAILING", mllp({ host: "127.0.0.1", port: ${failing.port} }), {
        buildup: { maxOldestSeconds: 3 },
      });
      const quiet = outbound("OB_QUIET", mllp({ host: "127.0.0.1", port: ${failing.port} }), {
        buildup: { maxDepth: 1 },
      });
      const toSlow = handler("to_slow", (msg) => send(slow, msg));
      const toFailing = handler("to_failing", (msg) => [send(failing, msg), send(quiet, msg)]);
      const blocked = handler("blocked", () => { throw new Error("no field PID-3"); });
      inbound("IB_SLOW", mllp({ port: ${ports.slow} }), { router: router("a", () => toSlow) });
      inbound("IB_FAILING", mllp({ port: ${ports.failing} }), { router: router("b", () => toFailing) });
      inbound("IB_BLOCKED", mllp({ port: ${ports.blocked} }), { router: router("c", () => blocked) });
    `,
  });
  const send = async (port: number, ids: readonly string[]) => {
    for (const id of ids) {
      assert.equal(answered(await walk.exchange(port, admission(id))).code, "AA");
    }
  };
  await send(ports.blocked, ["X1", "X2"]);
  await send(ports.failing, ["F1", "F2"]);
  // Deliveries succeed all the while, one in 0.7 s: more come than go for a time.
  const slowIds = Array.from({ length: 16 }, (_, index) => `S${index}`);
  await send(ports.slow, slowIds);
  const deepAt = Date.now() / 1000;

  await until(() => ofConnection(receiver, "OB_SLOW").length >= 2, "two notices of it", 20_000);
  await until(() => ofConnection(receiver, "OB_FAILING").length >= 1, "a notice of it", 20_000);
  await until(() => ofConnection(receiver, "IB_BLOCKED").length >= 2, "two notices of it", 20_000);

  const [first, second] = ofConnection(receiver, "OB_SLOW").map(({ body }) => body);
  assert.deepEqual([first!.type, first!.severity], ["queue_buildup", "critical"]);
  assert.ok(Number(first!.depth) >= 4);
  assert.ok(Number(first!.ts) <= deepAt + LATE_MAX + SLACK, "late");
  const apart = Number(second!.ts) - Number(first!.ts);
  assert.ok(apart >= 2.99 && apart < 3 + LATE_MAX + SLACK, `told again after ${apart} s`);

  const [failed] = ofConnection(receiver, "OB_FAILING").map(({ body }) => body);
  assert.deepEqual([failed!.type, failed!.severity, failed!.depth], [
    "queue_buildup",
    "warning",
    2,
  ]);
  const age = Number(failed!.oldest_age_seconds);
  assert.ok(age >= 3 && age <= 3 + LATE_MAX + SLACK, `told at ${age} s`);

  const blocked = ofConnection(receiver, "IB_BLOCKED").map(({ body }) => body);
  const byType = new Map(blocked.map((body) => [body.type, body]));
  assert.match(String(byType.get("connection_stopped")?.detail), /^stopped at row \d+: Error$/);
  const waiting = byType.get("queue_buildup")!;
  assert.equal(waiting.depth, 2);
  const waited = Number(waiting.oldest_age_seconds);
  assert.ok(waited >= 2 && waited <= 2 + LATE_MAX + SLACK, `told at ${waited} s`);

  // The cooldown of the others is five minutes, and one rule is silence.
  await pause(1_500);
  assert.equal(ofConnection(receiver, "OB_FAILING").length, 1);
  assert.equal(ofConnection(receiver, "IB_BLOCKED").length, 2);
  assert.equal(ofConnection(receiver, "OB_QUIET").length, 0);
  assert.ok(
    !walk.log.some((line) => /alert\.raised .*OB_QUIET/.test(line)),
    "not in the log either",
  );
  const live = await walk.engine.store.register("alertsLive", 100);
  assert.deepEqual(
    live.map(({ event_type, connection }) => `${event_type} ${connection}`).toSorted(),
    [
      "connection_stopped IB_BLOCKED",
      "queue_buildup IB_BLOCKED",
      "queue_buildup OB_FAILING",
      "queue_buildup OB_QUIET",
      "queue_buildup OB_SLOW",
    ],
  );
  // Nothing of a message anywhere it was told.
  const told = JSON.stringify([receiver.received, live]) +
    walk.log.filter((line) => line.includes("alert.")).join();
  assert.doesNotMatch(told, /SAMPLE|PID-3|MSH/);
});

Deno.test("a lane that is cold after a restart is told of, and one that is paused is not", async () => {
  await using receiver = await Receiver.start();
  await using failing = await ScriptedPartner.start({ otherwise: { do: "ack", code: "AE" } });
  const port = await freePort();
  await using walk = await Walk.open({
    settings: `[delivery]
buildup_max_oldest_seconds = 1
retry_backoff_seconds = 60
[alerts]
webhook_url = "${receiver.url()}"
realert_seconds = 0
`,
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const options = { ordering: "unordered" as const };
      const partner = { host: "127.0.0.1", port: ${failing.port} };
      const lab = outbound("OB_LAB", mllp(partner), options);
      const pass = handler("pass", (msg) => send(lab, msg));
      inbound("IB", mllp({ port: ${port} }), { router: router("r", () => pass) });
    `,
  });
  await walk.exchange(port, admission("A1"));
  await failing.waitForFrames(1);
  await receiver.requests(1);
  await walk.stop();
  const before = receiver.received.length;
  await walk.start();
  await receiver.requests(before + 1);
  const { body } = receiver.received.at(-1)!;
  assert.deepEqual([body.type, body.connection, body.depth], ["queue_buildup", "OB_LAB", 1]);
  assert.ok(Number(body.oldest_age_seconds) >= 1);

  await walk.engine.pipeline.outbounds.get("OB_LAB")!.pause();
  await pause(300);
  const paused = receiver.received.length;
  await pause(2_300);
  assert.equal(receiver.received.length, paused, "an operator knows what he paused");
  walk.engine.pipeline.outbounds.get("OB_LAB")!.resume();
  await receiver.requests(paused + 1);
});

Deno.test("a store over its limit is told of by the pass that measures it", async () => {
  await using receiver = await Receiver.start();
  const port = await freePort();
  await using walk = await Walk.open({
    settings: `[retention]
max_db_mb = 1
purge_interval_seconds = 0.3
[alerts]
webhook_url = "${receiver.url()}"
`,
    graph: `
      import { inbound, mllp, router } from "messagefoundry";
      inbound("IB", mllp({ port: ${port} }), { router: router("r", () => null) });
    `,
  });
  const extra = `NTE|1||${"long ".repeat(80_000)}\r`;
  for (const id of ["B1", "B2", "B3", "B4"]) {
    assert.equal(answered(await walk.exchange(port, admission(id, { extra }))).code, "AA");
  }
  await walk.drained();
  const [told] = await receiver.requests(1);
  const { type, connection, size_bytes: size, limit_bytes: limit } = told!.body;
  assert.deepEqual([type, connection, limit], ["storage_threshold", walk.storePath, 1_000_000]);
  assert.ok(Number(size) > 1_000_000);
  const kept = () => walk.engine.store.register("alertsLive", 1);
  const deadline = performance.now() + 10_000;
  while ((await kept()).length === 0) {
    assert.ok(performance.now() < deadline, "waited for its instance");
    await pause(10);
  }
  assert.match(String((await kept())[0]?.reason), /^\d{7} bytes, the limit is 1000000$/);
});

// Method: the same traffic over lanes that raise all the time, with receivers that answer at once,
// never, or slowly with failures, and with a mail server that takes connections and is silent.
Deno.test("receivers that are dead, silent or failing delay no acknowledgement and no delivery", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const mailPort = (silent.address() as { port: number }).port;
  try {
    for (const answer of ["never", 503] as const) {
      await using receiver = await Receiver.start();
      receiver.answer = answer;
      await using partner = await ScriptedPartner.start();
      const port = await freePort();
      await using walk = await Walk.open({
        settings: `[alerts]
webhook_url = "${receiver.url()}"
email_smtp_host = "127.0.0.1"
email_smtp_port = ${mailPort}
email_from = "a@example.com"
email_to = ["b@example.com"]
email_use_tls = false
realert_seconds = 0
`,
        graph: `
          import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
          const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
          const pass = handler("pass", (msg) => send(lab, msg));
          inbound("IB", mllp({ port: ${port} }), { router: router("r", () => pass) });
        `,
      });
      const { alerts } = walk.engine;
      const raise = () => {
        for (let row = 0; row < 100; row += 1) {
          alerts.raise({
            type: "connection_stopped",
            connection: `C${row % 9}`,
            code: "Error",
            row,
          });
        }
      };
      const took: number[] = [];
      let raisedMs = 0;
      for (let index = 0; index < 40; index += 1) {
        const raising = performance.now();
        raise();
        raisedMs += performance.now() - raising;
        const start = performance.now();
        assert.equal(answered(await walk.exchange(port, admission(`D${index}`))).code, "AA");
        took.push(performance.now() - start);
      }
      await walk.drained();
      assert.equal(partner.received.length, 40);
      const { webhook, email } = alerts.lost;
      assert.ok(webhook! >= 2_900 && email! >= 2_900, `lost ${webhook} and ${email}`);
      assert.ok(walk.log.some((line) => line.includes("alert.dropped transport=webhook")));
      assert.ok(walk.log.some((line) => line.includes("alert.dropped transport=email")));
      // A receiver is given seconds; whoever waited for one would be far above this.
      assert.ok(took.toSorted((a, b) => a - b)[20]! < 500, `took ${took.map(Math.round)}`);
      // A lane raises in its own time: 4,000 events are a matter of milliseconds.
      assert.ok(raisedMs < 2_000, `raising took ${raisedMs} ms`);
      const stopping = performance.now();
      await walk.stop();
      assert.ok(performance.now() - stopping < 10_000, "the stop waits for receivers");
    }
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => silent.close(() => resolve()));
  }
});
