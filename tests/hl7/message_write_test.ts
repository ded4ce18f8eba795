import assert from "node:assert/strict";
import { type FieldValue, Message, type Path, segmentsMax } from "../../src/hl7/mod.ts";
import { adtOf20Segments, code, lines, oru } from "./samples.ts";

const head = "MSH|^~\\&|A|B|||||ORU^R01|1|P|2.5";

/** Sets one path in a message of one ZZZ segment; returns what follows `ZZZ|`. */
function setIn(field: string, path: Path, value: FieldValue): string {
  const message = Message.parse(lines(head, `ZZZ|${field}`)).set(path, value);
  return message.encode().slice(lines(head, "ZZZ|").length - 1, -1);
}

Deno.test("Message.set() writes by the table of spec §3.4", () => {
  const table: readonly (readonly [string, Path, FieldValue, string])[] = [
    // whole field: structure, verbatim
    ["a|b", "ZZZ-1", "DOE^JANE", "DOE^JANE|b"],
    ["a~b|c", "ZZZ-1", "x~y\\S\\", "x~y\\S\\|c"],
    ["a|b|c", "ZZZ-2", "", "a||c"],
    // one repetition, others kept, padded
    ["a~b~c", "ZZZ-1[2]", "x^y", "a~x^y~c"],
    ["a", "ZZZ-1[3]", "x", "a~~x"],
    ["", "ZZZ-1[2]", "x", "~x"],
    // component: data, escaped; other parts and repetitions kept; padded
    ["DOE^JANE", "ZZZ-1.1", "O^Brien", "O\\S\\Brien^JANE"],
    ["a^b~c^d", "ZZZ-1.2", "x", "a^x~c^d"],
    ["a^b~c^d", "ZZZ-1[2].1", "x", "a^b~x^d"],
    ["a", "ZZZ-1.3", "x", "a^^x"],
    ["123", "ZZZ-1[3].1", "x", "123~~x"],
    ["a&b^c", "ZZZ-1.1", "x", "x^c"],
    // subcomponent
    ["a&b^c", "ZZZ-1.1.2", "x|y", "a&x\\F\\y^c"],
    ["a^c", "ZZZ-1.2.3", "x", "a^c&&x"],
    ["", "ZZZ-1[2].2.2", "x", "~^&x"],
    // beyond the end
    ["a", "ZZZ-4", "x", "a|||x"],
    ["a", "ZZZ-3.2", "x", "a||^x"],
    // array: components of a field, subcomponents of a component, each escaped
    ["old~old2", "ZZZ-1", ["A^1", "", "~", "&"], "A\\S\\1^^\\R\\^\\T\\"],
    ["a~b", "ZZZ-1[2]", ["x", "y"], "a~x^y"],
    ["a^b", "ZZZ-1.2", ["x&", "y"], "a^x\\T\\&y"],
    ["a", "ZZZ-1", [], ""],
    // HL7 null and unknown non-ASCII pass through
    ["a", "ZZZ-1", '""', '""'],
    ["a", "ZZZ-1.1", "Ž\u{1F600}", "Ž\u{1F600}"],
  ];
  for (const [field, path, value, wanted] of table) {
    assert.equal(setIn(field, path, value), wanted, `${field} ${path}`);
  }
});

// Vectors 8, 9, 10.
Deno.test("values that are data come back as they were written", () => {
  const message = Message.parse(oru);
  message.set("PID-5.1", "O^Brien");
  assert.match(message.encode(), /\|O\\S\\Brien\^JANE\^Q\|/);
  assert.equal(message.get("PID-5.1"), "O^Brien");
  message.set("PID-5", "DOE^JANE");
  assert.equal(message.get("PID-5.2"), "JANE");
  const one = Message.parse(lines(head, "PID|1||123")).set("PID-3[3].1", "x");
  assert.match(one.encode(), /\|123~~x\r$/);
});

Deno.test("Message.set() refuses what would break the structure, and changes nothing", () => {
  const table: readonly (readonly [Path, unknown, string])[] = [
    ["PID-5", "a\rOBX|1", "hl7.value_unsafe"],
    ["PID-5", "a\n", "hl7.value_unsafe"],
    ["PID-5.1", "a\r\nb", "hl7.value_unsafe"],
    ["PID-5.1.1", "\n", "hl7.value_unsafe"],
    ["PID-5[2]", "\r", "hl7.value_unsafe"],
    ["PID-5", ["ok", "a\rb"], "hl7.value_unsafe"],
    ["PID-5", "a|b", "hl7.value_unsafe"],
    ["PID-5[1]", "a|b", "hl7.value_unsafe"],
    ["PID-5[1]", "a~b", "hl7.value_unsafe"],
    ["PID-5.1.1", ["a"], "hl7.value_unsuitable"],
    ["PID-5", 5, "hl7.value_unsuitable"],
    ["PID-5", undefined, "hl7.value_unsuitable"],
    ["PID-5", null, "hl7.value_unsuitable"],
    ["PID-5.1", { toString: () => "x" }, "hl7.value_unsuitable"],
    ["PID-5", ["a", undefined], "hl7.value_unsuitable"],
    ["PID-5", [["a"]], "hl7.value_unsuitable"],
    ["NK1-2", "x", "hl7.segment_absent"],
    ["OBX[4]-2", "x", "hl7.segment_absent"],
    ["MSH-1", "#", "hl7.delimiters_fixed"],
    ["MSH-2", "^~\\&", "hl7.delimiters_fixed"],
    ["MSH-2.1", "x", "hl7.delimiters_fixed"],
  ];
  const message = Message.parse(oru);
  for (const [path, value, wanted] of table) {
    assert.throws(() => message.set(path, value as FieldValue), code(wanted), path);
    assert.equal(message.encode(), oru);
  }
});

Deno.test("errors name the path and never a value", () => {
  const message = Message.parse(lines(head, "PID|1||SECRET1||SECRET2"));
  for (const value of ["SECRET3\r", "SECRET3|"]) {
    assert.throws(
      () => message.set("PID-5", value),
      (error: Error) => error.message.includes("PID-5") && !/SECRET/.test(String(error.stack)),
    );
  }
});

// Vector 11.
Deno.test("Message.encode() gives an untouched message back as it is", () => {
  for (
    const text of [
      oru,
      adtOf20Segments,
      oru.slice(0, -1),
      oru.replaceAll("\r", "\n"),
      " \r" + oru,
      "MSH|",
    ]
  ) {
    const message = Message.parse(text);
    message.get("PID-3.1");
    message.segments();
    message.groups();
    assert.equal(message.encode(), text);
  }
});

Deno.test("writing what stands there already leaves the message untouched", () => {
  const text = oru.slice(0, -1) + "\n";
  const message = Message.parse(text);
  message.set("PID-5.1", "DOE").set("PID-8", "F").clear("PID-2").clear("ZZZ-1").clear("PID-50.2");
  assert.equal(message.encode(), text);
});

Deno.test("a touched message ends every segment with CR, the last included", () => {
  const message = Message.parse(oru.slice(0, -1)).set("PID-8", "M");
  assert.equal(message.encode(), oru.replace("|F\r", "|M\r"));
});

Deno.test("writing one field leaves every other segment as it was, oddities included", () => {
  const odd = lines(head, "ZZZ|\\bad|\\Zx\\|a^^^|||", "junk line", "YYY|1");
  const message = Message.parse(odd).set("YYY-1", "2");
  assert.equal(message.encode(), odd.replace("YYY|1", "YYY|2"));
});

Deno.test("Message.clear() empties and never grows", () => {
  const message = Message.parse(lines(head, "ZZZ|a^b~c|d"));
  message.clear("ZZZ-1.2");
  assert.equal(message.get("ZZZ-1"), "a^~c");
  message.clear("ZZZ-1[2]");
  assert.equal(message.get("ZZZ-1"), "a^~");
  message.clear("ZZZ-1").clear("ZZZ-9").clear("ZZZ-2.4").clear("NK1-1");
  assert.equal(message.encode(), lines(head, "ZZZ||d"));
});

Deno.test("Message.addRepetition() appends to a whole field, or begins it", () => {
  const message = Message.parse(lines(head, "ZZZ||a"));
  message.addRepetition("ZZZ-1", "x^y").addRepetition("ZZZ-1", ["p^", "q"]);
  message.addRepetition("ZZZ-2", "b").addRepetition("ZZZ-5", "new");
  assert.equal(message.encode(), lines(head, "ZZZ|x^y~p\\S\\^q|a~b|||new"));
  for (const path of ["ZZZ-1.1", "ZZZ-1[2]", "ZZZ-1[1].1"] as const) {
    assert.throws(() => message.addRepetition(path, "x"), code("hl7.path_unsuitable"));
  }
  assert.throws(() => message.addRepetition("ZZZ-1", "a~b"), code("hl7.value_unsafe"));
  assert.throws(() => message.addRepetition("ZZZ-1", "a|b"), code("hl7.value_unsafe"));
  assert.throws(() => message.addRepetition("ZZZ-1", "a\r"), code("hl7.value_unsafe"));
  assert.throws(() => message.addRepetition("YYY-1", "a"), code("hl7.segment_absent"));
});

Deno.test("Message.addSegment() takes one line and a place", () => {
  const message = Message.parse(lines(head, "PID|1"));
  message.addSegment("NTE|1||last");
  message.addSegment("EVN|A01", { at: 1 });
  message.addSegment("PV1", { at: 3 });
  assert.deepEqual(message.segmentIds(), ["MSH", "EVN", "PID", "PV1", "NTE"]);
  const added = message.addSegment("ZX1|a^b");
  added.set("1.2", "c&d");
  assert.equal(message.get("ZX1-1"), "a^c\\T\\d");
  assert.equal(
    message.encode(),
    lines(head, "EVN|A01", "PID|1", "PV1", "NTE|1||last", "ZX1|a^c\\T\\d"),
  );

  const before = message.encode();
  for (const line of ["", "NT", "nte|1", "NTEX|1", "MSH|^~\\&", "NTE^1", "1TE|1"]) {
    assert.throws(() => message.addSegment(line), code("hl7.segment_invalid"), line);
  }
  for (const line of ["NTE|1\r", "NTE|1\nOBX|2", "NTE|1\rOBX|2"]) {
    assert.throws(() => message.addSegment(line), code("hl7.value_unsafe"), line);
  }
  for (const at of [0, -1, 7, 1.5, NaN]) {
    assert.throws(() => message.addSegment("NTE|1", { at }), code("hl7.position_invalid"));
  }
  assert.equal(message.encode(), before);
});

Deno.test("Message.addSegment() escapes every leaf of fields", () => {
  const message = Message.parse(lines(head));
  const obx = message.addSegment("OBX", {
    "1": "1",
    "2": "NM",
    "3": ["718-7", "Hgb|x", "LN"],
    "5": "a^b|c",
    "5[2]": "second~",
    "6.2": "x&y",
    "8": [],
  });
  assert.equal(
    message.encode(),
    lines(head, "OBX|1|NM|718-7^Hgb\\F\\x^LN||a\\S\\b\\F\\c~second\\R\\|^x\\T\\y"),
  );
  assert.equal(obx.get("5.1"), "a^b|c");
  assert.equal(obx.id, "OBX");

  message.addSegment("NTE", { "3": "first" }, { at: 1 });
  assert.deepEqual(message.segmentIds(), ["MSH", "NTE", "OBX"]);

  const before = message.encode();
  assert.throws(() => message.addSegment("OBX", { "5": "a\rZZZ|1" }), code("hl7.value_unsafe"));
  assert.throws(() => message.addSegment("OBX", { "0": "x" }), code("hl7.path_malformed"));
  assert.throws(() => message.addSegment("OBX|1", { "2": "x" }), code("hl7.segment_invalid"));
  assert.throws(() => message.addSegment("MSH", { "3": "x" }), code("hl7.segment_invalid"));
  assert.throws(() => message.addSegment("BHS", { "3": "x" }), code("hl7.segment_invalid"));
  assert.equal(message.encode(), before);
});

Deno.test("Message.addSegment() is bounded as the engine's intake is", () => {
  const message = Message.parse(lines(head) + "NTE|1\r".repeat(segmentsMax - 1));
  assert.throws(() => message.addSegment("NTE|2"), code("hl7.too_many_segments"));
});

Deno.test("Message.deleteSegments() removes all of an id, never MSH", () => {
  const message = Message.parse(oru);
  assert.equal(message.deleteSegments("OBX"), 3);
  assert.equal(message.deleteSegments("OBX"), 0);
  assert.deepEqual(message.segmentIds(), ["MSH", "PID", "ORC", "OBR", "OBR"]);
  assert.throws(() => message.deleteSegments("MSH"), code("hl7.segment_protected"));
  assert.throws(() => message.deleteSegments("obx"), code("hl7.segment_id_invalid"));
});

Deno.test("Segment.remove() works while iterating, and a removed segment refuses all use", () => {
  const message = Message.parse(oru);
  for (const obx of message.segments("OBX")) if (obx.get("2") === "NM") obx.remove();
  assert.deepEqual(message.segmentIds(), ["MSH", "PID", "ORC", "OBR", "OBX", "OBR"]);

  const [pid] = message.segments("PID");
  assert.ok(pid);
  message.deleteSegments("PID");
  const uses = [
    () => pid.get("3"),
    () => pid.set("3", "x"),
    () => pid.clear("3"),
    () => pid.repetitions("3"),
    () => pid.remove(),
    () => pid.encode(),
  ];
  for (const use of uses) assert.throws(use, code("hl7.stale_view"));
  assert.throws(() => message.segment("MSH")?.remove(), code("hl7.segment_protected"));
});

Deno.test("Segment reads and writes the message it came from", () => {
  const message = Message.parse(oru);
  const pid = message.segment("PID");
  assert.ok(pid);
  pid.set("5.1", "O|B").clear("8").set("3[2]", "1^2").set("11", ["1 ST", "", "TOWN"]);
  assert.equal(message.get("PID-5.1"), "O|B");
  assert.equal(message.get("PID-8"), undefined);
  assert.deepEqual(pid.repetitions("3.1"), ["123", "1"]);
  assert.equal(pid.encode(), "PID|1||123^^^ACME^MR~1^2||O\\F\\B^JANE^Q||19800229||||1 ST^^TOWN");
  message.set("PID-3", "9");
  assert.equal(pid.get("3"), "9");
});

// Vector 19 rests on this: what was encoded or copied cannot change any more.
Deno.test("Message.copy() and encode() are snapshots", () => {
  const original = Message.parse(oru);
  original.get("PID-3.1");
  const segment = original.segment("PID");
  const copy = original.copy();
  const encoded = original.encode();

  original.set("PID-5.1", "ORIGINAL");
  copy.set("PID-5.1", "COPY").deleteSegments("OBX");
  segment?.set("8", "O");

  assert.equal(encoded, oru);
  assert.equal(original.get("PID-5.1"), "ORIGINAL");
  assert.equal(original.get("PID-8"), "O");
  assert.equal(original.count("OBX"), 3);
  assert.equal(copy.get("PID-5.1"), "COPY");
  assert.equal(copy.get("PID-8"), "F");
  assert.equal(copy.count("OBX"), 0);
  assert.equal(original.copy().encode(), original.encode());
});
