import assert from "node:assert/strict";
import { createLogger, createSink, type LoggerOptions, nullLogger } from "../../src/logging/mod.ts";

const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678), monotonic: () => 0 };

function bench(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = createLogger({ level: "info", format: "text", write, clock, ...options });
  return { log, lines };
}

Deno.test("createLogger() writes text records", () => {
  const { log, lines } = bench();
  log.info("delivery.retried", {
    lane: "OB_LAB",
    attempts: 2,
    ok: false,
    code: null,
    skip: undefined,
  });
  assert.deepEqual(lines, [
    "2026-01-02T03:04:05Z INFO messagefoundry.delivery: " +
    "delivery.retried lane=OB_LAB attempts=2 ok=false code=null",
  ]);
});

Deno.test("createLogger() writes JSON records with the keys collectors expect", () => {
  const { log, lines } = bench({ format: "json" });
  log.error("engine.failed", { room: "store", reason: "a\nb", stack: "Error: PID|1\n at x" });
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "2026-01-02T03:04:05Z",
    level: "ERROR",
    logger: "messagefoundry.engine",
    message: 'engine.failed room=store reason="a\\nb"',
    stack: "Error: PID[redacted]\\n at x",
  });
});

Deno.test("createLogger() redacts free text and trusts, but scrubs, closed-set fields", () => {
  for (const format of ["text", "json"] as const) {
    const { log, lines } = bench({ format });
    log.warning("x.y", {
      reason: "got DOE^JANE^A of Jane Doe",
      error: "born 19800203",
      name: "Results Lab\nINFO forged",
      "odd key": 1,
    });
    const line = lines[0] ?? "";
    assert.ok(!/JANE|Jane|1980/.test(line), line);
    assert.ok(line.includes("Results Lab"));
    assert.ok(!line.includes("\n"));
    assert.ok(line.includes("odd_key=1"));
  }
});

Deno.test("createLogger() writes nothing below its level", () => {
  const { log, lines } = bench({ level: "warning" });
  log.debug("a.b");
  log.info("a.b");
  log.warning("a.b");
  log.error("a.b");
  log.log("critical", "a.b");
  assert.deepEqual(lines.map((line) => line.split(" ")[1]), ["WARNING", "ERROR", "CRITICAL"]);
});

Deno.test("audit() is INFO at every level, with its detail redacted", () => {
  const { log, lines } = bench({ level: "critical" });
  log.audit({ ts: 1.5, action: "login", actor: "admin", channelId: null, detail: "Jane Doe" });
  assert.equal(
    lines[0],
    '2026-01-02T03:04:05Z INFO messagefoundry.audit: {"event":"audit","ts":1.5,"action":"login",' +
      '"actor":"admin","channel_id":null,"detail":"[redacted]"}',
  );
});

Deno.test("createLogger() survives a sink that throws", () => {
  const { log } = bench({
    write: () => {
      throw new Error("pipe closed");
    },
  });
  log.info("a.b");
  assert.equal(log.lost, 1);
});

Deno.test("nullLogger writes nothing and throws nothing", () => {
  assert.equal(nullLogger.info("a.b", { reason: "x" }), undefined);
});

Deno.test("createSink() keeps order and survives short writes", async () => {
  const written: number[] = [];
  const sink = createSink({
    write: (bytes) => {
      const part = bytes.subarray(0, 7);
      written.push(...part);
      return Promise.resolve(part.length);
    },
  });
  for (let i = 0; i < 20; i++) sink.write(`line ${i}`);
  await sink.flush();
  const text = new TextDecoder().decode(new Uint8Array(written));
  assert.equal(text, Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join(""));
  assert.equal(sink.dropped, 0);
});

// Goal: a stalled reader costs lines, not callers. Method: the first write hangs until released.
Deno.test("createSink() drops the oldest lines of a stalled reader and says so", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const chunks: string[] = [];
  const sink = createSink({
    linesMax: 8,
    write: async (bytes) => {
      await promise;
      chunks.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  });
  sink.write("first");
  await Promise.resolve();
  await Promise.resolve();
  for (let i = 0; i < 20; i++) sink.write(`line ${i}`);
  resolve();
  await sink.flush();
  const lines = chunks.join("").trim().split("\n");
  assert.equal(lines[0], "first");
  assert.match(lines[1] ?? "", /logging\.dropped lines=\d+/);
  assert.equal(lines.at(-1), "line 19");
  assert.ok(sink.dropped >= 12 && lines.length <= 10);
});

Deno.test("createSink() gives up quietly when the reader is gone", async () => {
  await using sink = createSink({ write: () => Promise.reject(new Error("broken pipe")) });
  sink.write("x");
  await sink.flush();
  sink.write("y");
});
