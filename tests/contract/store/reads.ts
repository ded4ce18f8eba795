/** What operators see: lists, filters, pages, totals. */
import assert from "node:assert/strict";
import type { MessageFilter, MessageSummary, Store } from "../../../src/store/store.ts";
import { delivery, type StoreBackend, StoreBench } from "./bench.ts";

export function testReads(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: each message is found by each of its names, in the newest-first place it has.
  // Method: a thousand messages in many commits, so that any look-up table a backend fills later
  // than the message itself is crossed several times; every list is held against a plain filter.
  Deno.test(`${name} lists and finds every message, newest first, page by page`, async () => {
    await using bench = await StoreBench.open(backend);
    const made: { id: string; channel: string; controlId: string; messageType: string }[] = [];
    for (let commit = 0; commit < 25; commit += 1) {
      await Promise.all(Array.from({ length: 1 + commit * 3 }, (_, index) => {
        const message = bench.message({
          channel: `IB_${made.length % 3}`,
          controlId: `C${made.length % 70}`,
          messageType: index % 5 === 0 ? "ORU^R01" : "ADT^A01",
        });
        const { id, channel } = message;
        made.push({
          id,
          channel,
          controlId: message.controlId!,
          messageType: message.messageType!,
        });
        return made.length % 4 === 0
          ? bench.store.submit({ kind: "record_error", message, error: "decode error" })
          : bench.store.submit({ kind: "receive", message, token: undefined });
      }));
    }
    const newestFirst = made.map((message, index) => ({
      ...message,
      status: (index + 1) % 4 === 0 ? "error" : "received",
    })).toReversed();
    for (let index = 0; index < 9; index += 1) {
      const channel = `IB_${index % 3}`;
      const parts = { channel, controlId: `P${index}`, messageType: "ADT^A01" };
      const { id } = await bench.queued(["OB"], parts);
      await bench.complete(await bench.take("outbound", "OB"), "OB");
      newestFirst.unshift({ id, ...parts, status: "processed" });
    }

    const unfound = await Promise.all(made.map(async ({ id }) => {
      const found = await bench.store.message(id);
      return found?.id === id ? [] : [id];
    }));
    assert.deepEqual(unfound.flat(), []);

    // Before and after the tables that are filled in bulk have what is newest.
    for (const round of ["at once", "opened again"]) {
      await everyFilter(bench.store, newestFirst, round);
      await bench.reopen();
    }
  });

  Deno.test(`${name} a message shows its rows, its timeline and its latest event`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ channel: "IB_A", sourceType: "file" });
    bench.passSeconds(1);
    await bench.handOff(held, { deliveries: [delivery("OB_A")] });
    bench.passSeconds(1);
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "partner answered AR");
    const detail = await bench.store.message(held.id);
    const start = bench.now - 2_000_000;
    assert.deepEqual(
      detail?.events.map(({ at, event, destination, detail }) => [at, event, destination, detail]),
      [
        [start, "received", null, null],
        [start + 1_000_000, "routed", null, null],
        [start + 1_000_000, "transformed", null, null],
        [bench.now, "dead", "OB_A", "partner answered AR"],
      ],
    );
    const { messages: [summary] } = await bench.store.messages({}, { limit: 1, offset: 0 });
    assert.deepEqual(summary, {
      seq: held.messageSeq,
      id: held.id,
      channel: "IB_A",
      receivedAt: start,
      sourceType: "file",
      controlId: "C1",
      messageType: "ADT^A01",
      status: "error",
      error: "partner answered AR",
      metadata: null,
      purgedAt: null,
      hasBody: true,
      event: "dead",
    });
    assert.equal(await bench.store.message("f".repeat(32)), undefined);
    assert.equal(await bench.store.outboundOf("f".repeat(32)), undefined);
  });

  Deno.test(`${name} shows and finds what a partner wrote into a header, NUL or not`, async () => {
    await using bench = await StoreBench.open(backend);
    const [odd, plain] = [{ controlId: "C\0x", messageType: "ADT\0" }, { controlId: "C" }];
    const held = await bench.receive(odd);
    await bench.receive(plain);
    const page = { limit: 9, offset: 0 };
    const ids = async (filter: MessageFilter) =>
      (await bench.store.messages(filter, page)).messages.map(({ controlId }) => controlId);
    assert.deepEqual(await ids({}), ["C", "C\0x"]);
    assert.deepEqual(await ids({ controlId: "C\0x" }), ["C\0x"]);
    assert.deepEqual(await ids({ messageType: "ADT\0" }), ["C\0x"]);
    assert.equal((await bench.store.message(held.id))?.messageType, "ADT\0");
    await bench.handOff(held, { deliveries: [delivery("OB_A")] });
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR");
    const { deadLetters: [dead] } = await bench.store.deadLetters({}, page);
    assert.deepEqual([dead?.controlId, dead?.messageType], ["C\0x", "ADT\0"]);
  });

  // Goal: lists learn whom messages are about without reading what is large or gone.
  Deno.test(`${name} bodiesOf has the bodies of the messages asked for, but large ones`, async () => {
    await using bench = await StoreBench.open(backend);
    const [first, second, large] = [
      await bench.receive({ raw: "one é" }),
      await bench.receive({ raw: "two" }),
      await bench.receive({ raw: "x".repeat(2_000) }),
    ];
    const numbers = [large, second, first].map(({ messageSeq }) => messageSeq);
    assert.equal((await bench.store.messages({}, { limit: 9, offset: 0 })).total, 3);
    const found = await bench.store.bodiesOf([...numbers, 1e9], 1_000);
    assert.deepEqual(
      found,
      new Map([[first.messageSeq, "one é"], [second.messageSeq, "two"]]),
    );
    assert.equal((await bench.store.bodiesOf([large.messageSeq], 4_000)).size, 1);
    assert.equal((await bench.store.bodiesOf([], 1_000)).size, 0);
  });

  Deno.test(`${name} outboundOf shows what each destination gets, in order`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ raw: "raw" });
    await bench.handOff(held, {
      deliveries: [delivery("OB_B"), delivery("OB_A", { payload: "chan\0ged" })],
      failures: [{ handler: "h", error: "failed" }],
    });
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    const payloads = await bench.store.outboundOf(held.id);
    assert.deepEqual(
      payloads?.map(({ destination, status, payload }) => [destination, status, payload]),
      [["OB_B", "pending", "raw"], ["OB_A", "done", "chan\0ged"]],
    );
  });

  Deno.test(`${name} lists dead letters, newest failure first, by inbound and destination`, async () => {
    await using bench = await StoreBench.open(backend);
    const dead: [id: string, channel: string, destination: string][] = [];
    for (let index = 0; index < 12; index += 1) {
      bench.passSeconds(1);
      const channel = `IB_${index % 2}`;
      const destination = `OB_${index % 3}`;
      const { id } = await bench.queued([destination], { channel });
      await bench.bury(await bench.take("outbound", destination), destination, `reason ${index}`);
      dead.unshift([id, channel, destination]);
    }
    const held = await bench.receive();
    await bench.handOff(held, { failures: [{ handler: "h", error: "failed" }] });

    const list = async (
      filter: { channel?: string; destination?: string },
      limit = 50,
      offset = 0,
    ) => {
      const page = await bench.store.deadLetters(filter, { limit, offset });
      return {
        total: page.total,
        rows: page.deadLetters.map((row) => [row.messageId, row.channel, row.destination]),
      };
    };
    assert.deepEqual(await list({}), { total: 12, rows: dead });
    assert.deepEqual(await list({}, 5, 4), { total: 12, rows: dead.slice(4, 9) });
    const ofOne = dead.filter(([, channel]) => channel === "IB_1");
    assert.deepEqual(await list({ channel: "IB_1" }), { total: 6, rows: ofOne });
    const both = ofOne.filter(([, , destination]) => destination === "OB_2");
    assert.deepEqual(await list({ channel: "IB_1", destination: "OB_2" }), {
      total: 2,
      rows: both,
    });
    assert.deepEqual(await list({ destination: "OB_9" }), { total: 0, rows: [] });

    const { deadLetters: [newest] } = await bench.store.deadLetters({}, { limit: 1, offset: 0 });
    const { seq, messageSeq, ...rest } = newest!;
    assert.ok(seq > messageSeq && messageSeq > 0);
    assert.deepEqual(rest, {
      messageId: dead[0]![0],
      channel: "IB_1",
      destination: "OB_2",
      attempts: 1,
      lastError: "reason 11",
      failedAt: bench.now,
      controlId: "C12",
      messageType: "ADT^A01",
      receivedAt: bench.now,
      hasBody: true,
    });
  });

  Deno.test(`${name} lists connection events by connection, kind and age`, async () => {
    await using bench = await StoreBench.open(backend);
    const event = (at: number, connection: string, kind: string, reason?: string) => ({
      at: bench.now + at,
      connection,
      transport: "mllp",
      direction: "inbound" as const,
      event: kind,
      peer: "192.0.2.1",
      reason,
    });
    const events = [
      event(0, "IB_A", "established"),
      event(1, "IB_A", "closed"),
      event(2, "IB_B", "established"),
      event(3, "IB_A", "framing_error", "no start byte"),
      event(4, "IB_B", "peer_reset"),
    ];
    assert.deepEqual(await bench.store.submit({ kind: "connection_events", events }), {});
    const list = async (
      filter: { connection?: string; kinds?: string[]; since?: number },
      limit = 50,
    ) =>
      (await bench.store.connectionEvents({ ...filter, limit })).map(({ id: _, ...rest }) => rest);
    const [a1, a2, b1, a3, b2] = events;
    assert.deepEqual(await list({}), [b2, a3, b1, a2, a1]);
    assert.deepEqual(await list({}, 2), [b2, a3]);
    assert.deepEqual(await list({ connection: "IB_A" }), [a3, a2, a1]);
    assert.deepEqual(await list({ connection: "IB_A" }, 1), [a3]);
    assert.deepEqual(await list({ kinds: ["established", "peer_reset"] }), [b2, b1, a1]);
    assert.deepEqual(await list({ connection: "IB_B", kinds: ["established"] }), [b1]);
    assert.deepEqual(await list({ since: bench.now + 3 }), [b2, a3]);
    assert.deepEqual(await list({ connection: "IB_A", since: bench.now + 1 }), [a3, a2]);
    assert.deepEqual(await list({ kinds: ["rese"] }), []);
  });

  Deno.test(`${name} totals and counters count what was stored`, async () => {
    await using bench = await StoreBench.open(backend);
    const before = await bench.store.counters();
    const { id } = await bench.queued(["OB_A", "OB_B"]);
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    const { messages, sizeBytes } = await bench.store.totals();
    assert.equal(messages, 1);
    assert.ok(sizeBytes > 0);
    assert.deepEqual(await bench.store.outbox(), { deliveries: 2, dead: 0, cancelled: 0 });
    assert.deepEqual(await bench.store.openRows(), { inPipeline: 1, pending: 1, inflight: 0 });
    const after = await bench.store.counters();
    assert.equal(after.intents - before.intents, 4);
    assert.ok(after.commits - before.commits <= 4);
    assert.equal((await bench.look(id)).status, "routed");
  });
}

interface Listed extends Pick<MessageSummary, "id" | "channel" | "controlId" | "messageType"> {
  readonly status: string;
}

async function everyFilter(store: Store, newestFirst: readonly Listed[], round: string) {
  const filters: readonly MessageFilter[] = [
    {},
    { channel: "IB_1" },
    { controlId: "C7" },
    { messageType: "ORU^R01" },
    { status: "error" },
    { status: "processed" },
    { status: "filtered" },
    { status: "nothing" },
    { status: "processed", messageType: "ADT^A01" },
    { status: "received", messageType: "ADT^A01" },
    { channel: "IB_1", status: "processed" },
    { channels: ["IB_1", "IB_2"], status: "processed" },
    { channels: ["IB_1", "IB_2"], status: "received", controlId: "C7" },
    { channels: ["IB_0", "IB_2"], status: "error" },
    { channel: "IB_1", status: "error" },
    { channel: "IB_2", messageType: "ORU^R01", status: "received" },
    { channel: "IB_1", controlId: "C7" },
    { controlId: "C7", status: "error" },
    { controlId: "C7", messageType: "ADT^A01", channel: "IB_0", status: "received" },
    { channel: "IB_9" },
    { controlId: "none" },
    { channels: ["IB_1"] },
    { channels: ["IB_1", "IB_2", "IB_9"] },
    { channels: [] },
    { channels: ["IB_1", "IB_2"], status: "error", messageType: "ORU^R01" },
    { channels: ["IB_1", "IB_2"], controlId: "C7" },
    { channels: ["IB_1", "IB_2"], channel: "IB_2" },
    { channels: ["IB_1"], channel: "IB_2" },
  ];
  for (const filter of filters) {
    const expected = newestFirst.filter((message) =>
      Object.entries(filter).every(([key, value]) =>
        key === "channels"
          ? value.includes(message.channel)
          : message[key as keyof typeof message] === value
      )
    ).map(({ id }) => id);
    const title = `${round}: ${JSON.stringify(filter)}`;
    const all = await store.messages(filter, { limit: 2_000, offset: 0 });
    assert.deepEqual(all.messages.map(({ id }) => id), expected, title);
    assert.equal(all.total, expected.length, title);
    const offset = Math.floor(expected.length / 2);
    const page = await store.messages(filter, { limit: 7, offset });
    assert.deepEqual(
      page.messages.map(({ id }) => id),
      expected.slice(offset, offset + 7),
      title,
    );
    assert.equal(page.total, expected.length, title);
  }
}
