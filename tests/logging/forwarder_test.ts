// Goal: a collector, whatever it does, costs records at most: no log call waits, memory is bounded,
// drops are counted and told. Method: collectors of every temper on loopback.
import assert from "node:assert/strict";
import {
  createLogger,
  type Forwarder,
  type ForwarderOptions,
  type Log,
  type LogRecord,
  startForwarder,
} from "../../src/logging/mod.ts";
import { freePort, pause, until, within } from "../connectors/waiting.ts";
import { resetting, slow, stalled, tcpCollector, udpCollector } from "./collectors.ts";

interface Bench extends AsyncDisposable {
  readonly logger: Log;
  readonly forwarder: Forwarder;
  /** What the other sink of the logger has seen. */
  readonly local: LogRecord[];
}

function bench(options: Partial<ForwarderOptions> & { port: number }): Bench {
  const local: LogRecord[] = [];
  const logger = createLogger({
    level: "info",
    sinks: [{ write: (each) => void local.push(each) }],
  });
  const forwarder = startForwarder({
    protocol: "tcp",
    host: "127.0.0.1",
    format: "text",
    logger,
    backoff: { backoffMs: 10, multiplier: 2, maxBackoffMs: 40 },
    stallMs: 200,
    closeMs: 500,
    ...options,
  });
  logger.attach(forwarder);
  return {
    logger,
    forwarder,
    local,
    [Symbol.asyncDispose]: () => forwarder[Symbol.asyncDispose](),
  };
}

function events(local: readonly LogRecord[]): string[] {
  return local.map(({ event }) => event).filter((event) => event.startsWith("logging."));
}

function seen(messages: readonly string[]): string[] {
  return messages.map((message) => /n=(\d+)/.exec(message)?.[1] ?? "").filter((n) => n !== "");
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

Deno.test("startForwarder() sends every record over TCP, in order, each a frame", async () => {
  await using collector = await tcpCollector();
  await using walk = bench({ port: collector.port });
  for (let n = 0; n < 1_000; n++) walk.logger.info("a.b", { n });
  await until(() => collector.messages.length === 1_000, "the records");
  assert.deepEqual(seen(collector.messages), numbers(1_000));
  assert.match(
    collector.messages[0] ?? "",
    /^<14>1 \S+ - messagefoundry \d+ a\.b - \d{4}-\S+ INFO/,
  );
  assert.equal(walk.forwarder.forwarded, 1_000);
  assert.equal(walk.forwarder.dropped, 0);
  assert.equal(collector.connections, 1);
});

Deno.test("startForwarder() sends a datagram a record, also to a name", async () => {
  for (const host of ["127.0.0.1", "localhost"]) {
    await using collector = udpCollector();
    await using walk = bench({ protocol: "udp", host, port: collector.port, format: "json" });
    for (let n = 0; n < 50; n++) walk.logger.info("a.b", { n });
    await until(() => collector.messages.length === 50, "the datagrams");
    assert.deepEqual(seen(collector.messages), numbers(50));
    const [message = ""] = collector.messages;
    assert.equal(JSON.parse(message.slice(message.indexOf("{"))).logger, "messagefoundry.a");
  }
});

Deno.test("startForwarder() tells once that a collector is away, and gives it what waited", async () => {
  const port = await freePort();
  await using walk = bench({ port });
  for (let n = 0; n < 20; n++) walk.logger.info("a.b", { n });
  await until(
    () => walk.local.some(({ event }) => event === "logging.forward_lost"),
    "the warning",
  );
  await pause(100);
  assert.deepEqual(events(walk.local), ["logging.forward_lost"]);
  assert.match(
    walk.local.at(-1)?.message ?? "",
    new RegExp(`collector=tcp:127\\.0\\.0\\.1:${port} error=ConnectionRefused$`),
  );
  await using collector = await tcpCollector({ port });
  await until(() => collector.messages.length === 22, "what waited");
  assert.deepEqual(seen(collector.messages), numbers(20));
  assert.deepEqual(events(walk.local), ["logging.forward_lost", "logging.forward_restored"]);
});

Deno.test("startForwarder() drops the oldest while a collector is away, and says how many", async () => {
  const port = await freePort();
  await using walk = bench({ port, bounds: { recordsMax: 50 } });
  walk.logger.info("a.b");
  await until(
    () => walk.local.some(({ event }) => event === "logging.forward_lost"),
    "the warning",
  );
  for (let n = 0; n < 500; n++) walk.logger.info("a.b", { n });
  // What was being sent when the link broke waits beside the buffer.
  assert.ok(walk.forwarder.waiting <= 50 + 128);
  assert.ok(walk.forwarder.dropped >= 500 - 50 - 128);
  await until(() => walk.local.at(-1)?.event === "logging.forward_dropped", "the drops told");
  await using collector = await tcpCollector({ port });
  await until(() => seen(collector.messages).at(-1) === "499", "the newest");
  await until(
    () => collector.messages.some((message) => message.includes("logging.forward_dropped")),
    "the drops told to the collector",
  );
  const told = walk.local.filter(({ event }) => event === "logging.forward_dropped");
  const sum = told.reduce(
    (all, { message }) => all + Number(/records=(\d+)/.exec(message)?.[1]),
    0,
  );
  assert.equal(sum, walk.forwarder.dropped);
  const got = seen(collector.messages).map(Number);
  assert.deepEqual(got, got.toSorted((a, b) => a - b), "those that are left keep their order");
});

Deno.test("startForwarder() connects again after a reset and after a restart", async () => {
  const port = await freePort();
  const first = await tcpCollector({ port });
  await using walk = bench({ port });
  walk.logger.info("a.b", { n: 1 });
  await until(() => seen(first.messages).length === 1, "the first");
  first.reset();
  await until(() => {
    // A record that was on its way into the reset is gone with it; the next ones are not.
    walk.logger.info("a.b", { n: 2 });
    return seen(first.messages).includes("2");
  }, "a record after the reset");
  await first[Symbol.asyncDispose]();
  walk.logger.info("a.b", { n: 3 });
  await pause(30);
  walk.logger.info("a.b", { n: 4 });
  await using second = await tcpCollector({ port });
  await until(() => seen(second.messages).includes("4"), "a record after the restart");
});

// Goal: a record too large for the buffer takes the others with it, and the forwarder goes on.
Deno.test("startForwarder() goes on after a record emptied its buffer during a failure", async () => {
  const port = await freePort();
  const first = await tcpCollector({ port });
  await using walk = bench({ port, bounds: { sizeMax: 2_000 } });
  walk.logger.info("a.b", { n: 1 });
  await until(() => seen(first.messages).length === 1, "the first");
  await first[Symbol.asyncDispose]();
  await pause(20);
  await using second = await tcpCollector({ port });
  walk.logger.info("a.b", { n: 2 });
  await until(() => walk.local.some(({ event }) => event === "logging.forward_lost"), "the end");
  walk.logger.info("a.b", { reason: "x".repeat(3_000) });
  assert.equal(walk.forwarder.waiting, 0);
  await pause(50);
  walk.logger.info("a.b", { n: 3 });
  await until(() => seen(second.messages).includes("3"), "the record after it");
});

// Goal: a collector that ends every connection gets no storm of them, and neither does the log.
Deno.test("startForwarder() waits between connections that a collector ends, and tells once", async () => {
  await using collector = await tcpCollector({ temper: resetting });
  const backoff = { backoffMs: 50, multiplier: 2, maxBackoffMs: 50 };
  await using walk = bench({ port: collector.port, backoff });
  const started = performance.now();
  await until(() => {
    walk.logger.info("a.b");
    return collector.connections === 4;
  }, "four connections");
  assert.ok(performance.now() - started >= 100, "connections without a wait");
  assert.deepEqual(events(walk.local), ["logging.forward_lost", "logging.forward_restored"]);
});

/** Logs a lot at once and returns how long the slowest hundredth of the calls took, at least. */
function burst(logger: Log, count: number): { p99Ms: number; totalMs: number } {
  const took: number[] = [];
  const started = performance.now();
  for (let n = 0; n < count; n++) {
    const before = performance.now();
    logger.info("a.b", { n, reason: "x".repeat(500) });
    took.push(performance.now() - before);
  }
  const totalMs = performance.now() - started;
  took.sort((a, b) => a - b);
  return { p99Ms: took[Math.floor(count * 0.99)] ?? 0, totalMs };
}

const tempers = { stalled, resetting, slow };
for (const [name, temper] of Object.entries(tempers)) {
  Deno.test(`startForwarder() lets no log call wait for a ${name} collector`, async () => {
    await using collector = await tcpCollector({ temper });
    await using walk = bench({ port: collector.port, bounds: { recordsMax: 1_000 } });
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 5);
    for (let round = 0; round < 10; round++) {
      const { p99Ms, totalMs } = burst(walk.logger, 3_000);
      // Far above what a call takes (some 10 µs), far below what any wait would.
      assert.ok(p99Ms < 20 && totalMs < 5_000, `${p99Ms} ms, ${totalMs} ms in all`);
      assert.ok(walk.forwarder.waiting <= 1_128, "the buffer is bounded");
      const before = ticks;
      await until(() => ticks > before + 2, "the process to go on");
    }
    clearInterval(ticker);
    await until(
      () => walk.local.some(({ event }) => event === "logging.forward_dropped"),
      "the drops told",
    );
    const { forwarded, dropped, waiting } = walk.forwarder;
    assert.ok(forwarded + dropped + waiting >= 30_000, "each record is somewhere");
    assert.ok(dropped > 0);
  });
}

Deno.test("startForwarder() takes nobody at the other end of its datagrams for no failure", async () => {
  const port = await freePort();
  await using nobody = bench({ protocol: "udp", port });
  const { totalMs } = burst(nobody.logger, 2_000);
  assert.ok(totalMs < 3_000);
  await until(() => nobody.forwarder.waiting === 0, "the datagrams to leave");
  await using nowhere = bench({ protocol: "udp", host: "::1", port, bounds: { sizeMax: 10_000 } });
  assert.ok(burst(nowhere.logger, 2_000).totalMs < 3_000);
  assert.ok(nowhere.forwarder.dropped > 0);
});

Deno.test("startForwarder() gives what is buffered its time at the end, and no more", async () => {
  const collector = await tcpCollector();
  const walk = bench({ port: collector.port });
  for (let n = 0; n < 500; n++) walk.logger.info("a.b", { n });
  await walk[Symbol.asyncDispose]();
  await until(() => seen(collector.messages).length === 500, "all of them");
  assert.equal(walk.forwarder.dropped, 0);
  walk.logger.info("a.b");
  assert.equal(walk.forwarder.dropped, 1, "after the end nothing is taken");
  await collector[Symbol.asyncDispose]();
});

Deno.test("startForwarder() ends at once without its collector, in time with a stalled one", async () => {
  const away = bench({ port: await freePort(), closeMs: 30_000 });
  away.logger.info("a.b");
  await until(() => away.local.length === 2, "the warning");
  await within(Promise.resolve(away[Symbol.asyncDispose]()), "the end", 1_000);
  assert.match(
    away.local.at(-1)?.message ?? "",
    /^logging\.forward_dropped .* records=\d+ total=\d+$/,
  );
  await using collector = await tcpCollector({ temper: stalled });
  const stuck = bench({ port: collector.port, stallMs: 30_000, closeMs: 50 });
  for (let n = 0; n < 9_000; n++) stuck.logger.info("a.b", { reason: "x".repeat(1_000) });
  await pause(50);
  await within(Promise.resolve(stuck[Symbol.asyncDispose]()), "the end", 2_000);
  assert.ok(stuck.forwarder.dropped > 0);
});
