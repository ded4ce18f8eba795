import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { IntakeAnswer } from "../../../src/connectors/connector.ts";
import { ConnectorError } from "../../../src/connectors/connector.ts";
import { MllpSender } from "../mllp_sender.ts";
import { acknowledgementFor, framed } from "../scripted_partner.ts";
import { freePort, pause, until, within } from "../waiting.ts";
import { accept, acknowledged, adt, SourceBench } from "./bench.ts";

Deno.test("MllpSource takes a frame split after every byte for one message", async () => {
  await using bench = await SourceBench.open();
  using sender = await MllpSender.connect(bench.port);
  for (const byte of framed(adt("1"))) {
    await new Promise<void>((resolve) => sender.socket.write(Uint8Array.of(byte), () => resolve()));
  }
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["1"]);
  assert.deepEqual(bench.texts, [adt("1")]);
});

Deno.test("MllpSource answers two frames of one read in order, junk between dropped", async () => {
  await using bench = await SourceBench.open();
  using sender = await MllpSender.connect(bench.port);
  sender.write(Buffer.concat([framed(adt("1"), "\r\n"), framed(adt("2"))]));
  assert.deepEqual(acknowledged(await sender.waitForReplies(2)), ["1", "2"]);
});

Deno.test("MllpSource drops a frame that its sender began anew, with an event", async () => {
  await using bench = await SourceBench.open();
  using sender = await MllpSender.connect(bench.port);
  sender.write(`\x0b${adt("1")}`);
  sender.write(framed(adt("2")));
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["2"]);
  assert.deepEqual(bench.texts, [adt("2")]);
  assert.deepEqual(bench.recorder.kinds, ["established", "framing_error"]);
});

Deno.test("MllpSource hands over empty frames, for intake refuses them", async () => {
  await using bench = await SourceBench.open();
  using sender = await MllpSender.connect(bench.port);
  sender.write("\x0b\x1c\r");
  await until(() => bench.received.length === 1, "the empty frame");
  assert.equal(bench.received[0]?.bytes.length, 0);
});

Deno.test("MllpSource tells peer and connection of each message", async () => {
  await using bench = await SourceBench.open();
  using one = await MllpSender.connect(bench.port);
  using other = await MllpSender.connect(bench.port);
  one.send(adt("1"), adt("2"));
  await one.waitForReplies(2);
  other.send(adt("3"));
  await other.waitForReplies(1);
  const [first, second, third] = bench.received.map((message) => message.connectionId);
  assert.equal(first, second);
  assert.notEqual(second, third);
  assert.deepEqual(bench.received.map((message) => message.peer), Array(3).fill("127.0.0.1"));
});

// Goal: read-ahead shares a commit, and replies still keep the order of arrival.
Deno.test("MllpSource hands frames over without waiting and replies in arrival order", async () => {
  const answers = new Map<string, (answer: IntakeAnswer) => void>();
  await using bench = await SourceBench.open({}, {
    intake: (message) =>
      new Promise((resolve) => answers.set(idOf(message.bytes), () => resolve(accept(message)))),
  });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"), adt("2"), adt("3"));
  await until(() => answers.size === 3, "three messages at intake");
  release(answers, "3");
  release(answers, "2");
  await pause(30);
  assert.equal(sender.replies.length, 0, "nothing may overtake the first");
  release(answers, "1");
  assert.deepEqual(acknowledged(await sender.waitForReplies(3)), ["1", "2", "3"]);
});

Deno.test("MllpSource writes the replies of one commit at once", async () => {
  let commit: () => void = () => {};
  const committed = new Promise<void>((resolve) => commit = resolve);
  await using bench = await SourceBench.open({}, {
    intake: async (message) => {
      await committed;
      return accept(message);
    },
  });
  using sender = await MllpSender.connect(bench.port);
  sender.send(...Array.from({ length: 40 }, (_, n) => adt(String(n))));
  await until(() => bench.received.length === 40, "forty messages at intake");
  commit();
  await sender.waitForReplies(40);
  assert.ok(sender.reads <= 2, `forty replies took ${sender.reads} reads`);
});

Deno.test("MllpSource stops reading at 64 unanswered frames and goes on when answered", async () => {
  const answers: (() => void)[] = [];
  await using bench = await SourceBench.open({}, {
    intake: (message) =>
      new Promise((resolve) => answers.push(() => resolve(accept(message) as IntakeAnswer))),
  });
  using sender = await MllpSender.connect(bench.port);
  const ids = Array.from({ length: 200 }, (_, n) => String(n));
  sender.send(...ids.map((id) => adt(id)));
  await until(() => bench.received.length >= 64, "64 messages at intake");
  await pause(30);
  assert.equal(bench.received.length, 64);
  for (let n = 0; n < 200; n++) {
    await until(() => answers.length > 0, "the next message");
    answers.shift()?.();
  }
  assert.deepEqual(acknowledged(await sender.waitForReplies(200)), ids);
});

Deno.test("MllpSource closes without reply when a message is not stored", async () => {
  await using bench = await SourceBench.open({}, {
    intake: (message) => idOf(message.bytes) === "2" ? { stored: false } : accept(message),
  });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"), adt("2"), adt("3"));
  await within(sender.closed, "the close");
  assert.deepEqual(acknowledged(sender.replies), ["1"]);
  assert.deepEqual(bench.recorder.kinds, ["established", "intake_error"]);
});

Deno.test("MllpSource treats an intake that throws as not stored", async () => {
  await using bench = await SourceBench.open({}, { intake: () => Promise.reject(new Error("no")) });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"));
  await within(sender.closed, "the close");
  assert.deepEqual(sender.replies, []);
  assert.deepEqual(bench.recorder.kinds, ["established", "intake_error"]);
});

Deno.test("MllpSource writes nothing for a stored message without reply", async () => {
  await using bench = await SourceBench.open({}, {
    intake: (message) =>
      idOf(message.bytes) === "1"
        ? { stored: true, accepted: true, reply: undefined }
        : accept(message),
  });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"), adt("2"));
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["2"]);
});

Deno.test("MllpSource drops the connection at a frame over the cap, nothing handed over", async () => {
  await using bench = await SourceBench.open({ max_frame_bytes: 400 });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"), adt("2", "X".repeat(400)));
  await within(sender.closed, "the close");
  assert.deepEqual(acknowledged(sender.replies), ["1"]);
  assert.equal(bench.received.length, 1);
  assert.deepEqual(bench.recorder.kinds, ["established", "frame_oversize"]);
});

Deno.test("MllpSource drops a partial frame whose sender closes", async () => {
  await using bench = await SourceBench.open();
  using sender = await MllpSender.connect(bench.port);
  sender.write(`\x0b${adt("1")}`);
  sender.socket.end();
  await bench.recorder.waitFor("closed");
  assert.equal(bench.received.length, 0);
  assert.deepEqual(sender.replies, []);
  assert.deepEqual(bench.recorder.events.at(-1)?.reason, "eof");
});

Deno.test("MllpSource still answers a sender that closed its sending side", async () => {
  await using bench = await SourceBench.open({}, {
    intake: async (message) => {
      await pause(30);
      return accept(message);
    },
  });
  using sender = await MllpSender.connect(bench.port);
  sender.socket.end(framed(adt("1")));
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["1"]);
  await within(sender.closed, "the close");
});

// Goal: what was framed whole is taken, though its sender hangs up while the source is not reading.
Deno.test("MllpSource takes the frames that wait for room when their sender closes", async () => {
  await using bench = await SourceBench.open({}, {
    intake: async (message) => {
      await pause(30);
      return accept(message);
    },
  });
  using sender = await MllpSender.connect(bench.port);
  const ids = Array.from({ length: 200 }, (_, n) => String(n));
  sender.socket.end(Buffer.concat(ids.map((id) => framed(adt(id)))));
  assert.deepEqual(acknowledged(await sender.waitForReplies(200)), ids);
  await within(sender.closed, "the close");
  assert.equal(bench.recorder.events.at(-1)?.reason, "eof");
});

Deno.test("MllpSource survives a reset while a message is under way", async () => {
  let answer: () => void = () => {};
  await using bench = await SourceBench.open({}, {
    intake: (message) =>
      new Promise((resolve) => answer = () => resolve(accept(message) as IntakeAnswer)),
  });
  const sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"));
  await until(() => bench.received.length === 1, "the message");
  sender.socket.resetAndDestroy();
  await bench.recorder.waitFor("peer_reset");
  answer();
  await until(() => bench.source.counters.connectionsOpen === 0, "the connection to go");
  bench.intake = accept;
  using next = await MllpSender.connect(bench.port);
  next.send(adt("1"));
  assert.deepEqual(acknowledged(await next.waitForReplies(1)), ["1"]);
});

Deno.test("MllpSource closes a connection beyond max_connections at once", async () => {
  await using bench = await SourceBench.open({ max_connections: 1 });
  using first = await MllpSender.connect(bench.port);
  using second = await MllpSender.connect(bench.port);
  await within(second.closed, "the refusal");
  assert.equal(bench.source.counters.connectionsRefused, 1);
  first.send(adt("1"));
  await first.waitForReplies(1);
  assert.deepEqual(bench.recorder.kinds, ["established", "at_capacity"]);
  first.socket.end();
  await within(first.closed, "the close");
  await until(() => bench.source.counters.connectionsOpen === 0, "room");
  using third = await MllpSender.connect(bench.port);
  third.send(adt("2"));
  assert.deepEqual(acknowledged(await third.waitForReplies(1)), ["2"]);
});

Deno.test("MllpSource refuses peers that are not allow-listed", async () => {
  await using bench = await SourceBench.open({}, { allowlist: ["10.0.0.0/8", "127.0.0.9"] });
  using stranger = await MllpSender.connect(bench.port);
  await within(stranger.closed, "the refusal");
  using friend = await MllpSender.connect(bench.port, { localAddress: "127.0.0.9" });
  friend.send(adt("1"));
  await friend.waitForReplies(1);
  assert.deepEqual(bench.recorder.kinds, ["peer_not_allowlisted", "established"]);
  assert.equal(bench.recorder.events[0]?.peer, "127.0.0.1");
});

Deno.test("MllpSource closes an idle connection after receive_timeout", async () => {
  await using bench = await SourceBench.open({ receive_timeout: 0.1 });
  using sender = await MllpSender.connect(bench.port);
  const began = performance.now();
  await within(sender.closed, "the time-out", 2_000);
  assert.ok(performance.now() - began > 90);
  assert.deepEqual(bench.recorder.events.at(-1)?.reason, "idle_timeout");
});

Deno.test("MllpSource does not call a partner idle that waits for our answer", async () => {
  await using bench = await SourceBench.open({ receive_timeout: 0.15 }, {
    intake: async (message) => {
      await pause(500);
      return accept(message);
    },
  });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"));
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["1"]);
});

Deno.test("MllpSource bounds a frame that trickles to ten times receive_timeout", async () => {
  await using bench = await SourceBench.open({ receive_timeout: 0.1 });
  using sender = await MllpSender.connect(bench.port);
  sender.write("\x0b");
  const trickle = setInterval(() => sender.write("x"), 20);
  const began = performance.now();
  try {
    await within(sender.closed, "the time-out", 4_000);
  } finally {
    clearInterval(trickle);
  }
  assert.ok(performance.now() - began >= 980);
  assert.equal(bench.received.length, 0);
});

// Goal: a partner that never reads its replies cannot make us hold them without bound.
Deno.test("MllpSource stops reading from a partner that does not read, then drops it", async () => {
  const reply = new Uint8Array(100_000);
  await using bench = await SourceBench.open({ receive_timeout: 0.3 }, {
    intake: () => ({ stored: true, accepted: true, reply }),
  });
  using sender = await MllpSender.connect(bench.port);
  sender.socket.pause();
  const offered = 2_000;
  sender.send(...Array.from({ length: offered }, (_, n) => adt(String(n))));
  await until(() => bench.recorder.kinds.length > 1, "the end of the connection");
  assert.ok(bench.received.length < offered / 4, `${bench.received.length} were taken`);
  assert.equal(bench.recorder.events.at(-1)?.reason, "idle_timeout");
});

// Method: random streams over real sockets, cut at random, against frames found byte by byte.
Deno.test("MllpSource takes random bytes without losing or inventing a frame", async () => {
  await using bench = await SourceBench.open({}, {
    intake: () => ({ stored: true, accepted: true, reply: undefined }),
  });
  const pieces = ["\x0b", "\x0b", "\x1c\r", "\x1c", "MSH|", "\r\n", "PID|1\r", "\x0bMSH|"];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...pieces), { maxLength: 80 }),
      fc.array(fc.nat(300), { maxLength: 6 }),
      async (parts, cuts) => {
        bench.received.length = 0;
        const stream = Buffer.from(parts.join(""), "latin1");
        using sender = await MllpSender.connect(bench.port);
        for (const chunk of cutAt(stream, cuts)) {
          await new Promise<void>((resolve) => sender.socket.write(chunk, () => resolve()));
        }
        sender.socket.end();
        await within(sender.closed, "the end");
        assert.deepEqual(bench.texts, framesIn(stream.toString("latin1")));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("MllpSource never times out when receive_timeout is off", async () => {
  await using bench = await SourceBench.open({ receive_timeout: 0 });
  using sender = await MllpSender.connect(bench.port);
  await pause(100);
  sender.send(adt("1"));
  await sender.waitForReplies(1);
});

Deno.test("stop() lets messages under way be answered and takes no new ones", async () => {
  let answer: () => void = () => {};
  await using bench = await SourceBench.open({}, {
    intake: (message) =>
      new Promise((resolve) => answer = () => resolve(accept(message) as IntakeAnswer)),
  });
  using sender = await MllpSender.connect(bench.port);
  const port = bench.port;
  sender.send(adt("1"));
  await until(() => bench.received.length === 1, "the message");
  const stopped = bench.source.stop();
  assert.equal(bench.source.stop(), stopped, "stop() is idempotent");
  sender.send(adt("2"));
  await pause(30);
  answer();
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["1"]);
  await within(stopped, "the stop");
  assert.equal(bench.received.length, 1);
  await assert.rejects(MllpSender.connect(port), { code: "ECONNREFUSED" });
  assert.equal(bench.source.counters.connectionsOpen, 0);
});

Deno.test("stop() drops what is not answered in five seconds", async () => {
  await using bench = await SourceBench.open({}, { intake: () => new Promise(() => {}) });
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"));
  await until(() => bench.received.length === 1, "the message");
  const began = performance.now();
  await within(bench.source.stop(), "the stop", 8_000);
  const took = performance.now() - began;
  assert.ok(took > 4_800 && took < 6_500, `took ${took} ms`);
  assert.deepEqual(sender.replies, []);
});

Deno.test("MllpSource may be started again after a stop", async () => {
  await using bench = await SourceBench.open();
  await bench.source.stop();
  await bench.start();
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"));
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["1"]);
});

Deno.test("start() names a port in use", async () => {
  await using first = await SourceBench.open();
  await assert.rejects(SourceBench.open({}, { port: first.port }), (error) => {
    assert.ok(error instanceof ConnectorError);
    assert.equal(error.code, "connector.bind_in_use");
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${first.port}`));
    assert.ok(error.hint);
    return true;
  });
});

Deno.test("start() names an address this machine does not have", async () => {
  await assert.rejects(SourceBench.open({}, { bindHost: "192.0.2.7" }), {
    code: "connector.bind_unavailable",
  });
});

// Goal: a refused listen throws where nobody can catch it, so the permission is asked for first.
Deno.test({
  name: "start() names a missing permission and keeps the process alive",
  permissions: { net: false },
  async fn() {
    await assert.rejects(SourceBench.open(), { code: "connector.bind_denied" });
  },
});

// Goal: a name and its address are granted apart; the second refusal must not escape either.
Deno.test({
  name: "start() names a missing permission for the address of a name",
  permissions: { net: ["localhost"] },
  async fn() {
    await assert.rejects(SourceBench.open({}, { bindHost: "localhost" }), {
      code: "connector.bind_denied",
    });
  },
});

Deno.test("MllpSource listens on a name", async () => {
  await using bench = await SourceBench.open({}, { bindHost: "localhost" });
  using sender = await MllpSender.connect(bench.port, { host: "localhost" });
  sender.send(adt("1"));
  assert.deepEqual(acknowledged(await sender.waitForReplies(1)), ["1"]);
});

Deno.test("MllpSource counts bytes both ways", async () => {
  await using bench = await SourceBench.open();
  using sender = await MllpSender.connect(bench.port);
  sender.send(adt("1"));
  await sender.waitForReplies(1);
  assert.equal(bench.source.counters.bytesIn, framed(adt("1")).length);
  assert.equal(bench.source.counters.bytesOut, framed(acknowledgementFor(adt("1"))).length);
  assert.equal(bench.source.counters.connectionsOpen, 1);
});

Deno.test("MllpSource events hold no byte of a message", async () => {
  await using bench = await SourceBench.open({ max_frame_bytes: 300 });
  using sender = await MllpSender.connect(bench.port);
  sender.write(`\x0b${adt("1", "SECRET")}`);
  sender.send(adt("2", "SECRET".repeat(60)));
  await within(sender.closed, "the close");
  assert.ok(bench.recorder.events.length >= 3);
  assert.doesNotMatch(JSON.stringify(bench.recorder.events), /SECRET|TEST\^/);
});

Deno.test("MllpSource listens on IPv6", async () => {
  const port = await freePort("::1").catch(() => undefined);
  if (port === undefined) {
    console.log("skipped: this machine has no IPv6 loopback");
    return;
  }
  await using bench = await SourceBench.open({}, { bindHost: "::1", allowlist: ["::1/128"] });
  using sender = await MllpSender.connect(bench.port, { host: "::1" });
  sender.send(adt("1"));
  await sender.waitForReplies(1);
  assert.equal(bench.received[0]?.peer, "::1");
});

function cutAt(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
  return [...at, stream.length].map((until, n) => stream.subarray(at[n - 1] ?? 0, until));
}

/** Bodies between start and end byte; a start byte before `MSH` begins anew. */
function framesIn(stream: string): string[] {
  return stream.split("\x1c").slice(0, -1).flatMap((upToEnd) => {
    const start = upToEnd.indexOf("\x0b");
    if (start === -1) return [];
    const restart = upToEnd.lastIndexOf("\x0bMSH");
    return [upToEnd.slice(Math.max(start, restart) + 1)];
  });
}

function idOf(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes).split("|")[9] ?? "";
}

function release(answers: Map<string, (answer: IntakeAnswer) => void>, id: string): void {
  answers.get(id)?.({ stored: false });
}
