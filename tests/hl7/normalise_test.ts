import assert from "node:assert/strict";
import { countSegments, normaliseText } from "../../src/hl7/mod.ts";
import { adtOf20Segments, oru } from "./samples.ts";

Deno.test("normaliseText() turns CRLF and LF into CR and strips one BOM", () => {
  const table: readonly (readonly [string, string])[] = [
    ["a\r\nb\r\n", "a\rb\r"],
    ["a\nb\n", "a\rb\r"],
    ["a\rb\r\nc\nd", "a\rb\rc\rd"],
    ["\ufeffa\r", "a\r"],
    ["\ufeff\ufeffa", "\ufeffa"],
    ["a\ufeff", "a\ufeff"],
    ["", ""],
    ["\ufeff", ""],
    ["\n\n", "\r\r"],
  ];
  for (const [text, wanted] of table) assert.equal(normaliseText(text), wanted);
});

Deno.test("normaliseText() leaves clean text alone", () => {
  assert.equal(normaliseText(oru), oru);
});

Deno.test("countSegments() counts without trailing CRs, up to one more than the cap", () => {
  assert.equal(countSegments(adtOf20Segments, 100), 20);
  assert.equal(countSegments(adtOf20Segments + "\r\r", 100), 20);
  assert.equal(countSegments(adtOf20Segments.slice(0, -1), 100), 20);
  assert.equal(countSegments("a\r".repeat(50), 10), 11);
  assert.equal(countSegments("a\r".repeat(10), 10), 10);
  assert.equal(countSegments("", 10), 0);
});
