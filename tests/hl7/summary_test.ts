// Goal: lists say whom a message is about, in words that nobody has to look up.
import assert from "node:assert/strict";
import fc from "fast-check";
import { summaryOf } from "../../src/hl7/mod.ts";

const about = (pid: string, separators = "|^~\\&") =>
  `MSH${separators}A|B|C|D|20260101||ADT^A01|1|P|2.5\r${pid}\r`;

const cases: readonly (readonly [what: string, text: string, summary: string | null])[] = [
  ["identifier and name", about("PID|1||4711^^^HOSP^MR~99||DOE^JANE^Q"), "MRN 4711 · DOE^JANE"],
  ["no given name", about("PID|1||4711||DOE"), "MRN 4711 · DOE"],
  ["no name", about("PID|1||4711"), "MRN 4711"],
  ["no identifier", about("PID|1||||DOE^J"), "DOE^J"],
  ["a given name alone", about("PID|1||||^J"), "^J"],
  ["an empty PID", about("PID|1"), null],
  ["no PID", about("PV1|1"), null],
  ["escapes", about("PID|1||4711||O\\T\\NEIL^J"), "MRN 4711 · O&NEIL^J"],
  ["no HL7", '{"patient":"DOE"}', null],
  ["nothing", "", null],
  ["what cannot be decrypted", "[cannot be decrypted]", null],
];
for (const [what, text, summary] of cases) {
  Deno.test(`summaryOf() of ${what}`, () => assert.equal(summaryOf(text), summary));
}

Deno.test("summaryOf() takes any text, and is never long", () => {
  const word = fc.string({ unit: "binary", maxLength: 400 });
  fc.assert(
    fc.property(word, word, word, (id, family, given) => {
      for (const text of [id, about(`PID|1||${id}||${family}^${given}`)]) {
        const summary = summaryOf(text);
        assert.ok(summary === null || summary.length <= 250, String(summary?.length));
      }
    }),
    { numRuns: 500, endOnFailure: true },
  );
});

Deno.test("summaryOf() cuts between two characters", () => {
  const summary = summaryOf(about(`PID|1||||a${"😀".repeat(60)}^J`))!;
  assert.ok(summary.isWellFormed() && summary.length < 90);
});
