// Goal: a search finds what stands at a path, in every occurrence and repetition it leaves open, and
// nothing that stands elsewhere; it says the same as reading the path where both can.
import assert from "node:assert/strict";
import fc from "fast-check";
import { Message } from "../../src/hl7/mod.ts";
import { hasAt } from "../../src/hl7/find.ts";

const text = "MSH|^~\\&|REG|ACME|||20260102||ADT^A01|C1|P|2.5\r" +
  "PID|1||123^^^ACME^MR~456^^^HOSP&1.2.3&ISO^SS||DOE^JANE\r" +
  "OBX|1|NM|GLU||5.4\rOBX|2|NM|K||4.1\r";

Deno.test("hasAt() finds values where the path says", () => {
  const found: readonly (readonly [string, string | undefined])[] = [
    ["PID-3", "456"],
    ["PID-3.1", "123"],
    ["PID-3.1", "456"],
    ["PID-3[2].1", "456"],
    ["PID-3.4.2", "1.2.3"],
    ["PID-5", "doe^ja"],
    ["OBX-5", "4.1"],
    ["OBX[1]-5", "5.4"],
    ["MSH-2", "~"],
    ["MSH-9.2", "a01"],
    ["PID-3", undefined],
  ];
  for (const [path, needle] of found) assert.ok(hasAt(text, path, needle), `${path} ${needle}`);
  const missing: readonly (readonly [string, string | undefined])[] = [
    ["PID-3[1].1", "456"],
    ["PID-4", undefined],
    ["OBX[2]-5", "5.4"],
    ["OBX[3]-5", undefined],
    ["ZZZ-1", undefined],
    ["PID-3.1", "ACME"],
  ];
  for (const [path, needle] of missing) assert.ok(!hasAt(text, path, needle), `${path} ${needle}`);
  assert.equal(hasAt("no HL7 at all", "PID-3", "n"), false);
  assert.throws(() => hasAt(text, "PID3"), { code: "hl7.path_malformed" });
});

Deno.test("hasAt() agrees with reading the first value", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "B", "7", " "), maxLength: 4 });
  fc.assert(
    fc.property(cell, cell, fc.integer({ min: 1, max: 3 }), (first, second, component) => {
      const message = `MSH|^~\\&|A\rPID|1||${first}^${second}^x`;
      const path = `PID-3[1].${component}` as "PID-3.1";
      const value = Message.parse(message).get(path) ?? "";
      assert.equal(hasAt(message, path), value !== "");
      if (value !== "") assert.ok(hasAt(message, path, value.toUpperCase()));
    }),
  );
});
