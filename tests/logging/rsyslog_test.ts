// Goal: a collector that nobody here wrote understands what the forwarder sends.
// Needs rsyslogd (Debian: rsyslog); skipped aloud without it, and failed when CI=true.
import assert from "node:assert/strict";
import { createLogger, startForwarder } from "../../src/logging/mod.ts";
import { hasTool, runTool } from "../connectors/foreign_tool.ts";
import { until } from "../connectors/waiting.ts";
import { Rsyslogd, rsyslogdPath } from "./rsyslogd.ts";

const isHere = await hasTool(rsyslogdPath, ["-v"]);

for (const protocol of ["udp", "tcp"] as const) {
  for (const format of ["json", "text"] as const) {
    Deno.test({
      name: `rsyslogd understands ${format} records over ${protocol}`,
      ignore: !isHere,
      async fn() {
        await using server = await Rsyslogd.start();
        const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678), monotonic: () => 0 };
        const logger = createLogger({ level: "debug", sinks: [], clock });
        await using forwarder = startForwarder({
          protocol,
          host: "127.0.0.1",
          port: server.port,
          format,
          logger,
          clock,
        });
        logger.attach(forwarder);
        const levels = ["debug", "info", "warning", "error", "critical"] as const;
        for (const level of levels) {
          logger.log(level, "delivery.retried", {
            lane: "OB_LAB",
            level,
            reason: "été\r\nof PID|1||4711^^^X",
          });
        }
        await until(() => server.parsed().length === 5, "rsyslogd to write five records");
        const records = server.parsed();
        assert.deepEqual(
          records.map(({ severity }) => severity),
          ["debug", "info", "warning", "err", "crit"],
        );
        for (const [i, record] of records.entries()) {
          assert.match(record.input, new RegExp(`im${protocol}`));
          assert.equal(record.facility, "user");
          assert.equal(record.program, "messagefoundry");
          assert.equal(record.processId, String(Deno.pid));
          assert.equal(record.messageId, "delivery.retried");
          assert.equal(record.structuredData, "-");
          assert.equal(Date.parse(record.timestamp), clock.now());
          const text = record.message.trim();
          const message = format === "json" ? JSON.parse(text).message : text;
          const level = levels[i] ?? "";
          assert.ok(
            message.endsWith(
              `delivery.retried lane=OB_LAB level=${level} reason="été\\r\\nof PID[redacted]"`,
            ),
            message,
          );
        }
        assert.doesNotMatch(server.raw(), /4711/);
      },
    });
  }
}

Deno.test({
  name: "rsyslogd gets a burst over TCP whole and in order, and a long record as a record",
  ignore: !isHere,
  async fn() {
    await using server = await Rsyslogd.start();
    const logger = createLogger({ level: "info", sinks: [] });
    const forwarder = startForwarder({
      protocol: "tcp",
      host: "127.0.0.1",
      port: server.port,
      format: "json",
      logger,
    });
    logger.attach(forwarder);
    for (let n = 0; n < 3_000; n++) logger.info("a.b", { n });
    logger.error("a.b", { reason: "long ".repeat(3_000), stack: "at x\n".repeat(1_000) });
    await forwarder[Symbol.asyncDispose]();
    assert.equal(forwarder.dropped, 0);
    await until(() => server.parsed().length === 3_001, "rsyslogd to write all of it", 10_000);
    const messages = server.parsed().map(({ message }) => JSON.parse(message).message as string);
    assert.deepEqual(
      messages.slice(0, -1),
      Array.from({ length: 3_000 }, (_, n) => `a.b n=${n}`),
    );
    assert.match(messages.at(-1) ?? "", /^a\.b reason="long .*\[cut\]$/);
  },
});

Deno.test({
  name: "rsyslogd takes the example of docs/operating/logs.md",
  ignore: !isHere,
  async fn() {
    const page = new URL("../../docs/operating/logs.md", import.meta.url);
    const text = await Deno.readTextFile(page);
    const [, example] = /```text\n(module\([^`]+)```/.exec(text) ?? [];
    assert.ok(example !== undefined);
    const path = await Deno.makeTempFile({ prefix: "mefor_rsyslogd_", suffix: ".conf" });
    try {
      await Deno.writeTextFile(path, example);
      await runTool(rsyslogdPath, ["-N1", "-f", path]);
    } finally {
      await Deno.remove(path);
    }
  },
});
