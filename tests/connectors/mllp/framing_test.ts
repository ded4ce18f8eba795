import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameDecoder } from "../../../src/connectors/mllp/frame_decoder.ts";
import { frameAll, frameUtf8, isUnframable } from "../../../src/connectors/mllp/framing.ts";
import { latin1View } from "../../../src/hl7/mod.ts";

/** What a partner makes of `stream`. */
function framesOf(stream: Uint8Array): (Uint8Array | string)[] {
  const decoder = new FrameDecoder(Infinity);
  decoder.push(stream);
  const found: (Uint8Array | string)[] = [];
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) found.push(next);
  return found;
}

const pieces = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("\x0b", "\x1c", "\r", "M", "S", "H", "F", "B") },
  { weight: 2, arbitrary: fc.constantFrom("MSH", "\x0bMS", "\x0bMSH", "\x0bFHS", "\x0bBHS") },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) },
);
const texts = fc.array(pieces, { maxLength: 8 }).map((each) => each.join("").toWellFormed());

Deno.test("isUnframable() is true for the bodies that would not arrive as they are", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const body = new TextEncoder().encode(text);
      const arrives = framesOf(frameAll([body]));
      const isWhole = arrives.length === 1 && latin1View(body) === latin1(arrives[0]);
      assert.equal(isUnframable(text), !isWhole, "as text");
      assert.equal(isUnframable(latin1View(body)), !isWhole, "as bytes");
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("frameUtf8() frames what frameAll() makes of the encoded text", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const encoded = new TextEncoder().encode(text);
      assert.deepEqual(frameUtf8(text), frameAll([encoded]));
    }),
  );
});

Deno.test("frameAll() puts several bodies into one buffer, in order", () => {
  const bodies = ["MSH|1", "", "MSH|3"].map((text) => new TextEncoder().encode(text));
  assert.equal(latin1(frameAll(bodies)), "\x0bMSH|1\x1c\r\x0b\x1c\r\x0bMSH|3\x1c\r");
});

function latin1(found: Uint8Array | string | undefined): string | undefined {
  return found instanceof Uint8Array ? latin1View(found) : found;
}
