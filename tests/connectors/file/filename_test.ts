import assert from "node:assert/strict";
import fc from "fast-check";
import { numberedName, renderFilename, safeName } from "../../../src/connectors/file/filename.ts";

function message(controlId: string): string {
  return `MSH|^~\\&|A|B|||||ADT^A01|${controlId}|P|2.5\rPID|1||900^^^HOSP&1.2&ISO||DOE^JANE\r`;
}

Deno.test("renderFilename() fills placeholders from the payload", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["{MSH-10}.hl7", "42.hl7"],
    ["{PID-3.1}_{MSH-9.2}.hl7", "900_A01.hl7"],
    ["{PID-3.4.2}", "1.2"],
    ["{PID-5}.txt", "DOE^JANE.txt"],
    ["{PID-99}-{ZZZ-1}.hl7", "message-message.hl7"],
    ["{PID-0}.hl7", "{PID-0}.hl7"],
    ["{pid-3}{}.hl7", "{pid-3}{}.hl7"],
    ["static.json", "static.json"],
  ];
  for (const [template, expected] of cases) {
    assert.equal(renderFilename(template, message("42")), expected);
  }
});

Deno.test("renderFilename() has no values in a payload that is no HL7", () => {
  assert.equal(renderFilename("{MSH-10}.hl7", '{"a":1}'), "message.hl7");
  assert.equal(renderFilename("{MSH-10}.hl7", ""), "message.hl7");
});

Deno.test("renderFilename() lets no value lead out of the directory", () => {
  assert.equal(renderFilename("{MSH-10}.hl7", message("../../etc/x")), "_.._etc_x.hl7");
  assert.equal(renderFilename("{MSH-10}", message("..")), "message.hl7");
  assert.equal(renderFilename("{MSH-10}", message("C:\\E\\x")), "C__E_x");
});

const unsafe: readonly (readonly [string, string])[] = [
  ["", "message.hl7"],
  [".", "message.hl7"],
  ["..", "message.hl7"],
  ["...", "message.hl7"],
  [" . ", "message.hl7"],
  [".hidden.hl7", "hidden.hl7"],
  ["CON", "message.hl7"],
  ["nul.hl7", "message.hl7"],
  ["Com1.txt.hl7", "message.hl7"],
  ["LPT9", "message.hl7"],
  ["console.hl7", "console.hl7"],
  ["a\0b\nc\x7f\x85.hl7", "a_b_c__.hl7"],
  ['<>:"/\\|?*', "_________"],
  ["trailing. ", "trailing"],
  ["\ud800.hl7", "\ufffd.hl7"],
];

Deno.test("safeName() leaves one plain path segment", () => {
  for (const [name, expected] of unsafe) assert.equal(safeName(name), expected, name);
  const long = safeName(`${"É".repeat(300)}.hl7`);
  assert.ok(long.endsWith(".hl7") && new TextEncoder().encode(long).length <= 240);
});

Deno.test("safeName() yields a usable name for any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
      const name = safeName(text);
      assert.notEqual(name, "");
      assert.ok(name.isWellFormed());
      assert.ok(!name.startsWith("."));
      assert.ok(![...'<>:"/\\|?*'].some((forbidden) => name.includes(forbidden)));
      assert.ok(new TextEncoder().encode(name).length <= 240);
      assert.equal(safeName(name), name, "safe names stay as they are");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("numberedName() puts the counter before the extension", () => {
  assert.equal(numberedName("a.hl7", 0), "a.hl7");
  assert.equal(numberedName("a.hl7", 1), "a-1.hl7");
  assert.equal(numberedName("a.b.hl7", 12), "a.b-12.hl7");
  assert.equal(numberedName("none", 3), "none-3");
  const longest = "é".repeat(125) + "x.hl7";
  assert.equal(numberedName(longest, 0), longest);
  assert.equal(numberedName(longest, 12), "é".repeat(124) + "-12.hl7");
});
