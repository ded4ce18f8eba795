import assert from "node:assert/strict";
import fc from "fast-check";
import { LogRecord, renderRecord } from "../../src/logging/mod.ts";
import type { LogLevel } from "../../src/logging/mod.ts";
import { lineFramed, MESSAGE_BYTES_MAX, syslogMessage } from "../../src/logging/syslog.ts";

const atMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function text(record: LogRecord, format: "text" | "json" = "text"): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(
    syslogMessage(record, { format, processId: 4711 }),
  );
}

Deno.test("syslogMessage() writes an RFC 5424 header and then the record", () => {
  const record = LogRecord.of("warning", "delivery.retried", { fields: { lane: "OB_LAB" }, atMs });
  const header = "<12>1 2026-01-02T03:04:05.678Z - messagefoundry 4711 delivery.retried - ";
  assert.equal(text(record), header + renderRecord(record, "text"));
  assert.equal(text(record, "json"), header + renderRecord(record, "json"));
});

Deno.test("syslogMessage() gives every level the severity of RFC 5424, facility user", () => {
  const priorities: Record<LogLevel, number> = {
    debug: 15,
    info: 14,
    warning: 12,
    error: 11,
    critical: 10,
  };
  for (const [level, priority] of Object.entries(priorities)) {
    const record = LogRecord.of(level as LogLevel, "a.b", { atMs });
    assert.ok(text(record).startsWith(`<${priority}>1 `), level);
  }
});

Deno.test("syslogMessage() keeps MSGID printable, at most 32 characters, never empty", () => {
  const id = (event: string) => text(LogRecord.of("info", event, { atMs })).split(" ")[5];
  assert.equal(id("a b\tc.é"), "abc.");
  assert.equal(id("x".repeat(60)), "x".repeat(32));
  assert.equal(id("é"), "-");
});

// Goal: a record too long for a collector is still a record. Method: the length of each part and the
// width of its characters vary; quotes and backslashes grow once more in JSON.
Deno.test("syslogMessage() shortens a long record to a message that still parses", () => {
  const part = fc.tuple(fc.constantFrom("a", '"', "\\", "é", "😀"), fc.nat(20_000))
    .map(([character, times]) => character.repeat(times));
  fc.assert(
    fc.property(part, part, part, (reason, stack, name) => {
      const record = LogRecord.of("error", "a.b", { fields: { name, reason, stack }, atMs });
      for (const format of ["text", "json"] as const) {
        const message = text(record, format);
        assert.ok(new TextEncoder().encode(message).length <= MESSAGE_BYTES_MAX);
        const body = message.slice(message.indexOf(" - ", 40) + 3);
        if (format === "json") assert.match(JSON.parse(body).message, /^a\.b name=/);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("lineFramed() ends each message with a line feed", () => {
  const bytes = lineFramed([new TextEncoder().encode("é b"), new Uint8Array([0x41])]);
  assert.equal(new TextDecoder().decode(bytes), "é b\nA\n");
  assert.equal(lineFramed([]).length, 0);
});
