import assert from "node:assert/strict";
import fc from "fast-check";
import { validateStrict } from "../../src/hl7/validation/mod.ts";
import {
  generateMessages,
  listTypes,
  sizedMessage,
  trafficStory,
} from "../../src/synthetic/mod.ts";

const types = listTypes();
const seeds = fc.oneof(fc.nat(), fc.string({ minLength: 1, maxLength: 12 }));

function headerField(text: string, position: number): string {
  return text.split("\r", 1)[0]?.split("|")[position - 1] ?? "";
}

Deno.test("listTypes() names thirteen types, each with trigger events in order", () => {
  assert.equal(
    Object.keys(types).join(" "),
    "ADT BAR DFT MDM MFN OML ORL ORM ORU RAS RDE SIU VXU",
  );
  for (const triggers of Object.values(types)) {
    assert.ok(triggers.length > 0);
    assert.deepEqual(triggers, [...new Set(triggers)].sort());
  }
  assert.deepEqual(types.ORU, ["R01", "R30", "R31", "R32"]);
});

for (const [type, triggers] of Object.entries(types)) {
  Deno.test(`generateMessages() writes valid ${type} for every trigger event`, () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const seen = new Set<string>();
        for (const { trigger, text } of generateMessages({ type, count: triggers.length, seed })) {
          seen.add(trigger);
          assert.deepEqual(validateStrict(text, { hl7Version: "2.5.1" }), {
            ok: true,
            version: "2.5.1",
          }, `${type}^${trigger} of seed ${JSON.stringify(seed)}`);
          assert.ok(headerField(text, 9).startsWith(`${type}^${trigger}^${type}_`));
        }
        assert.deepEqual([...seen].sort(), triggers);
      }),
      { numRuns: 40 },
    );
  });
}

Deno.test("trafficStory() and sizedMessage() write valid messages for any seed", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 0, max: 30_000 }), (seed, bytes) => {
      let left = 60;
      for (const { text } of trafficStory({ seed, patients: 4 })) {
        assert.deepEqual(validateStrict(text), { ok: true, version: "2.5.1" });
        if (--left === 0) break;
      }
      const sized = sizedMessage({ seed, sequence: bytes, bytes, controlId: `C${bytes}` });
      assert.deepEqual(validateStrict(sized), { ok: true, version: "2.5.1" });
    }),
    { numRuns: 40 },
  );
});

// Goal: nothing but the seed decides. Method: clock and chance of the runtime throw meanwhile.
Deno.test("generateMessages() repeats itself byte for byte, without clock or chance", () => {
  const once = Object.keys(types).flatMap((type) => [
    ...generateMessages({ type, count: 20, seed: "again" }),
  ]);
  const { now } = Date;
  const { random } = Math;
  const refuse = () => assert.fail("neither clock nor chance is allowed here");
  Date.now = refuse;
  Math.random = refuse;
  try {
    const twice = Object.keys(types).flatMap((type) => [
      ...generateMessages({ type, count: 20, seed: "again" }),
    ]);
    assert.deepEqual(twice, once);
  } finally {
    Date.now = now;
    Math.random = random;
  }
});

Deno.test("generateMessages() gives another seed another run, and never a control ID twice", () => {
  const run = (seed: number) => [...generateMessages({ type: "ADT", count: 200, seed })];
  const [one, other] = [run(1), run(2)];
  assert.notDeepEqual(one.map(({ text }) => text), other.map(({ text }) => text));
  const controlIds = [...one, ...other].map(({ text }) => headerField(text, 10));
  assert.equal(new Set(controlIds).size, 400);
});

Deno.test("generateMessages() takes the wanted trigger events in turn", () => {
  const triggers = ["A08", "A01"];
  const run = [...generateMessages({ type: "ADT", triggers, count: 5, seed: 1 })];
  assert.deepEqual(run.map(({ trigger }) => trigger), ["A08", "A01", "A08", "A01", "A08"]);
  assert.deepEqual([...generateMessages({ type: "ADT", count: 0, seed: 1 })], []);
});

Deno.test("generateMessages() refuses what it does not know before the first message", () => {
  const refused = [
    { type: "ZZZ", count: 1, seed: 1 },
    { type: "toString", count: 1, seed: 1 },
    { type: "ADT", triggers: ["A99"], count: 1, seed: 1 },
    { type: "ADT", triggers: [], count: 1, seed: 1 },
    { type: "ADT", count: -1, seed: 1 },
    { type: "ADT", count: 1.5, seed: 1 },
  ];
  for (const options of refused) assert.throws(() => generateMessages(options), RangeError);
});

Deno.test("synthetic people have check digits that hold and numbers reserved for fiction", () => {
  for (
    const { text } of generateMessages({ type: "ADT", triggers: ["A01"], count: 200, seed: 6 })
  ) {
    const person = text.split("\r").find((line) => line.startsWith("PID|")) as string;
    const [, , , id, , , , , , , , , , phone, , , , , , ssn] = person.split("|") as string[];
    const [number, digit] = (id as string).split("^") as [string, string];
    assert.ok(passesLuhn(number + digit), `check digit of ${number}`);
    assert.match(phone as string, /^\(555\)555-01\d\d\^/);
    assert.match(ssn as string, /^9\d\d-/);
  }
});

function passesLuhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
    return total + Math.floor(value / 10) + value % 10;
  }, 0);
  return sum % 10 === 0;
}
