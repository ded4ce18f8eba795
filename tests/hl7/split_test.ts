import assert from "node:assert/strict";
import { looksLikeHl7, splitBatch } from "../../src/hl7/mod.ts";
import { lines, oru } from "./samples.ts";

const first = lines("MSH|^~\\&|A|||||| ADT^A01|1", "PID|1||1");
const second = lines("MSH|^~\\&|A||||||ADT^A01|2", "PID|1||2");

// Vector 13.
Deno.test("splitBatch() makes two clean messages of a batch file", () => {
  const batch = lines("FHS|^~\\&|X", "BHS|^~\\&|X") + first + second + lines("BTS|2", "FTS|1");
  for (
    const text of [
      batch,
      batch.replaceAll("\r", "\r\n"),
      batch.replaceAll("\r", "\n"),
      "\ufeff" + batch,
    ]
  ) {
    assert.deepEqual(splitBatch(text), {
      messages: [first, second],
      hasMessages: true,
      hasEnvelope: true,
      mismatches: [],
    });
  }
});

Deno.test("splitBatch() reports counts that do not match, and takes the messages all the same", () => {
  const split = splitBatch(
    lines("FHS|^~\\&|X", "BHS|^~\\&|X") + first + second + lines("BTS|3") +
      lines("BHS|^~\\&|X") + first + lines("BTS|1", "FTS|5"),
  );
  assert.equal(split.messages.length, 3);
  assert.deepEqual(split.mismatches, [
    { segment: "BTS", declared: 3, counted: 2 },
    { segment: "FTS", declared: 5, counted: 2 },
  ]);
  assert.deepEqual(splitBatch(first + lines("BTS|", "FTS", "BTS|x")).mismatches, []);
});

Deno.test("splitBatch() reads trailers with their own separator", () => {
  const split = splitBatch(lines("FHS#@~\\&#X", "BHS#@~\\&#X", "MSH#@~\\&#A", "BTS#9", "FTS#1"));
  assert.deepEqual(split.mismatches, [{ segment: "BTS", declared: 9, counted: 1 }]);
  assert.deepEqual(split.messages, ["MSH#@~\\&#A\r"]);
});

Deno.test("splitBatch() drops junk before the first MSH and blanks before any", () => {
  assert.deepEqual(splitBatch("junk\r\r  " + first + "\r\r " + second).messages, [first, second]);
  assert.deepEqual(splitBatch("\v" + oru).messages, [oru]);
  assert.deepEqual(splitBatch(oru.slice(0, -1)).messages, [oru]);
});

Deno.test("splitBatch() splits at lines that begin an MSH, not at any MSH", () => {
  const tricky = lines("MSH|^~\\&|A", "NTE|1||MSH|^~\\&|B", "MSHELL is no segment", "NTE|2");
  assert.deepEqual(splitBatch(tricky).messages, [tricky]);
});

Deno.test("splitBatch() hands a text without a message back whole", () => {
  for (const text of ["", "junk", "PID|1\nPID|2\n", "FHS|^~\\&|\rFTS|0\r"]) {
    assert.deepEqual(splitBatch(text), {
      messages: [text],
      hasMessages: false,
      hasEnvelope: text.startsWith("FHS"),
      mismatches: [],
    });
  }
});

Deno.test("looksLikeHl7() sniffs past BOM, start-of-frame and blanks", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const text of ["MSH|", "FHS|", "BHS|", "\ufeffMSH", "\v\r\n \tMSH|", "MSH"]) {
    assert.equal(looksLikeHl7(bytes(text)), true, JSON.stringify(text));
  }
  for (const text of ["", "MS", "PID|", "{}", "msh|", "xMSH", " \r"]) {
    assert.equal(looksLikeHl7(bytes(text)), false, JSON.stringify(text));
  }
});
