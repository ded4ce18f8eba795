import assert from "node:assert/strict";
import fc from "fast-check";
import { Glob } from "../../../src/connectors/file/glob.ts";

const cases: readonly (readonly [string, string, boolean])[] = [
  ["*.hl7", "a.hl7", true],
  ["*.hl7", ".hl7", false],
  ["*.hl7", "a.HL7", false],
  ["*.hl7", "a.hl7.part", false],
  ["*", "anything", true],
  ["*", ".hidden", false],
  [".*", ".hidden", true],
  ["", "", true],
  ["", "a", false],
  ["a?c", "abc", true],
  ["a?c", "ac", false],
  ["a?c", "a😀c", true],
  ["ADT_[0-9][0-9].txt", "ADT_42.txt", true],
  ["ADT_[0-9][0-9].txt", "ADT_4x.txt", false],
  ["[!a-c]*", "dog", true],
  ["[!a-c]*", "cat", false],
  ["[]x]", "]", true],
  ["[!]]", "]", false],
  ["[a-]", "-", true],
  ["[abc", "[abc", true],
  ["a.b", "axb", false],
  ["**a**", "xxa", true],
  ["*a*b*c*", "1a2b3c4", true],
  ["*a*b*c*", "1a2c3b4", false],
  ["$(x)|^", "$(x)|^", true],
];

Deno.test("Glob matches names as shells do, case and all", () => {
  for (const [pattern, name, expected] of cases) {
    assert.equal(new Glob(pattern).matches(name), expected, `${pattern} ${name}`);
  }
});

Deno.test("Glob agrees with a regular expression for runs and single characters", () => {
  const letters = fc.constantFrom("a", "b", "*", "?");
  fc.assert(
    fc.property(
      fc.array(letters, { maxLength: 8 }),
      fc.array(fc.constantFrom("a", "b"), { maxLength: 8 }),
      (pattern, letters) => {
        const source = pattern.map((piece) => piece === "*" ? ".*" : piece === "?" ? "." : piece);
        const name = letters.join("");
        const expected = new RegExp(`^${source.join("")}$`).test(name);
        assert.equal(new Glob(pattern.join("")).matches(name), expected);
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("Glob needs no exponential time for any pattern", () => {
  const began = performance.now();
  assert.equal(new Glob("*a".repeat(60) + "b").matches("a".repeat(255)), false);
  assert.ok(performance.now() - began < 200);
});
