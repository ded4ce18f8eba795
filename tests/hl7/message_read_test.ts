import assert from "node:assert/strict";
import { type FieldPath, Message, type Path } from "../../src/hl7/mod.ts";
import { adtOf20Segments, code, lines, oru } from "./samples.ts";

const head = "MSH|^~\\&|A|B|||||ORU^R01|1|P|2.5";

function get(field: string, path: Path): string | undefined {
  return Message.parse(lines(head, `ZZZ|${field}`)).get(path);
}

Deno.test("Message.get() reads by the table of spec §3.3", () => {
  const table: readonly (readonly [string, Path, string | undefined])[] = [
    // whole field: raw, all repetitions, not unescaped
    ["a\\S\\b^c~d", "ZZZ-1", "a\\S\\b^c~d"],
    // one repetition: raw
    ["a^b~c\\T\\^d", "ZZZ-1[2]", "c\\T\\^d"],
    ["a~b", "ZZZ-1[1]", "a"],
    ["a~b", "ZZZ-1[3]", undefined],
    ["a~~c", "ZZZ-1[2]", undefined],
    // component: first repetition unless addressed; unescaped
    ["a^b\\S\\x~c^d", "ZZZ-1.2", "b^x"],
    ["a^b~c^d\\E\\", "ZZZ-1[2].2", "d\\"],
    ["a^b", "ZZZ-1.3", undefined],
    ["a^^c", "ZZZ-1.2", undefined],
    // component 1 of a field without components
    ["PLACER123", "ZZZ-1.1", "PLACER123"],
    ["PLACER123", "ZZZ-1.2", undefined],
    // subcomponents
    ["a&b", "ZZZ-1.1", "a&b"],
    ["a&b", "ZZZ-1.1.1", "a"],
    ["a&b", "ZZZ-1.1.2", "b"],
    ["a&b\\T\\c", "ZZZ-1.1.2", "b&c"],
    ["a&b", "ZZZ-1.1.3", undefined],
    ["x^a&b", "ZZZ-1.2.2", "b"],
    // absent and empty
    ["", "ZZZ-1", undefined],
    ["a", "ZZZ-2", undefined],
    ["a", "ZZZ-2.1", undefined],
    ["a", "ZZZ[2]-1", undefined],
    ["a", "YYY-1", undefined],
    // HL7 null
    ['""', "ZZZ-1", '""'],
    ['a^""', "ZZZ-1.2", '""'],
  ];
  for (const [field, path, wanted] of table) {
    assert.equal(get(field, path), wanted, `${field} ${path}`);
  }
});

Deno.test("Message.get() gives the same when fields have been read often", () => {
  const message = Message.parse(adtOf20Segments);
  const paths: readonly Path[] = [
    "PID-3",
    "PID-5.1",
    "PID-11.5",
    "PID-19",
    "PID-40",
    "MSH-1",
    "MSH-2",
    "MSH-3",
    "MSH-18",
  ];
  const first = paths.map((path) => Message.parse(adtOf20Segments).get(path));
  for (let round = 0; round < 4; round++) {
    assert.deepEqual(paths.map((path) => message.get(path)), first);
  }
});

Deno.test("MSH-1 and MSH-2 are characters: raw, never split, never unescaped", () => {
  const message = Message.parse(oru);
  assert.equal(message.get("MSH-1"), "|");
  assert.equal(message.get("MSH-2"), "^~\\&");
  assert.equal(message.get("MSH-2.1"), "^~\\&");
  assert.equal(message.get("MSH-2.2"), undefined);
  assert.equal(message.get("MSH-2[2]"), undefined);
  assert.deepEqual(message.repetitions("MSH-2"), ["^~\\&"]);
  assert.equal(message.get("MSH-3"), "LABCO");
  assert.equal(message.get("MSH-9.2"), "R01");
});

Deno.test("FHS and BHS count their fields as MSH does", () => {
  const message = Message.parse(lines(head, "BHS|^~\\&|APP|FAC"));
  assert.equal(message.get("BHS-1"), "|");
  assert.equal(message.get("BHS-2"), "^~\\&");
  assert.equal(message.get("BHS-3"), "APP");
});

Deno.test("Message reads with the delimiters of its own MSH", () => {
  const message = Message.parse(
    lines("MSH#@~\\&#A#B#####ORU@R01#X", "PID#1##12@x~34@y##DOE|X@JANE"),
  );
  assert.equal(message.get("PID-5.1"), "DOE|X");
  assert.deepEqual(message.repetitions("PID-3.2"), ["x", "y"]);
  assert.equal(message.messageCode, "ORU");
  assert.equal(message.controlId, "X");
  assert.deepEqual(message.segmentIds(), ["MSH", "PID"]);
});

Deno.test("Message names type, code, event and control ID from MSH alone", () => {
  const message = Message.parse(oru);
  assert.equal(message.messageType, "ORU^R01^ORU_R01");
  assert.equal(message.messageCode, "ORU");
  assert.equal(message.triggerEvent, "R01");
  assert.equal(message.controlId, "MSG0001");
  assert.equal(message.contentType, "hl7v2");
  const bare = Message.parse("MSH|^~\\&|");
  assert.equal(bare.messageType, undefined);
  assert.equal(bare.controlId, undefined);
  message.set("MSH-9.2", "R03").set("MSH-10", "NEW");
  assert.equal(message.triggerEvent, "R03");
  assert.equal(message.controlId, "NEW");
});

Deno.test("component access needs four encoding characters, whole fields do not", () => {
  const message = Message.parse(lines("MSH|^~|A", "PID|1||123^x~4"));
  assert.equal(message.get("PID-3"), "123^x~4");
  message.set("PID-4", "raw");
  assert.equal(message.get("PID-4"), "raw");
  const tries = [
    () => message.get("PID-3.1"),
    () => message.get("PID-3[1]"),
    () => message.repetitions("PID-3"),
    () => message.isNull("PID-3.1"),
    () => message.set("PID-3.1", "x"),
    () => message.set("PID-3", ["a", "b"]),
    () => message.addRepetition("PID-3", "x"),
    () => message.clear("PID-3.1"),
  ];
  const before = message.encode();
  for (const attempt of tries) assert.throws(attempt, code("hl7.delimiters_incomplete"));
  assert.equal(message.encode(), before);
});

Deno.test("Message.isNull() and has() tell null from absent", () => {
  const message = Message.parse(lines(head, 'ZZZ|""|a^""^b|x~""||a'));
  assert.equal(message.isNull("ZZZ-1"), true);
  assert.equal(message.has("ZZZ-1"), true);
  assert.equal(message.isNull("ZZZ-2.2"), true);
  assert.equal(message.isNull("ZZZ-3[2]"), true);
  assert.equal(message.isNull("ZZZ-3"), false);
  assert.equal(message.isNull("ZZZ-4"), false);
  assert.equal(message.has("ZZZ-4"), false);
  assert.equal(message.isNull("YYY-1"), false);
  assert.equal(message.isNull("MSH-2"), false);
});

Deno.test("Message.repetitions() lists fields raw and parts unescaped", () => {
  const message = Message.parse(lines(head, "ZZZ|a\\T\\^b~~c^d\\S\\|"));
  assert.deepEqual(message.repetitions("ZZZ-1"), ["a\\T\\^b", undefined, "c^d\\S\\"]);
  assert.deepEqual(message.repetitions("ZZZ-1.1"), ["a&", undefined, "c"]);
  assert.deepEqual(message.repetitions("ZZZ-1.2"), ["b", undefined, "d^"]);
  assert.deepEqual(message.repetitions("ZZZ-1.3"), [undefined, undefined, undefined]);
  assert.deepEqual(message.repetitions("ZZZ-2"), []);
  assert.deepEqual(message.repetitions("ZZZ-2.1"), []);
  assert.deepEqual(message.repetitions("YYY-2"), []);
  assert.throws(() => message.repetitions("ZZZ-1[2].1"), code("hl7.path_unsuitable"));
});

Deno.test("segments are found by id and occurrence, from 1", () => {
  const message = Message.parse(oru);
  assert.equal(message.get("OBX[2]-2"), "TX");
  assert.equal(message.get("OBX[4]-1"), undefined);
  assert.equal(message.count("OBX"), 3);
  assert.equal(message.count("ZZZ"), 0);
  assert.equal(message.segment("OBR", 2)?.get("4.1"), "718-7");
  assert.equal(message.segment("OBR", 3), undefined);
  assert.deepEqual(message.segments("OBX").map((obx) => obx.get("1")), ["1", "2", "1"]);
  assert.equal(message.segments().length, 8);
  assert.deepEqual(message.segmentIds(), ["MSH", "PID", "ORC", "OBR", "OBX", "OBX", "OBR", "OBX"]);
  for (const n of [0, -1, 1.5, NaN]) {
    assert.throws(() => message.segment("OBR", n), code("hl7.occurrence_invalid"));
  }
});

Deno.test("blank lines are skipped and lines without an id get none", () => {
  const message = Message.parse("MSH|^~\\&|A\r\r \t\rPID|1\r\rnot a segment\rPIDX|9\rNTE\r");
  assert.deepEqual(message.segmentIds(), ["MSH", "PID", "", "", "NTE"]);
  assert.equal(message.get("NTE-1"), undefined);
  assert.equal(message.count("PID"), 1);
});

Deno.test("line ends may be CR, LF or CRLF", () => {
  for (const end of ["\r", "\n", "\r\n"]) {
    const text = oru.replaceAll("\r", end);
    const message = Message.parse(text);
    assert.equal(message.get("OBX[3]-5"), "13.5");
    assert.equal(message.encode(), text, "untouched stays as it came");
    message.set("PID-8", "M");
    assert.equal(message.encode(), oru.replace("|F\r", "|M\r"), "touched ends with CR");
  }
});

Deno.test("Message.parse() takes UTF-8 bytes, strictly", () => {
  const text = lines(head, "PID|1||1||MÜLLER^ŽOFIE^\u{1F600}€");
  const bytes = new TextEncoder().encode(text);
  assert.equal(Message.parse(bytes).encode(), text);
  assert.throws(() => Message.parse(Uint8Array.of(...bytes, 0xc3)), code("hl7.undecodable"));
});

Deno.test("Message.parse() refuses what does not begin with a readable MSH", () => {
  assert.throws(() => Message.parse(""), code("hl7.empty_message"));
  assert.throws(() => Message.parse(" \r\n"), code("hl7.empty_message"));
  assert.throws(() => Message.parse("PID|1"), code("hl7.no_msh"));
  assert.throws(() => Message.parse("MSH"), code("hl7.delimiters_unreadable"));
  assert.throws(() => Message.parse("MSHELLO"), code("hl7.delimiters_unreadable"));
});

// Vector 7, and every other way to be malformed.
Deno.test("malformed paths throw before anything is touched", () => {
  const malformed = [
    "PID-5.0",
    "pid-5",
    "PID5",
    "PID-0",
    "PID-",
    "PID",
    "",
    "PID-5.1.0",
    "PID-5[0]",
    "PID[0]-5",
    "PID-5.",
    "PID-5.1.1.1",
    "PID-05",
    "PID -5",
    "PID-5 ",
    "PIDX-5",
    "PI-5",
    "1ID-5",
    "PID-5.x",
    "PID-+5",
    "PID-1e3",
    "PID-99999",
    "PID-5[]",
    "PID[]-5",
    "PID-5[1",
    "PID_5",
    "\nPID-5",
    "PID-5\n",
    "PID-５",
  ];
  const message = Message.parse(oru);
  for (const path of malformed as unknown as Path[]) {
    for (
      const use of [
        () => message.get(path),
        () => message.has(path),
        () => message.isNull(path),
        () => message.repetitions(path),
        () => message.set(path, "x"),
        () => message.clear(path),
        () => message.addRepetition(path, "x"),
        () => message.groups()[0]?.get(path),
      ]
    ) assert.throws(use, code("hl7.path_malformed"), path);
  }
  const pid = message.segment("PID");
  for (const path of ["0", "5.0", "5[0]", "PID-5", "", "x", "3.10.0"] as unknown as FieldPath[]) {
    assert.throws(() => pid?.get(path), code("hl7.path_malformed"));
    assert.throws(() => pid?.set(path, "x"), code("hl7.path_malformed"));
  }
  for (const path of [undefined, null, 5, {}] as unknown as Path[]) {
    assert.throws(() => message.get(path), code("hl7.path_malformed"));
  }
  assert.equal(message.encode(), oru);
});

Deno.test("a malformed path that may hold data is not quoted", () => {
  const path = "PID-5 of JANE DOE, born 1980" as unknown as Path;
  assert.throws(
    () => Message.parse(oru).get(path),
    (error: Error) => !error.message.includes("JANE") && code("hl7.path_malformed")(error),
  );
});
