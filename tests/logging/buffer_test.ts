import assert from "node:assert/strict";
import fc from "fast-check";
import { RecordBuffer } from "../../src/logging/buffer.ts";
import { LogRecord } from "../../src/logging/mod.ts";

function record(event: string, reason = ""): LogRecord {
  return LogRecord.of("info", event, { fields: { reason }, atMs: 0 });
}

Deno.test("RecordBuffer keeps the newest, in order, within both bounds", () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ take: fc.integer({ min: 0, max: 5 }) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const bounds = { recordsMax: 7, sizeMax: 2_000 };
    const buffer = new RecordBuffer(bounds);
    const model: LogRecord[] = [];
    for (const [i, given] of steps.entries()) {
      if ("take" in given) {
        assert.deepEqual(buffer.take(given.take), model.splice(0, given.take));
        continue;
      }
      const added = record(`x.${i}`, "y".repeat(given.push));
      model.push(added);
      const before = model.length;
      const size = () => model.reduce((sum, each) => sum + each.size, 0);
      while (model.length > bounds.recordsMax || size() > bounds.sizeMax) model.shift();
      assert.equal(buffer.push(added), before - model.length);
      assert.equal(buffer.length, model.length);
    }
    assert.deepEqual(buffer.take(Infinity), model);
  }));
});

Deno.test("RecordBuffer lets go of a record larger than all of it", () => {
  const buffer = new RecordBuffer({ recordsMax: 7, sizeMax: 200 });
  buffer.push(record("a.b"));
  assert.equal(buffer.push(record("c.d", "y".repeat(300))), 2);
  assert.equal(buffer.length, 0);
});
