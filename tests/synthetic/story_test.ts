import assert from "node:assert/strict";
import { type StoryMessage, trafficStory } from "../../src/synthetic/mod.ts";

function take(count: number, options: { seed: number | string; patients: number }): StoryMessage[] {
  const taken: StoryMessage[] = [];
  for (const one of trafficStory(options)) {
    taken.push(one);
    if (taken.length === count) break;
  }
  return taken;
}

/** Returns field `position` of the first segment `id`, or "". */
function field(text: string, id: string, position: number): string {
  const segment = text.split("\r").find((line) => line.startsWith(id + "|")) ?? "";
  return segment.split("|")[id === "MSH" ? position - 1 : position] ?? "";
}

function fields(text: string, id: string, position: number): string[] {
  return text.split("\r").filter((line) => line.startsWith(id + "|"))
    .map((line) => line.split("|")[position] ?? "");
}

Deno.test("trafficStory() repeats itself byte for byte under the same seed", () => {
  assert.deepEqual(
    take(300, { seed: 7, patients: 5 }),
    take(300, { seed: "7", patients: 5 }),
  );
  assert.notEqual(
    take(1, { seed: 7, patients: 5 })[0]?.text,
    take(1, { seed: 8, patients: 5 })[0]?.text,
  );
});

Deno.test("trafficStory() labels each message as its MSH-9 says and never reuses a control ID", () => {
  const messages = take(2_000, { seed: 1, patients: 20 });
  for (const { kind, trigger, text } of messages) {
    assert.match(field(text, "MSH", 9), new RegExp(`^${kind}\\^${trigger}\\^${kind}_`));
    assert.ok(text.endsWith("\r") && !text.includes("\n"));
  }
  const controlIds = messages.map(({ text }) => field(text, "MSH", 10));
  assert.equal(new Set(controlIds).size, controlIds.length);
  assert.deepEqual(controlIds, [...controlIds].sort());
  assert.ok(controlIds.every((id) => id.length <= 20));
});

// Goal: a receiver can follow one person. Method: the record number groups the stream; within a
// visit the events must come in order, and identity must not change.
Deno.test("trafficStory() tells each visit from arrival to discharge with one identity", () => {
  const byPerson = Map.groupBy(
    take(3_000, { seed: 3, patients: 25 }),
    ({ text }) => field(text, "PID", 3),
  );
  assert.equal(byPerson.size, 25);
  for (const messages of byPerson.values()) {
    const names = new Set(messages.map(({ text }) => field(text, "PID", 5)));
    const births = new Set(messages.map(({ text }) => field(text, "PID", 7)));
    assert.deepEqual([names.size, births.size], [1, 1]);
    const visits = Map.groupBy(messages, ({ text }) => field(text, "PV1", 19));
    for (const visit of [...visits.values()].slice(0, -1)) {
      const walk = visit.map(({ kind, trigger }) => kind + trigger).join(" ");
      assert.match(walk, /^ADTA0[14]( ORMO01( ORUR01)+){1,2} ADTA08 ADTA03$/);
    }
  }
});

Deno.test("trafficStory() reports exactly the orders that were placed, corrected flags and all", () => {
  const orders = new Map<string, string>();
  let reports = 0;
  for (const { kind, text } of take(2_000, { seed: 4, patients: 10 })) {
    const person = field(text, "PID", 3);
    if (kind === "ORM") {
      for (const placer of fields(text, "OBR", 2)) {
        assert.ok(!orders.has(placer), "an order number is placed once");
        orders.set(placer, person);
      }
    }
    if (kind === "ORU") {
      reports++;
      for (const placer of fields(text, "OBR", 2)) assert.equal(orders.get(placer), person);
      const [requested, collected] = [fields(text, "ORC", 9), fields(text, "OBR", 7)];
      const sent = field(text, "MSH", 7);
      requested.forEach((time, index) => {
        assert.ok(time < (collected[index] as string) && (collected[index] as string) < sent);
      });
      for (const segment of text.split("\r").filter((line) => line.startsWith("OBX|"))) {
        const [, , , , , value, , range, flag] = segment.split("|") as string[];
        const [low, high] = (range as string).split("-").map(Number) as [number, number];
        const expected = Number(value) < low ? "L" : Number(value) > high ? "H" : "N";
        assert.equal((flag as string)[0], expected);
      }
    }
  }
  assert.ok(reports > 500);
});

Deno.test("trafficStory() never sends back in time", () => {
  const times = take(1_000, { seed: 9, patients: 50 }).map(({ text }) => field(text, "MSH", 7));
  assert.deepEqual(times, [...times].sort());
});

Deno.test("trafficStory() refuses a house without patients", () => {
  for (const patients of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => trafficStory({ seed: 1, patients }), RangeError);
  }
});
