import assert from "node:assert/strict";
import { Message, splitByObr } from "../../src/hl7/mod.ts";
import { code, lines, oru } from "./samples.ts";

const head = "MSH|^~\\&|A|B|||||ORU^R01|77|P|2.5";

function orders() {
  return Message.parse(
    lines(head, "PID|1", "OBR|1", "OBX|1||a", "NTE|1", "OBR|2", "OBX|1||b", "OBX|2||c", "OBR|3"),
  );
}

Deno.test("Message.groups() runs from each boundary to before the next", () => {
  const groups = orders().groups();
  assert.deepEqual(groups.map((group) => group.segmentIds()), [
    ["OBR", "OBX", "NTE"],
    ["OBR", "OBX", "OBX"],
    ["OBR"],
  ]);
  assert.deepEqual(groups.map((group) => group.ordinal), [1, 2, 3]);
  assert.equal(groups[0]?.boundary, "OBR");
  assert.deepEqual(orders().groups("NK1"), []);
  assert.equal(orders().groups("OBX").length, 3);
  assert.throws(() => orders().groups("MSH"), code("hl7.path_unsuitable"));
  assert.throws(() => orders().groups("obr"), code("hl7.segment_id_invalid"));
});

Deno.test("a group counts and reads within itself", () => {
  const [, second] = orders().groups();
  assert.ok(second);
  assert.equal(second.get("OBX-3"), "b");
  assert.equal(second.get("OBX[2]-3"), "c");
  assert.equal(second.get("OBX[3]-3"), undefined);
  assert.equal(second.get("NTE-1"), undefined);
  assert.equal(second.get("PID-1"), undefined);
  assert.equal(second.count("OBX"), 2);
  assert.deepEqual(second.segments("OBX").map((obx) => obx.get("3")), ["b", "c"]);
  assert.equal(second.segments().length, 3);
});

Deno.test("a group appends at its own end", () => {
  const message = orders();
  const [first] = message.groups();
  assert.ok(first);
  first.append("NTE|2||x^y");
  const obx = first.append("OBX", { "1": "9", "5": "a|b" });
  obx.set("2", "ST");
  assert.deepEqual(first.segmentIds(), ["OBR", "OBX", "NTE", "NTE", "OBX"]);
  assert.match(message.encode(), /NTE\|2\|\|x\^y\rOBX\|9\|ST\|\|\|a\\F\\b\rOBR\|2\r/);
  assert.throws(() => first.append("OBR|9"), code("hl7.segment_invalid"));
  assert.throws(() => first.append("NTE|1\rNTE|2"), code("hl7.value_unsafe"));
});

Deno.test("a group clears, is removed, and renumbers what follows", () => {
  const message = orders();
  const [first, second, third] = message.groups();
  assert.ok(first && second && third);
  assert.equal(second.clear(), 2);
  assert.deepEqual(second.segmentIds(), ["OBR"]);
  assert.equal(second.clear(), 0);
  assert.equal(first.remove(), 3);
  assert.equal(first.get("OBR-1"), "2", "the second group is the first now");
  assert.equal(second.get("OBR-1"), "3");
  for (
    const use of [
      () => third.get("OBR-1"),
      () => third.segments(),
      () => third.segmentIds(),
      () => third.count("OBX"),
      () => third.append("NTE|1"),
      () => third.clear(),
      () => third.remove(),
      () => third.rebuild([]),
    ]
  ) assert.throws(use, code("hl7.stale_view"));
  assert.deepEqual(message.segmentIds(), ["MSH", "PID", "OBR", "OBR"]);
});

Deno.test("a group is rebuilt from lines, all checked first", () => {
  const message = orders();
  const [first] = message.groups();
  assert.ok(first);
  first.rebuild(["OBX|1||new", "NTE|1"]);
  assert.deepEqual(first.segmentIds(), ["OBR", "OBX", "NTE"]);
  assert.equal(first.get("OBR-1"), "1", "the boundary stays");
  first.rebuild(["OBR|9", "OBX|5"]);
  assert.deepEqual(first.segments().map((each) => each.encode()), ["OBR|9", "OBX|5"]);
  first.rebuild([]);
  assert.deepEqual(first.segmentIds(), ["OBR"]);

  const before = message.encode();
  assert.throws(() => first.rebuild(["OBX|1", "OBR|2"]), code("hl7.segment_invalid"));
  assert.throws(() => first.rebuild(["OBX|1", "bad"]), code("hl7.segment_invalid"));
  assert.throws(() => first.rebuild(["OBX|1\rOBX|2"]), code("hl7.value_unsafe"));
  assert.equal(message.encode(), before);
});

Deno.test("splitByObr() makes one message of each order and numbers MSH-10", () => {
  const message = Message.parse(oru);
  const split = splitByObr(message);
  assert.deepEqual(split.map((each) => each.controlId), ["MSG0001-1", "MSG0001-2"]);
  assert.deepEqual(split.map((each) => each.segmentIds()), [
    ["MSH", "PID", "ORC", "OBR", "OBX", "OBX"],
    ["MSH", "PID", "ORC", "OBR", "OBX"],
  ]);
  assert.equal(split[1]?.get("OBX-5"), "13.5");
  assert.equal(message.encode(), oru, "the original is left alone");
});

Deno.test("splitByObr() suffixes a single order, leaves others and missing control IDs alone", () => {
  const single = Message.parse(lines(head, "OBR|1"));
  assert.deepEqual(splitByObr(single).map((each) => each.controlId), ["77-1"]);

  const none = Message.parse(lines(head, "PID|1"));
  const [same] = splitByObr(none);
  assert.equal(same?.encode(), none.encode());
  same?.set("PID-1", "2");
  assert.equal(none.get("PID-1"), "1");

  const unnamed = splitByObr(Message.parse(lines("MSH|^~\\&|A", "OBR|1", "OBR|2")));
  assert.deepEqual(unnamed.map((each) => each.encode()), [
    lines("MSH|^~\\&|A", "OBR|1"),
    lines("MSH|^~\\&|A", "OBR|2"),
  ]);
});

Deno.test("splitByObr() stays linear in the number of orders", () => {
  const message = Message.parse(lines(head) + "OBR|1\rOBX|1\r".repeat(4_000));
  const split = splitByObr(message);
  assert.equal(split.length, 4_000);
  assert.equal(split.at(-1)?.controlId, "77-4000");
});
