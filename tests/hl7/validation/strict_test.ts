import assert from "node:assert/strict";
import fc from "fast-check";
import { supportedVersions, validateStrict } from "../../../src/hl7/validation/mod.ts";
import { adt, oru, withField, withoutSegment, withSegment } from "./samples.ts";

function errorOf(text: string, hl7Version?: string): string {
  const result = validateStrict(text, hl7Version === undefined ? {} : { hl7Version });
  assert.equal(result.ok, false, "the message should not be valid");
  return result.ok ? "" : result.error;
}

function assertValid(text: string, version = "2.5.1"): void {
  assert.deepEqual(validateStrict(text), { ok: true, version });
}

Deno.test("validateStrict() accepts well-formed messages, whatever their line ends", () => {
  for (const text of [adt, oru]) {
    assertValid(text);
    assertValid(text.slice(0, -1));
    assertValid(text.replaceAll("\r", "\n"));
    assertValid(text.replaceAll("\r", "\r\n"));
    assertValid(`\ufeff \r\n${text}\r \r`);
  }
});

Deno.test("validateStrict() refuses what has no readable header", () => {
  assert.equal(errorOf(""), "MSH: required segment missing");
  assert.equal(errorOf("FHS|^~\\&|A\r" + adt), "MSH: required segment missing");
  assert.equal(errorOf("MSHa^~\\&"), "MSH-1: not a delimiter");
  assert.equal(errorOf("MSH|^~|A"), "MSH-2: four distinct delimiters required");
  assert.equal(errorOf("MSH|^^\\&|A"), "MSH-2: four distinct delimiters required");
  assert.equal(errorOf("MSH|^~\\&|A"), "MSH-12: required field empty");
  assert.deepEqual(validateStrict("MSH|^~\\&|A"), {
    ok: false,
    version: undefined,
    error: "MSH-12: required field empty",
  });
});

Deno.test("validateStrict() holds MSH-12 against what it knows and what is expected", () => {
  assert.deepEqual(validateStrict(withField(adt, ["MSH", 12], "9.9")), {
    ok: false,
    version: undefined,
    error: "MSH-12: version not supported",
  });
  assert.equal(errorOf(withField(adt, ["MSH", 12], "__proto__")), "MSH-12: version not supported");
  assert.deepEqual(validateStrict(adt, { hl7Version: "2.5" }), {
    ok: false,
    version: "2.5.1",
    error: "MSH-12: not the version this connection expects",
  });
  assert.deepEqual(validateStrict(adt, { hl7Version: "2.5.1" }), { ok: true, version: "2.5.1" });
  assertValid(withField(adt, ["MSH", 12], "2.5.1^USA"));
});

Deno.test("validateStrict() takes the structure from MSH-9.3, else from code and trigger", () => {
  for (const type of ["ADT^A01", "ADT^A04^ADT_A01", "ADT^A08", "ADT^A13", "ADT^A14", "ADT^A03"]) {
    assertValid(withField(adt, ["MSH", 9], type));
  }
  assertValid(withField(oru, ["MSH", 9], "ORU^R01"));
  assert.equal(errorOf(withField(adt, ["MSH", 9], "")), "MSH-9: required field empty");
  // A04 is an event; its structure is ADT_A01.
  for (const type of ["ADT^A04^ADT_A04", "ADT^A99", "XYZ^A01", "ADT^A01^ZDT_Z01", "ADT", "^A01"]) {
    assert.equal(errorOf(withField(adt, ["MSH", 9], type)), "MSH-9: unknown message structure");
  }
});

Deno.test("validateStrict() gives every acknowledgment one structure", () => {
  const header = (type: string) => `MSH|^~\\&|A|B|C|D|20240108||${type}|1|T|2.5.1\r`;
  for (const type of ["ACK", "ACK^A01", "ACK^R01^ACK"]) {
    assertValid(`${header(type)}MSA|AA|C1\r`);
    assert.equal(errorOf(header(type)), "MSA: required segment missing");
    assert.equal(errorOf(`${header(type)}MSA|ZZZ9|C1\r`), "MSA-1: too long");
    assert.equal(errorOf(`${header(type)}MSA|XX|C1\r`), "MSA-1: code not in HL7 table");
  }
});

Deno.test("validateStrict() knows the order and number of segments", () => {
  const cases: [text: string, error: string][] = [
    [withoutSegment(adt, "EVN"), "EVN: required segment missing before PID"],
    [withoutSegment(adt, "PID"), "PID: required segment missing before NK1"],
    [withoutSegment(adt, "PV1"), "PV1: required segment missing before AL1"],
    [adt.split("\r").slice(0, 2).join("\r"), "PID: required segment missing"],
    [adt.split("\r").slice(0, 1).join("\r"), "EVN: required segment missing"],
    [withSegment(adt, "PID", "PID|1||1||X"), "PID[2]: segment out of order or repeated too often"],
    [withSegment(adt, "DG1", "AL1|2||X"), "AL1[2]: segment out of order or repeated too often"],
    [withSegment(adt, "PID", "OBR|1|||X"), "OBR: segment not allowed in ADT_A01"],
    [withSegment(adt, "PID", "XYZ|1"), "Segment 4: not a segment of this version"],
    [withSegment(adt, "PID", "pid|1"), "Segment 4: not a segment of this version"],
    [withSegment(adt, "PID", "PIDX|1"), "Segment 4: not a segment of this version"],
    [withSegment(adt, "PID", "free text"), "Segment 4: not a segment of this version"],
    [withoutSegment(oru, "OBR"), "OBR: required segment missing before OBX"],
    [withSegment(oru, "NTE", "PV1|1|I"), "PID: required segment missing before PV1"],
    [withSegment(oru, "PID", "PID|1||1||X"), "OBR: required segment missing before PID[2]"],
  ];
  for (const [text, error] of cases) assert.equal(errorOf(text), error);
});

Deno.test("validateStrict() passes over Z-segments and blank lines anywhere", () => {
  assertValid(adt.replaceAll("\r", "\rZPI|any^thing~at&all|DOE\r\r  \r"));
});

// Goal: an ambiguous structure is read in every way. Method: an ORC after an OBR of OML^O21 may be the
// next order, or a prior result, which must bring an OBX.
Deno.test("validateStrict() follows every reading of OML^O21", () => {
  const header = "MSH|^~\\&|A|B|C|D|20240108||OML^O21^OML_O21|1|T|2.5.1\r";
  const order = "ORC|NW|P1\rOBR|1|P1||X^X^LN\r";
  assertValid(header + order + order + order);
  assertValid(`${header}${order}${order}OBX|1|ST|X^X^LN||a||||||F\r${order}`);
  assertValid(`${header}${order}PID|1||1||X\r${order}OBX|1|ST|X^X^LN||a||||||F\r`);
  assert.equal(
    errorOf(`${header}${order}PID|1||1||X\r${order}${order}`),
    "OBX: required segment missing before ORC[3]",
  );
});

Deno.test("validateStrict() takes exactly one order detail in ORM^O01", () => {
  const header = "MSH|^~\\&|A|B|C|D|20240108||ORM^O01|1|T|2.5.1\r";
  assertValid(`${header}ORC|NW|P1\rOBR|1|P1||X^X^LN\rNTE|1||x\r`);
  assertValid(`${header}ORC|CA|P1\rORC|NW|P2\rRXO|X^X^L|1||mg\r`);
  assert.equal(
    errorOf(`${header}ORC|NW|P1\rOBR|1|P1||X^X^LN\rOBR|2|P1||X^X^LN\r`),
    "ORC: required segment missing before OBR[2]",
  );
});

Deno.test("validateStrict() names the first field or part at fault, never its value", () => {
  const cases: [text: string, error: string][] = [
    [withField(oru, ["OBX", 11, 2], ""), "OBX[2]-11: required field empty"],
    [withField(adt, ["PID", 3], ""), "PID-3: required field empty"],
    [withField(adt, ["PID", 3], "~^^^MFHOSP^MR"), "PID-3[2].1: required component empty"],
    [withField(adt, ["PID", 3], "^^^MFHOSP^MR"), "PID-3.1: required component empty"],
    [withField(adt, ["PID", 8], "F~M"), "PID-8: too many repetitions"],
    [withField(oru, ["OBR", 17], "1~2~3"), "OBR-17: too many repetitions"],
    [withField(adt, ["PID", 8], "FEMALE"), "PID-8: too long"],
    [withField(adt, ["PID", 5], `${"X".repeat(51)}^A`), "PID-5.1: too long"],
    [withField(adt, ["PID", 5], `A^${"X".repeat(31)}`), "PID-5.2: too long"],
    [withField(adt, ["PID", 18], `A^^^${"x^".repeat(200)}`), "PID-18: too long"],
    [withField(adt, ["PID", 7], "19800230"), "PID-7.1: not a valid DTM"],
    [withField(adt, ["PID", 7], "1980-02-28"), "PID-7.1: not a valid DTM"],
    [withField(adt, ["PID", 1], "1A"), "PID-1: not a valid SI"],
    [withField(adt, ["PID", 1], "-1"), "PID-1: not a valid SI"],
    [withField(adt, ["PID", 25], "x"), "PID-25: not a valid NM"],
    [withField(adt, ["PID", 24], "X"), "PID-24: code not in HL7 table"],
    [withField(adt, ["PID", 11], "A^^^^^XXX"), "PID-11.6: code not in HL7 table"],
    [withField(adt, ["PID", 19], "1^2"), "PID-19.2: component not defined for its type"],
    [withField(adt, ["PID", 19], "1&2"), "PID-19: subcomponent not defined for its type"],
    [withField(adt, ["PID", 40], "x"), "PID-40: field not defined in this version"],
    [withField(adt, ["PID", 16], "S^^^^^^x"), "PID-16.7: component not defined for its type"],
    [withField(adt, ["PID", 3], "1^^^A&1.2"), "PID-3.4.3: required component empty"],
    [withField(adt, ["PID", 3], "1^^^A&&ISO"), "PID-3.4.2: required component empty"],
    [withField(adt, ["PID", 3], "1^^^A&1.x&ISO"), "PID-3.4.2: not a valid universal ID"],
    [
      withField(adt, ["PID", 3], "1^^^A&1.2&ISO&x"),
      "PID-3.4.4: subcomponent not defined for its type",
    ],
    [withField(adt, ["PID", 3], "1^^^A&1.2&WHAT"), "PID-3.4.3: code not in HL7 table"],
    [withField(adt, ["PID", 5], "A^^^^^^^^^20240101&2024013"), "PID-5.10.2: not a valid DTM"],
    [withField(adt, ["MSH", 3], "A^B"), "MSH-3.3: required component empty"],
    [withField(adt, ["MSH", 7], ""), "MSH-7: required field empty"],
    [withField(adt, ["MSH", 11], "X"), "MSH-11.1: code not in HL7 table"],
    [withField(adt, ["EVN", 1], "A99"), "EVN-1: code not in HL7 table"],
    [withField(adt, ["DG1", 6], ""), "DG1-6: required field empty"],
    [withField(oru, ["OBX", 2], ""), "OBX-2: required field empty"],
    [withField(oru, ["OBX", 2], "QQ"), "OBX-2: code not in HL7 table"],
    [withField(oru, ["OBX", 2], "SI"), "OBX-2: code not in HL7 table"],
    [withField(oru, ["OBX", 5], "high"), "OBX-5: not a valid NM"],
    [withField(oru, ["OBX", 5], "1~x"), "OBX-5[2]: not a valid NM"],
    [withField(oru, ["OBX", 11], "Q"), "OBX-11: code not in HL7 table"],
  ];
  for (const [text, error] of cases) assert.equal(errorOf(text), error);
});

Deno.test("validateStrict() accepts what only looks wrong", () => {
  const texts = [
    withField(adt, ["PID", 7], '""'),
    withField(adt, ["PID", 24], '""'),
    withField(adt, ["PID", 7], "1980"),
    withField(adt, ["PID", 7], "198002"),
    withField(adt, ["PID", 7], "20240229235959.1234+0530"),
    withField(adt, ["PID", 3], "1^^^A&1.2.840.113&ISO"),
    withField(adt, ["PID", 3], "1^^^&1.2.840.113&ISO"),
    // Fifty characters of surname, the escape sequence counting as one.
    withField(adt, ["PID", 5], `${"X".repeat(49)}\\T\\^A`),
    withField(adt, ["PID", 5], "van Mock&van&Mock^A"),
    withField(adt, ["EVN", 1], "Z99"),
    withField(oru, ["OBX", 2], ""),
    withField(oru, ["OBX", 5], ""),
    withField(oru, ["OBX", 5], "-.5"),
    withField(withField(oru, ["OBX", 2], "CE"), ["OBX", 5], "A^B^L"),
    withField(withField(oru, ["OBX", 2], "SN"), ["OBX", 5], ">^100"),
    withField(withField(oru, ["OBX", 2], "ED"), ["OBX", 5], "^AP^x^Base64^QUJD"),
    withField(withField(oru, ["OBX", 2], "CNE"), ["OBX", 5], "A"),
  ];
  // The emptied OBX-2 is valid only with OBX-5 empty as well.
  texts[10] = withField(texts[10] as string, ["OBX", 5], "");
  for (const text of texts) assertValid(text);
});

Deno.test("validateStrict() reads a message by its own delimiters", () => {
  const swap = (text: string) =>
    text.replace(/[|^~\\&]/g, (mark) => "#:!*%"["|^~\\&".indexOf(mark)] as string);
  for (const text of [adt, oru]) assertValid(swap(text));
  assert.equal(
    errorOf(swap(withField(adt, ["PID", 3], "~^^^MFHOSP^MR"))),
    "PID-3[2].1: required component empty",
  );
  // The usual ones are then plain characters.
  assertValid(swap(adt).replace("Mockingham", "Mock|ham"));
});

// One short message a version, as its own chapter 2 wants it.
const byVersion: Readonly<Record<string, string>> = {
  "2.1": "MSH|^~\\&|A|B|C|D|19900101||ADT^A01|1|T|2.1\rEVN|A01|19900101\r" +
    "PID|||1||X^Y\rNK1|1|X\rPV1|1|I|A^1^1\r",
  "2.2": "MSH|^~\\&|A|B|C|D|199401010000||ADT^A01|1|T|2.2\rEVN|A01|199401010000\r" +
    "PID|||1||X^Y\rPV1|1|I|A^1^1\r",
  "2.3": "MSH|^~\\&|A|B|C|D|199701010000||ADT^A08|1|T|2.3\rEVN|A08|199701010000\r" +
    "PID|||1||X^Y\rPV1|1|I\r",
  "2.3.1": "MSH|^~\\&|A|B|C|D|199901010000||ADT^A08^ADT_A01|1|T|2.3.1\rEVN|A08|199901010000\r" +
    "PID|||1||X^Y\rPV1|1|I\r",
  "2.4": "MSH|^~\\&|A|B|C|D|200101010000||ADT^A28|1|T|2.4\rEVN|A28|200101010000\r" +
    "PID|||1||X^Y\rPV1|1|I\r",
  "2.5": "MSH|^~\\&|A|B|C|D|200401010000||SIU^S12|1|T|2.5\r" +
    "SCH||||||R||||||||||1||||1\rRGS|1|A\r",
  "2.5.1": adt,
  "2.6": "MSH|^~\\&|A|B|C|D|20080101000000||MDM^T01^MDM_T01|1|T|2.6\r" +
    "EVN||20080101\rPID|||1||X^Y\rPV1|1|I\rTXA|1|DS||||||||||1|||||AU\r",
  "2.7": "MSH|^~\\&|A|B|C|D|20110101000000||ADT^A01^ADT_A01|1|T|2.7\rEVN||20110101\r" +
    "PID|||1^^^A^MR||X^Y\rPV1|1|I\r",
  "2.7.1": "MSH|^~\\&|A|B|C|D|20120101000000||ADT^A01^ADT_A01|1|T|2.7.1\rEVN||20120101\r" +
    "PID|||1^^^A^MR||X^Y\rPV1|1|I\r",
};

Deno.test("validateStrict() knows each version from 2.1 to 2.7.1 by its own rules", () => {
  assert.deepEqual(Object.keys(byVersion), supportedVersions);
  for (const [version, text] of Object.entries(byVersion)) {
    const result = validateStrict(text);
    assert.deepEqual(result, { ok: true, version });
    assert.equal(result.ok, true);
    const unnamed = withField(text, ["MSH", 10], "");
    assert.equal(errorOf(unnamed), "MSH-10: required field empty");
  }
});

Deno.test("validateStrict() never tells a value and never throws", () => {
  const places = fc.constantFrom(
    ...[adt, oru].flatMap((text) =>
      text.split("\r").filter((line) => line !== "").flatMap((line) =>
        line.split("|").slice(1).map((_, index) => [text, line.slice(0, 3), index + 1] as const)
      )
    ),
  );
  fc.assert(
    fc.property(places, fc.string({ maxLength: 40 }), ([text, id, at], noise) => {
      const secret = `DOEJOHN${noise}`;
      const result = validateStrict(withField(text, [id, at], secret));
      if (!result.ok) {
        assert.ok(!result.error.includes("DOEJOHN"), result.error);
        assert.match(
          result.error,
          /^([A-Z][A-Z0-9]{2}(\[\d+\])?(-\d+(\[\d+\])?(\.\d+){0,2})?|Segment \d+): [A-Za-z0-9_,' -]+$|^[A-Z0-9]{3}: required segment missing before [A-Z0-9]{3}(\[\d+\])?$/,
        );
      }
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.string({ maxLength: 300, unit: "binary" }), (noise) => {
    assert.equal(validateStrict(noise).ok, false);
    assert.equal(typeof validateStrict(`${adt}${noise}`).ok, "boolean");
    assert.equal(typeof validateStrict(`MSH|^~\\&|${noise}`).ok, "boolean");
  }));
});

// Goal: a malformed flood costs no more than a valid one by orders. Method: the worst shapes at 1 MB.
Deno.test("validateStrict() stays linear on hostile text", () => {
  const hostile = [
    adt + "ZZZ|x\r".repeat(150_000),
    withField(adt, ["PID", 5], "~".repeat(1_000_000)),
    withField(adt, ["PID", 5], "^".repeat(1_000_000)),
    withField(adt, ["PID", 5], "\\".repeat(1_000_000)),
    withField(adt, ["PID", 7], "1".repeat(1_000_000)),
    withField(adt, ["PID", 25], `${"1".repeat(500_000)}.`),
    withField(adt, ["PID", 3], `1^^^&${"1.".repeat(500_000)}&ISO`),
    withField(adt, ["MSH", 3], `A^${"a-".repeat(500_000)}^DNS`),
    adt + "\r".repeat(1_000_000),
  ];
  for (const text of hostile) {
    const before = performance.now();
    validateStrict(text);
    const ms = performance.now() - before;
    assert.ok(ms < 2_000, `${Math.round(ms)} ms`);
  }
});

Deno.test("validateStrict() takes well under a millisecond for 2 KB once warm", () => {
  const text = oru.replace(/(OBX\|2.*\r)/, (line) => line.repeat(20));
  assert.ok(text.length > 1_500);
  for (let run = 0; run < 2_000; run++) validateStrict(text);
  const times = Array.from({ length: 200 }, () => {
    const before = performance.now();
    validateStrict(text);
    return performance.now() - before;
  }).sort((one, other) => one - other);
  assert.ok((times[100] as number) < 1, `median ${times[100]} ms`);
});
