import assert from "node:assert/strict";
import net from "node:net";
import type { DeliveryError } from "../../../src/connectors/connector.ts";
import { type PartnerStep, ScriptedPartner } from "../scripted_partner.ts";
import { freePort, pause, until, within } from "../waiting.ts";
import { adt, DestinationBench, SourceBench } from "./bench.ts";

const never = new AbortController().signal;

/** Some containers have IPv4 only. */
function hasIpv6Loopback(): boolean {
  return Deno.networkInterfaces().some(({ address }) => address === "::1");
}

/** What a failed delivery must say. */
interface Failure {
  readonly code: string;
  readonly reached: "no" | "unknown";
  readonly permanent?: boolean;
}

async function failsWith(delivery: Promise<unknown>, failure: Failure): Promise<DeliveryError> {
  let caught: unknown;
  await assert.rejects(within(delivery, "the delivery"), (error) => {
    caught = error;
    return true;
  });
  const { code, reached, permanent, name } = caught as DeliveryError;
  assert.deepEqual({ name, code, reached, permanent }, {
    name: "DeliveryError",
    permanent: false,
    ...failure,
  });
  return caught as DeliveryError;
}

Deno.test("send() delivers over one connection and returns the reply", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  for (const id of ["1", "2", "3"]) {
    const answer = await bench.send(id);
    assert.ok(answer.accepted);
    assert.match(answer.reply ?? "", new RegExp(`\\rMSA\\|AA\\|${id}\\r$`));
  }
  assert.equal(partner.connections, 1);
  assert.deepEqual(
    partner.received.map((frame) => frame.text),
    ["1", "2", "3"].map((id) => adt(id)),
  );
  assert.deepEqual(bench.recorder.kinds, []);
  assert.equal(bench.destination.counters.connectionsOpen, 1);
});

Deno.test({
  name: "send() takes an IPv6 address with and without brackets, as a listener does",
  ignore: !hasIpv6Loopback(),
  fn: async () => {
    for (const host of ["[::1]", "::1"]) {
      await using source = await SourceBench.open({}, { bindHost: host });
      await using bench = new DestinationBench({ host, port: source.port });
      assert.ok((await bench.send("1")).accepted);
      assert.deepEqual(source.texts, [adt("1")]);
    }
  },
});

// Goal: replies do not share the memory they were read into. Method: long ones, then short ones.
Deno.test("send() returns replies of any length, each as it was sent", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  const replies = [3, 70_000, 40, 4_096, 9_000, 0].map((length, index) =>
    `MSH|^~\\&|\rMSA|AA|${index}\rNTE|1||${String(index).repeat(length)}\r`
  );
  partner.script(
    ...replies.map((body): PartnerStep => ({ do: "raw", bytes: `\x0b${body}\x1c\r` })),
  );
  const answers = [];
  for (const index of replies.keys()) answers.push(await bench.send(String(index)));
  assert.deepEqual(answers, replies.map((reply) => ({ accepted: true, reply })));
  assert.equal(partner.connections, 1);
});

Deno.test("send() hears a partner that speaks as soon as it is connected", async () => {
  const greeter = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.resume().write("\x0bMSH|^~\\&|\rMSA|AA|greeting\r\x1c\r");
  });
  await new Promise<void>((resolve) => greeter.listen(0, "127.0.0.1", resolve));
  const { port } = greeter.address() as net.AddressInfo;
  {
    await using bench = new DestinationBench({ port });
    await failsWith(bench.send("1"), { code: "delivery.ack_mismatch", reached: "unknown" });
  }
  await new Promise((resolve) => greeter.close(resolve));
});

Deno.test("send() opens a connection for each message when not persistent", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port, persistent: false });
  await bench.send("1");
  await bench.send("2");
  await partner.waitForNoConnection();
  assert.equal(partner.connections, 2);
  assert.equal(bench.destination.counters.connectionsOpen, 0);
});

const codes: readonly (readonly [PartnerStep, unknown])[] = [
  [{ do: "ack", code: "CA" }, { accepted: true }],
  [{ do: "ack", code: "AR" }, { accepted: false, code: "AR", permanent: true }],
  [{ do: "ack", code: "CR" }, { accepted: false, code: "CR", permanent: true }],
  [{ do: "ack", code: "AE" }, { accepted: false, code: "AE", permanent: false }],
  [{ do: "ack", code: "CE" }, { accepted: false, code: "CE", permanent: false }],
  [{ do: "ack", code: "ZZ" }, { accepted: false, code: "AE", permanent: false }],
  [{ do: "ack", msa: false }, { accepted: false, code: "AE", permanent: false }],
  [{ do: "ack", code: "AE", controlId: null }, { accepted: false, code: "AE", permanent: false }],
];

Deno.test("send() returns what the partner answered and keeps the connection", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  for (const [step, expected] of codes) {
    partner.script(step);
    const answer = { ...await bench.send("1") } as Record<string, unknown>;
    delete answer.reply;
    assert.deepEqual(answer, expected, JSON.stringify(step));
  }
  assert.equal(partner.connections, 1);
});

const failures: readonly (readonly [PartnerStep, string])[] = [
  [{ do: "raw", bytes: "\x0bthis is no HL7\x1c\r" }, "delivery.ack_unparseable"],
  [{ do: "raw", bytes: "\x0b\x1c\r" }, "delivery.ack_unparseable"],
  [{ do: "raw", bytes: "HTTP/1.1 400 Bad Request\r\n\r\n" }, "delivery.ack_timeout"],
  [{ do: "silence" }, "delivery.ack_timeout"],
  [{ do: "close" }, "delivery.connection_closed"],
  [{ do: "close_mid_frame" }, "delivery.connection_closed"],
  [{ do: "reset" }, "delivery.connection_lost"],
  [{ do: "ack", controlId: "other" }, "delivery.ack_mismatch"],
  [{ do: "ack", code: "AR", controlId: "other" }, "delivery.ack_mismatch"],
  [{ do: "raw", bytes: `\x0b${"X".repeat(5_000)}\x1c\r` }, "delivery.ack_oversize"],
];

Deno.test("send() takes nothing but an acknowledgement of this message for a delivery", async () => {
  for (const [step, code] of failures) {
    await using partner = await ScriptedPartner.start();
    await using bench = new DestinationBench({
      port: partner.port,
      timeout_seconds: 0.3,
      max_frame_bytes: 4_096,
    });
    partner.script(step);
    await failsWith(bench.send("1"), { code, reached: "unknown" });
    await partner.waitForNoConnection();
    assert.equal(bench.destination.counters.connectionsOpen, 0, JSON.stringify(step));
    const answer = await bench.send("1");
    assert.ok(answer.accepted, "the next attempt uses a new connection");
    assert.equal(partner.connections, 2);
  }
});

Deno.test("send() tells a mismatch by an event of its own, not as a lost connection", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  partner.script({ do: "ack", controlId: "other" });
  await failsWith(bench.send("1"), { code: "delivery.ack_mismatch", reached: "unknown" });
  assert.deepEqual(bench.recorder.kinds, ["ack_mismatch"]);
});

Deno.test("send() accepts an acknowledgement without MSA-2 when lenient, with one event", async () => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "ack", controlId: null } });
  await using bench = new DestinationBench({ port: partner.port });
  assert.ok((await bench.send("1")).accepted);
  assert.ok((await bench.send("2")).accepted);
  assert.deepEqual(bench.recorder.kinds, ["ack_id_absent"]);
});

Deno.test("send() refuses an acknowledgement without MSA-2 when strict", async () => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "ack", controlId: null } });
  await using byOption = new DestinationBench({ port: partner.port }, { verify: "strict" });
  await failsWith(byOption.send("1"), { code: "delivery.ack_id_absent", reached: "unknown" });
  await using bySetting = new DestinationBench({
    port: partner.port,
    verify_ack_control_id: "strict",
  });
  await failsWith(bySetting.send("1"), { code: "delivery.ack_id_absent", reached: "unknown" });
  assert.deepEqual(bySetting.recorder.kinds, ["ack_id_absent"]);
});

Deno.test("send() asks no MSA-2 for a message that has no MSH-10", async () => {
  await using partner = await ScriptedPartner.start({
    otherwise: { do: "ack", controlId: "anything" },
  });
  await using bench = new DestinationBench({ port: partner.port }, { verify: "strict" });
  assert.ok((await bench.destination.send({ text: adt("") }, never)).accepted);
});

Deno.test("send() reads a reply that comes one byte at a time", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  partner.script({ do: "ack", bytewise: true });
  assert.ok((await bench.send("1")).accepted);
});

// Goal: a late answer to one message is never taken for the answer to the next.
Deno.test("send() never takes a late acknowledgement for the next message's", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port, timeout_seconds: 0.3 });
  let answerFirst: () => void = () => {};
  const late = new Promise<void>((resolve) => answerFirst = resolve);
  partner.script({ do: "ack", when: late }, { do: "ack", code: "AE" });
  await failsWith(bench.send("same"), { code: "delivery.ack_timeout", reached: "unknown" });
  const second = bench.send("same");
  answerFirst();
  assert.ok(!(await second).accepted);
  assert.equal(partner.connections, 2);
});

Deno.test("send() does not reuse a connection after bytes that follow the reply", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  partner.script({ do: "ack", trailing: "\r\n" });
  await bench.send("1");
  await bench.send("2");
  assert.equal(partner.connections, 1, "CR and LF are harmless");
  partner.script({ do: "ack", trailing: "\x0bMSH|" });
  await bench.send("3");
  await bench.send("4");
  assert.equal(partner.connections, 2);
});

Deno.test("send() does not reuse a connection on which the partner spoke unasked", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  await bench.send("1");
  partner.say("\x0bMSH|^~\\&|\rMSA|AA|2\r\x1c\r");
  await partner.waitForNoConnection();
  partner.script({ do: "ack", code: "AE" });
  assert.ok(!(await bench.send("2")).accepted);
  assert.equal(partner.connections, 2);
});

Deno.test("send() dials afresh when the partner hung up between messages", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  await bench.send("1");
  partner.hangUp();
  await partner.waitForNoConnection();
  assert.ok((await bench.send("2")).accepted);
  assert.equal(partner.connections, 2);
  assert.deepEqual(bench.recorder.kinds, [], "an idle connection may end");
});

Deno.test("send() replaces connections that are too idle or too old", async () => {
  for (const key of ["idle_timeout_seconds", "max_connection_age_seconds"]) {
    await using partner = await ScriptedPartner.start();
    await using bench = new DestinationBench({ port: partner.port, [key]: 0.4 });
    await bench.send("1");
    await bench.send("2");
    assert.equal(partner.connections, 1, key);
    await pause(450);
    await bench.send("3");
    assert.equal(partner.connections, 2, key);
  }
});

Deno.test("send() says that nothing was reached when no one listens", async () => {
  const port = await freePort();
  await using bench = new DestinationBench({ port });
  const error = await failsWith(bench.send("1"), {
    code: "delivery.connect_failed",
    reached: "no",
  });
  assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
  await failsWith(bench.send("1"), { code: "delivery.connect_failed", reached: "no" });
  assert.deepEqual(bench.recorder.kinds, ["connection_lost"], "told once");
  await using _partner = await ScriptedPartner.start({ port });
  assert.ok((await bench.send("1")).accepted);
  assert.deepEqual(bench.recorder.kinds, ["connection_lost", "connection_restored"]);
});

Deno.test({
  name: "send() names a missing permission to connect",
  permissions: { net: false },
  async fn() {
    await using bench = new DestinationBench({ port: 9 });
    await failsWith(bench.send("1"), { code: "delivery.connect_denied", reached: "no" });
  },
});

Deno.test("send() times out on a partner that accepts and never reads", async () => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "silence" } });
  await using bench = new DestinationBench({ port: partner.port, timeout_seconds: 0.2 });
  const large = adt("1", "X".repeat(8_000_000));
  const delivery = bench.destination.send({ text: large, controlId: "1" }, never);
  await until(() => partner.openConnections === 1, "the connection");
  partner.stopReading();
  await failsWith(delivery, { code: "delivery.write_timeout", reached: "unknown" });
});

Deno.test("send() carries messages larger than any socket buffer", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  const large = adt("1", "X".repeat(3_000_000));
  assert.ok((await bench.destination.send({ text: large, controlId: "1" }, never)).accepted);
  assert.equal(partner.received[0]?.text, large);
  assert.ok((await bench.send("2")).accepted);
  assert.equal(partner.connections, 1);
});

Deno.test("send() refuses a second call while one is under way", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  partner.script({ do: "ack", delayMs: 50 });
  const first = bench.send("1");
  await assert.rejects(bench.send("2"), TypeError);
  assert.ok((await first).accepted);
});

Deno.test("send() ends at an abort, wherever it stands", async () => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "silence" } });
  await using bench = new DestinationBench({ port: partner.port });
  const waiting = new AbortController();
  const delivery = bench.send("1", waiting.signal);
  await partner.waitForFrames(1);
  waiting.abort();
  await failsWith(delivery, { code: "delivery.aborted", reached: "unknown" });
  await partner.waitForNoConnection();

  const dialling = new AbortController();
  const second = bench.send("2", dialling.signal);
  dialling.abort();
  await failsWith(second, { code: "delivery.aborted", reached: "no" });

  await failsWith(bench.send("3", AbortSignal.abort()), {
    code: "delivery.aborted",
    reached: "no",
  });
  assert.equal(partner.received.length, 1);
  assert.deepEqual(bench.recorder.kinds, [], "our own stop is no lost connection");
});

Deno.test("close() ends a delivery under way and refuses later ones", async () => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "silence" } });
  await using bench = new DestinationBench({ port: partner.port });
  const waiting = bench.send("1");
  await partner.waitForFrames(1);
  await bench.destination.close();
  await failsWith(waiting, { code: "delivery.aborted", reached: "unknown" });
  await bench.destination.close();
  await failsWith(bench.send("2"), { code: "delivery.aborted", reached: "no" });

  const dialling = new DestinationBench({ port: partner.port });
  const second = dialling.send("3");
  await dialling.destination.close();
  await failsWith(second, { code: "delivery.aborted", reached: "no" });
  await partner.waitForNoConnection();
  assert.equal(partner.received.length, 1);
});

Deno.test("probe() connects without sending anything", async () => {
  const port = await freePort();
  await using bench = new DestinationBench({ port });
  await failsWith(bench.destination.probe(never), {
    code: "delivery.connect_failed",
    reached: "no",
  });
  await using partner = await ScriptedPartner.start({ port });
  await bench.destination.probe(never);
  await partner.waitForNoConnection();
  assert.equal(partner.connections, 1);
  assert.deepEqual(partner.received, []);
});

Deno.test("send() encodes in the connection's character set, or says where it cannot", async () => {
  await using partner = await ScriptedPartner.start();
  await using latin = new DestinationBench({ port: partner.port, encoding: "iso-8859-1" });
  assert.ok(
    (await latin.destination.send({ text: adt("1", "É"), controlId: "1" }, never)).accepted,
  );
  assert.equal(partner.received[0]?.text, adt("1", "\xc9"));

  const text = adt("2", "č");
  const error = await failsWith(latin.destination.send({ text, controlId: "2" }, never), {
    code: "delivery.unencodable",
    reached: "no",
    permanent: true,
  });
  assert.match(error.message, new RegExp(`position ${text.indexOf("č")}$`));
  assert.doesNotMatch(error.message, /č|TEST/);

  await using utf8 = new DestinationBench({ port: partner.port });
  await utf8.destination.send({ text: adt("3", "É"), controlId: "3" }, never);
  assert.equal(partner.received[1]?.text, adt("3", "\xc3\x89"));
  await failsWith(utf8.destination.send({ text: adt("4", "\ud800") }, never), {
    code: "delivery.unencodable",
    reached: "no",
    permanent: true,
  });
  assert.equal(partner.received.length, 2);
});

Deno.test("send() refuses a message that its own bytes would cut into two", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  for (const text of ["\x1c", "\x1c\r\x0bMSH|", "\x0bMSH|^~\\&|"]) {
    await failsWith(bench.destination.send({ text: adt("1", text) }, never), {
      code: "delivery.unframable",
      reached: "no",
      permanent: true,
    });
  }
  assert.equal(partner.connections, 0);
  assert.ok(
    (await bench.destination.send({ text: adt("1", "\x0b"), controlId: "1" }, never)).accepted,
  );
});

Deno.test("send() rewrites messages with encoding_characters", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({
    port: partner.port,
    encoding_characters: "#@~\\&",
  });
  const answer = await bench.destination.send({ text: adt("1"), controlId: "1" }, never);
  assert.ok(answer.accepted);
  assert.match(
    partner.received[0]?.text ?? "",
    /^MSH#@~\\&#SEND#SITE#.*#ADT@A01@ADT_A01#1#P#2\.5\.1\r/,
  );
  await failsWith(bench.destination.send({ text: "no message" }, never), {
    code: "delivery.not_hl7",
    reached: "no",
    permanent: true,
  });
});

Deno.test("send() counts bytes both ways", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port });
  const answer = await bench.send("1");
  assert.equal(bench.destination.counters.bytesOut, adt("1").length + 3);
  assert.equal(
    bench.destination.counters.bytesIn,
    (answer.accepted && answer.reply?.length || 0) + 3,
  );
});

Deno.test("delivery failures and events hold no byte of a message", async () => {
  await using partner = await ScriptedPartner.start();
  await using bench = new DestinationBench({ port: partner.port, timeout_seconds: 0.3 });
  const seen: unknown[] = [];
  const steps: readonly PartnerStep[] = [
    { do: "silence" },
    { do: "reset" },
    { do: "ack", controlId: "SECRET" },
    { do: "raw", bytes: "\x0bSECRET\x1c\r" },
  ];
  partner.script(...steps);
  for (const _ of steps) {
    const delivery = bench.destination.send({ text: adt("9", "SECRET"), controlId: "9" }, never);
    await assert.rejects(delivery, (error: DeliveryError) => {
      seen.push(error.message, error.hint, String(error.cause));
      return true;
    });
  }
  seen.push(...bench.recorder.events);
  assert.doesNotMatch(JSON.stringify(seen), /SECRET|TEST\^/);
});
