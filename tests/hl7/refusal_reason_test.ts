// Goal: an operator learns why a partner refused, in the partner's words.
import assert from "node:assert/strict";
import fc from "fast-check";
import { refusalReason } from "../../src/hl7/mod.ts";

const reply = (...segments: readonly string[]) =>
  ["MSH|^~\\&|L|X|E|Y|||ACK|1|P|2.5.1", ...segments].join("\r") + "\r";

const cases: readonly (readonly [what: string, text: string, reason: string | undefined])[] = [
  ["MSA-3", reply("MSA|AR|1|Unknown \\T\\ ward"), "Unknown & ward"],
  ["MSA-3 before ERR", reply("MSA|AR|1|Unknown ward", "ERR|||101|E||||Other"), "Unknown ward"],
  [
    "ERR-8",
    reply("MSA|AE|1", "ERR||PID^1^5|101^Missing|E|||lab 7|A name is missing"),
    "A name is missing",
  ],
  ["ERR-7", reply("MSA|AE|1", "ERR||PID^1^5|101^Missing|E|||lab 7"), "lab 7"],
  [
    "ERR-3",
    reply("MSA|AE|1", "ERR||PID^1^5|101^Required field missing|E"),
    "Required field missing",
  ],
  ["blanks", reply("MSA|AE|1|  "), undefined],
  ["nothing", reply("MSA|AE|1"), undefined],
  ["a copy of something", reply(`MSA|AE|1|${"x".repeat(5_000)}`), undefined],
  ["no HL7", "HTTP/1.1 400 Bad Request", undefined],
];
for (const [what, text, reason] of cases) {
  Deno.test(`refusalReason() of ${what}`, () => assert.equal(refusalReason(text), reason));
}

Deno.test("refusalReason() takes any text", () => {
  const text = fc.string({ unit: "binary", maxLength: 400 });
  fc.assert(
    fc.property(text, (words) => {
      for (const one of [words, reply(`MSA|AE|1|${words}`, `ERR||${words}`)]) {
        const reason = refusalReason(one);
        assert.ok(reason === undefined || reason !== "" && reason.length <= 4_000);
      }
    }),
    { numRuns: 500, endOnFailure: true },
  );
});
