import assert from "node:assert/strict";
import { sizedMessage, sizedTemplate } from "../../src/synthetic/mod.ts";

Deno.test("sizedMessage() is within 32 bytes of the wanted size and plain ASCII", () => {
  for (let seed = 0; seed < 50; seed++) {
    for (const bytes of [2_000, 2_048, 4_096, 20_480, 100_000]) {
      const text = sizedMessage({ seed, sequence: seed * 1_000, bytes });
      assert.ok(Math.abs(text.length - bytes) <= 32, `seed ${seed}: ${text.length} of ${bytes}`);
      assert.equal(new TextEncoder().encode(text).length, text.length);
    }
  }
});

Deno.test("sizedMessage() carries the control ID in MSH-10 and the sequence in MSH-13", () => {
  const fields = (text: string) => (text.split("\r")[0] as string).split("|");
  const named = fields(sizedMessage({ seed: 1, sequence: 42, bytes: 2_048, controlId: "RUN7-42" }));
  assert.deepEqual([named[9], named[12]], ["RUN7-42", "42"]);
  const unnamed = fields(sizedMessage({ seed: 1, sequence: 42, bytes: 2_048 }));
  assert.deepEqual([unnamed[9], unnamed[12]], ["000000000042", "42"]);
});

Deno.test("sizedTemplate() changes nothing but control ID and sequence", () => {
  const make = sizedTemplate({ seed: "bench", bytes: 2_048 });
  const blank = (text: string) => text.replace(/\|[^|]+\|T\|2\.5\.1\|\d+\r/, "|T|2.5.1\r");
  assert.equal(blank(make({ sequence: 1 })), blank(make({ sequence: 99_999, controlId: "X" })));
  assert.equal(
    make({ sequence: 5 }),
    sizedMessage({ seed: "bench", bytes: 2_048, sequence: 5 }),
  );
  assert.notEqual(
    make({ sequence: 5 }),
    sizedMessage({ seed: "other", bytes: 2_048, sequence: 5 }),
  );
});
