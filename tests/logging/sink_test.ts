import assert from "node:assert/strict";
import { createSink, LogRecord, renderRecord } from "../../src/logging/mod.ts";

function record(event: string): LogRecord {
  return LogRecord.of("info", event, { atMs: 0 });
}

Deno.test("createSink() keeps order and survives short writes", async () => {
  const written: number[] = [];
  await using sink = createSink({
    format: "text",
    write: (bytes) => {
      const part = bytes.subarray(0, 7);
      written.push(...part);
      return Promise.resolve(part.length);
    },
  });
  for (let i = 0; i < 20; i++) sink.write(record(`line.${i}`));
  await sink.flush();
  const text = new TextDecoder().decode(new Uint8Array(written));
  assert.deepEqual(
    text.split("\n"),
    [...Array.from({ length: 20 }, (_, i) => renderRecord(record(`line.${i}`), "text")), ""],
  );
  assert.equal(sink.dropped, 0);
});

// Goal: a stalled reader costs records, not callers, and the gap shows, in the sink's own format.
// Method: the first write hangs until released.
for (const format of ["text", "json"] as const) {
  Deno.test(`createSink() drops the oldest of a stalled reader and says so in ${format}`, async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const chunks: string[] = [];
    await using sink = createSink({
      format,
      bounds: { recordsMax: 8 },
      write: async (bytes) => {
        await promise;
        chunks.push(new TextDecoder().decode(bytes));
        return bytes.length;
      },
    });
    sink.write(record("first.one"));
    await Promise.resolve();
    await Promise.resolve();
    for (let i = 0; i < 20; i++) sink.write(record(`line.${i}`));
    resolve();
    await sink.flush();
    const lines = chunks.join("").trim().split("\n");
    assert.equal(lines[0], renderRecord(record("first.one"), format));
    assert.match(lines[1] ?? "", /WARNING.*messagefoundry\.logging.*logging\.dropped records=12\b/);
    if (format === "json") JSON.parse(lines[1] ?? "");
    assert.equal(lines.at(-1), renderRecord(record("line.19"), format));
    assert.equal(sink.dropped, 12);
    assert.equal(lines.length, 10);
  });
}

Deno.test("createSink() ends in time when its reader stalls for ever", async () => {
  const sink = createSink({ format: "text", closeMs: 20, write: () => new Promise(() => {}) });
  sink.write(record("a.b"));
  await sink[Symbol.asyncDispose]();
});

Deno.test("createSink() gives up quietly when the reader is gone", async () => {
  await using sink = createSink({
    format: "text",
    write: () => Promise.reject(new Error("broken pipe")),
  });
  sink.write(record("x.x"));
  await sink.flush();
  sink.write(record("y.y"));
});
