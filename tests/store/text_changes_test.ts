import assert from "node:assert/strict";
import fc from "fast-check";
import { changesFrom, withChanges } from "../../src/store/text_changes.ts";

// Goal: what is stored as changes comes back unit by unit, and nothing else is taken for changes.

const segment = fc.tuple(
  fc.constantFrom("MSH", "PID", "PV1", "OBX", "ZZZ"),
  fc.oneof(
    fc.string({ unit: "binary", maxLength: 60, size: "max" }),
    fc.string({ maxLength: 120, size: "max" }),
  ),
).map(([name, rest]) => `${name}|${rest}`);
const text = fc.tuple(
  fc.array(segment, { maxLength: 14, size: "max" }),
  fc.constantFrom("\r", "\n", "\r\n"),
  fc.boolean(),
).map(([segments, end, isEnded]) => segments.join(end) + (isEnded ? end : ""));

const edit = fc.record({
  at: fc.nat(3_000),
  remove: fc.nat(60),
  insert: fc.string({ unit: "binary", maxLength: 40 }),
});

Deno.test("changes of any text lead to that text", () => {
  let kept = 0;
  fc.assert(
    fc.property(text, text, (base, other) => {
      const changes = changesFrom(base, other);
      if (changes !== undefined) assert.equal(withChanges(base, changes), other);
    }),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(text, fc.array(edit, { maxLength: 6 }), (base, edits) => {
      let other = base;
      for (const { at, remove, insert } of edits) {
        const from = at % (other.length + 1);
        other = other.slice(0, from) + insert + other.slice(from + remove);
      }
      const changes = changesFrom(base, other);
      if (changes === undefined) return;
      kept += 1;
      assert.equal(withChanges(base, changes), other);
      assert.ok(changes.length <= other.length / 2);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(kept > 500, `${kept}`);
});

const message = [
  "MSH|^~\\&|ADT|MAIN|LAB|MAIN|20260101120000||ADT^A01^ADT_A01|C1|P|2.5.1",
  "EVN|A01|20260101120000",
  `PID|1||4711^^^MAIN^MR||DOE^JANE^Q||19700101|F|||${"1 MAIN ST^^TOWN".repeat(4)}`,
  `PV1|1|I|W^389^1^MAIN|||${"4444^DOCTOR^ALICE".repeat(5)}|||MED`,
  ...Array.from({ length: 6 }, (_, at) => `OBX|${at + 1}|NM|CODE^NAME||${at * 7}|mg||||F`),
  "",
].join("\r");

Deno.test("what handlers do to a message is little", () => {
  const cases: readonly [string, string, number][] = [
    ["a field set", message.replace("|LAB|", "|PHARM|"), 40],
    [
      "two fields of a long segment",
      message.replace("DOE^JANE", "ROE^JO").replace("|F||", "|U||"),
      60,
    ],
    ["a segment left out", message.replace(/EVN[^\r]*\r/, ""), 20],
    ["a segment put in", message.replace("PV1|", "ZPI|1|NEW\rPV1|"), 40],
    ["segments at the end", `${message}NTE|1||A note\rNTE|2||Another\r`, 50],
    ["observations left out", message.replace(/OBX\|[246][^\r]*\r/g, ""), 90],
  ];
  for (const [what, sent, max] of cases) {
    const changes = changesFrom(message, sent)!;
    assert.ok(changes.length <= max, `${what}: ${changes}`);
    assert.equal(withChanges(message, changes), sent, what);
  }
});

Deno.test("changes that save too little are none", () => {
  assert.equal(changesFrom(message, "x".repeat(2_000)), undefined);
  assert.equal(changesFrom(message, ""), undefined);
  assert.equal(changesFrom("", message), undefined);
  assert.equal(changesFrom("short\r", "shorter\r"), undefined);
});

Deno.test("what is no change of a text gives none", () => {
  const wrong = [
    "",
    "x",
    "{}",
    "1",
    "null",
    "[1]",
    "[1,",
    "[-1,2]",
    "[0,1e9]",
    "[0.5,1]",
    '[0,"a"]',
    "[null]",
    "[[]]",
  ];
  for (const changes of wrong) assert.equal(withChanges("abcdef", changes), undefined, changes);
  assert.equal(withChanges("abcdef", '[0,2,"x",5,1]'), "abxf");
  assert.equal(withChanges("", "[]"), "");
  fc.assert(
    fc.property(fc.string(), fc.oneof(fc.json(), fc.string()), (base, changes) => {
      const made = withChanges(base, changes);
      assert.ok(made === undefined || typeof made === "string");
    }),
  );
});
