import assert from "node:assert/strict";
import { framed, ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { admission, answered, Walk } from "./bench.ts";

// Goal: a message is refused only for what its own bytes are, and refused or not it gets its row.

async function openRefusing(options = "", settings = "") {
  const partner = await ScriptedPartner.start();
  const port = await freePort();
  const walk = await Walk.open({
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
      const pass = handler("pass", (msg) => send(lab, msg));
      const route = router("route", () => pass);
      inbound("IB_ADT", mllp({ port: ${port}${settings} }), { router: route${options} });
    `,
  });
  return {
    walk,
    port,
    partner,
    async [Symbol.asyncDispose]() {
      await walk[Symbol.asyncDispose]();
      await partner[Symbol.asyncDispose]();
    },
  };
}

Deno.test("bytes of another character set are refused, kept recoverably and never delivered", async () => {
  await using bench = await openRefusing();
  const { walk, port, partner } = bench;
  const bytes = Buffer.from(admission("C1", { extra: "NTE|1||caf\xe9\r" }), "latin1");

  using sender = await walk.sender(port);
  sender.write(Buffer.concat([Uint8Array.of(0x0b), bytes, Uint8Array.of(0x1c, 0x0d)]));
  const [reply] = await sender.waitForReplies(1);

  assert.deepEqual(answered(reply!), { code: "AR", controlId: "C1", reason: "decode error" });
  const [summary] = await walk.summaries();
  const message = (await walk.engine.store.message(summary!.id))!;
  assert.equal(message.status, "error");
  assert.deepEqual(Buffer.from(message.raw, "latin1"), bytes, "the raw view gives the bytes back");
  assert.deepEqual(message.rows, []);
  sender.send(admission("C2"));
  await partner.waitForFrames(1);
  assert.deepEqual(partner.controlIds, ["C2"]);
});

Deno.test("what is no HL7 is refused with its reason and stored", async () => {
  await using bench = await openRefusing();
  const { walk, port, partner } = bench;
  using sender = await walk.sender(port);
  sender.send("", "PID|1||4711\r", "hello");
  const replies = await sender.waitForReplies(3);
  assert.deepEqual(replies.map((reply) => answered(reply).code), ["AR", "AR", "AR"]);
  assert.match(answered(replies[0]!).reason, /empty/);
  for (const { reason } of replies.slice(1).map(answered)) assert.match(reason, /MSH/);

  const stored = await walk.summaries();
  assert.deepEqual(stored.map(({ status }) => status), ["error", "error", "error"]);
  const details = await Promise.all(stored.map(({ id }) => walk.engine.store.message(id)));
  assert.deepEqual(details.map((detail) => detail!.raw).toReversed(), [
    "",
    "PID|1||4711\r",
    "hello",
  ]);
  assert.equal(partner.received.length, 0);
});

Deno.test("a frame over the connection's cap is dropped with the connection, and stores nothing", async () => {
  await using bench = await openRefusing("", ", maxFrameBytes: 2000");
  const { walk, port } = bench;
  using sender = await walk.sender(port);
  sender.send(admission("BIG", { extra: `NTE|1||${"x".repeat(4000)}\r` }));
  await sender.closed;
  assert.deepEqual(sender.replies, []);
  assert.equal(answered(await walk.exchange(port, admission("SMALL"))).code, "AA");
  assert.deepEqual((await walk.summaries()).map(({ controlId }) => controlId), ["SMALL"]);
  await walk.engine.pipeline.events.flush();
  const events = await walk.engine.store.connectionEvents({
    kinds: ["frame_oversize"],
    limit: 10,
  });
  assert.equal(events.length, 1);
});

Deno.test("a message of too many segments is refused and stored", async () => {
  await using bench = await openRefusing();
  const { walk, port } = bench;
  const reply = await walk.exchange(port, admission("MANY", { extra: "NTE|1\r".repeat(10_001) }));
  assert.deepEqual(answered(reply), {
    code: "AR",
    controlId: "MANY",
    reason: "message over 10000 segments",
  });
  assert.equal((await walk.message("MANY")).status, "error");
});

Deno.test("strict validation answers AE with a reason and stores nothing of the value", async () => {
  await using bench = await openRefusing(", strict: true");
  const { walk, port, partner } = bench;
  const bad = admission("S1").replace("|19800203|", "|NOSUCHDATE77|");
  const refused = answered(await walk.exchange(port, bad));
  assert.equal(refused.code, "AE");
  assert.match(refused.reason, /PID-7/);
  const good = answered(await walk.exchange(port, admission("S2")));
  assert.equal(good.code, "AA", good.reason);

  const message = await walk.message("S1");
  assert.equal(message.status, "error");
  assert.match(message.error ?? "", /PID-7/);
  assert.ok(!(message.error ?? "").includes("NOSUCHDATE77"), message.error ?? "");
  assert.ok(!walk.log.some((line) => line.includes("NOSUCHDATE77")));
  await partner.waitForFrames(1);
  assert.deepEqual(partner.controlIds, ["S2"]);
});

Deno.test("enhanced mode answers with commit codes, mode none with nothing, an ACK never", async () => {
  await using enhanced = await openRefusing(', ackMode: "enhanced"');
  const { walk, port } = enhanced;
  assert.equal(answered(await walk.exchange(port, admission("E1"))).code, "CA");
  assert.equal(answered(await walk.exchange(port, "PID|1\r")).code, "CR");

  await using mute = await openRefusing(', ackMode: "none"');
  using sender = await mute.walk.sender(mute.port);
  sender.send(admission("N1"), "PID|1\r");
  await mute.partner.waitForFrames(1);
  await until(() => mute.walk.engine.pipeline.statistics.inbound("IB_ADT").read === 2, "both");
  await mute.walk.drained();
  assert.deepEqual(sender.replies, []);
  assert.deepEqual((await mute.walk.summaries()).map(({ status }) => status).toSorted(), [
    "error",
    "processed",
  ]);

  using acknowledging = await walk.sender(port);
  acknowledging.send(
    "MSH|^~\\&|A|B|C|D|20260101||ACK|K1|P|2.5.1\rMSA|AA|X\r",
    admission("E2"),
  );
  const [reply] = await acknowledging.waitForReplies(1);
  assert.equal(answered(reply!).controlId, "E2", "an acknowledgement gets none");
  assert.equal((await walk.summaries("K1")).length, 1, "it is stored all the same");
});

Deno.test("every frame of a mixed stream gets one row and its own answer, in order", async () => {
  await using bench = await openRefusing(", strict: true");
  const { walk, port } = bench;
  const bodies = Array.from({ length: 40 }, (_, index) => {
    switch (index % 4) {
      case 0:
        return admission(`M${index}`);
      case 1:
        return admission(`M${index}`).replace("|19800203|", "|BAD|");
      case 2:
        return admission(`M${index}`, { extra: "NTE|1||\xff\xfe\r" });
      default:
        return `ZZZ|M${index}\r`;
    }
  });
  using sender = await walk.sender(port);
  sender.write(Buffer.concat(bodies.map((body) => framed(body))));
  const replies = await sender.waitForReplies(bodies.length, 15_000);
  assert.deepEqual(
    replies.map((reply) => answered(reply).code),
    bodies.map((_, index) => ["AA", "AE", "AR", "AR"][index % 4]),
  );
  await walk.drained();
  const counts = new Map<string, number>();
  for (const { status } of await walk.summaries()) {
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(counts), { processed: 10, error: 30 });
});

Deno.test("half a frame leaves no message and no count behind", async () => {
  await using bench = await openRefusing();
  const { walk, port } = bench;
  const sender = await walk.sender(port);
  sender.write(framed(admission("HALF")).subarray(0, 60));
  await until(
    () => walk.engine.pipeline.inbounds.get("IB_ADT")!.source.counters.bytesIn === 60,
    "",
  );
  sender.socket.resetAndDestroy();
  await sender.closed;
  await until(
    () => walk.engine.pipeline.inbounds.get("IB_ADT")!.source.counters.connectionsOpen === 0,
    "the connection to be gone",
  );
  assert.deepEqual(await walk.summaries(), []);
  assert.equal(walk.engine.pipeline.statistics.inbound("IB_ADT").read, 0);
});

// Goal: a file that never becomes a message has no row, so the log has to tell of it.
Deno.test("a polled file that is no HL7, and a batch that miscounts, are told in the log", async () => {
  const inbox = await Deno.makeTempDir();
  await using _inbox = { [Symbol.asyncDispose]: () => Deno.remove(inbox, { recursive: true }) };
  await using walk = await Walk.open({
    graph: `
      import { file, handler, inbound, router } from "messagefoundry";
      const nothing = handler("nothing", () => null);
      inbound("FILE-IN_ADT", file({ directory: ${JSON.stringify(inbox)}, pollSeconds: 0.02 }), {
        router: router("route", () => nothing),
      });
    `,
  });
  await Deno.writeTextFile(`${inbox}/a.hl7`, "no message at all");
  await Deno.writeTextFile(`${inbox}/b.hl7`, `${admission("C1")}${admission("C2")}BTS|3\r`);

  assert.match(await walk.logged("file.quarantined"), /connection=FILE-IN_ADT .*FHS/);
  assert.match(await walk.logged("file.batch_count_mismatch"), /declared=3 counted=2/);
});
