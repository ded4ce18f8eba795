import assert from "node:assert/strict";
import fc from "fast-check";
import { matchesGlob } from "../../src/alerts/connection_glob.ts";

Deno.test("matchesGlob() knows stars, question marks and sets, and tells case apart", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["*", "", true],
    ["*", "OB_LAB", true],
    ["OB_*", "OB_LAB", true],
    ["OB_*", "OB_", true],
    ["OB_*", "ob_lab", false],
    ["OB_*", "IB_OB_LAB", false],
    ["*_LAB", "OB_LAB", true],
    ["*_LAB", "OB_LAB_2", false],
    ["IB_*_ADT", "IB_ACME_X_ADT", true],
    ["IB_*_ADT", "IB_ADT", false],
    ["OB_?", "OB_1", true],
    ["OB_?", "OB_", false],
    ["OB_[1-3]", "OB_2", true],
    ["OB_[1-3]", "OB_4", false],
    ["OB_[!1-3]", "OB_4", true],
    ["OB_[!1-3]", "OB_2", false],
    ["OB_[]x]", "OB_]", true],
    ["OB_[a-]", "OB_-", true],
    ["OB_[x", "OB_[x", true],
    ["OB.LAB", "OBxLAB", false],
    ["", "", true],
    ["", "x", false],
  ];
  for (const [pattern, name, expected] of cases) {
    assert.equal(matchesGlob(pattern, name), expected, `${pattern} on ${name}`);
  }
});

// Method: the same meaning as a regular expression, which may be slow where this is not.
Deno.test("matchesGlob() means what its regular expression means", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
  const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
  fc.assert(
    fc.property(text, name, (pattern, value) => {
      const expression = new RegExp(
        `^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`,
      );
      assert.equal(matchesGlob(pattern, value), expression.test(value));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("matchesGlob() is quick where a pattern of many stars fits nothing", () => {
  const start = performance.now();
  assert.equal(matchesGlob("*a".repeat(40) + "b", "a".repeat(2_000)), false);
  assert.ok(performance.now() - start < 1_000);
});
