import assert from "node:assert/strict";
import {
  createLogger,
  type LogFormat,
  type LoggerOptions,
  type LogSink,
  nullLogger,
  renderRecord,
} from "../../src/logging/mod.ts";

const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678), monotonic: () => 0 };

function bench(
  { format = "text", ...options }: Partial<LoggerOptions> & { format?: LogFormat } = {},
) {
  const lines: string[] = [];
  const sink: LogSink = { write: (record) => void lines.push(renderRecord(record, format)) };
  const log = createLogger({ level: "info", sinks: [sink], clock, ...options });
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

// Goal: knowing a value by its field's name does not let a message through it.
Deno.test("createLogger() takes segments, delimited runs and dates out of every field", () => {
  const { log, lines } = bench();
  log.info("x.y", { name: "PID|1||4711", lane: "DOE^JANE^A", path: "/in/19800203.hl7" });
  log.info("x.y", { message_id: "0199a1f2c19800203c0000000000000f" });
  log.audit({
    ts: 1,
    action: "PID|2",
    actor: "a^b^c",
    channelId: "born 1980-02-03",
    detail: "ok",
  });
  assert.match(lines[1] ?? "", /message_id=0199a1f2c19800203c0000000000000f$/);
  assert.doesNotMatch(lines.toSpliced(1, 1).join("\n"), /4711|JANE|1980|\|2|a\^b/);
  assert.match(
    lines[0] ?? "",
    /name=PID\[redacted\] lane=\[redacted\] path=\/in\/\[redacted\]\.hl7/,
  );
});

Deno.test("createLogger() bounds a free text and leaves no torn end of it", () => {
  const { log, lines } = bench();
  log.info("x.y", { reason: `${"x ".repeat(8_186)} born 1980-02-03 of Jane Doe` });
  const line = lines[0] ?? "";
  assert.ok(line.length < 17_000);
  assert.match(line, /x x +\[cut\]"$/);
});

Deno.test("createLogger() survives a sink that throws, and the next sink has the record", () => {
  const { log, lines } = bench();
  const broken = createLogger({
    level: "info",
    sinks: [
      {
        write() {
          throw new Error("pipe closed");
        },
      },
      { write: (record) => void lines.push(record.event) },
    ],
  });
  broken.info("a.b");
  assert.equal(broken.lost, 1);
  assert.deepEqual(lines, ["a.b"]);
  assert.equal(log.lost, 0);
});

Deno.test("nullLogger writes nothing and throws nothing", () => {
  assert.equal(nullLogger.info("a.b", { reason: "x" }), undefined);
});
