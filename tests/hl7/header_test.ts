import assert from "node:assert/strict";
import fc from "fast-check";
import { isAcknowledgement, peekControlId, peekHeader } from "../../src/hl7/mod.ts";
import { adtOf20Segments, oru } from "./samples.ts";

function headerOf(text: string) {
  const peek = peekHeader(text);
  assert.ok(peek.ok, peek.ok ? "" : peek.failure);
  return peek.header;
}

Deno.test("peekHeader() reads the fields intake needs", () => {
  const header = headerOf(adtOf20Segments);
  assert.deepEqual({ ...header, delimiters: header.delimiters.encodingCharacters }, {
    delimiters: "^~\\&",
    sendingApplication: "EPIC",
    sendingFacility: "ACMEHOSP",
    receivingApplication: "MEFOR",
    receivingFacility: "INTEGRATION",
    messageType: "ADT^A08^ADT_A01",
    messageCode: "ADT",
    triggerEvent: "A08",
    controlId: "MSG00000042",
    processingId: "P",
    versionId: "2.5.1",
    characterSet: "UNICODE UTF-8",
  });
});

Deno.test("peekHeader() answers undefined for empty and absent fields", () => {
  for (
    const text of [
      "MSH|",
      "MSH|^~\\&",
      "MSH|^~\\&||||||||||\r",
      "MSH|^~\\&|\rPID|1|2|3|4|5|6|7|8|9",
    ]
  ) {
    const { delimiters, ...fields } = headerOf(text);
    assert.equal(delimiters.field, "|");
    assert.deepEqual(Object.values(fields).filter((value) => value !== undefined), [], text);
  }
});

Deno.test("peekHeader() never looks past the MSH", () => {
  for (const end of ["\r", "\n", "\r\n"]) {
    const header = headerOf(`MSH|^~\\&|A${end}EVN|x|y|z|1|2|3|4|5|6|7|8`);
    assert.equal(header.sendingApplication, "A");
    assert.equal(header.sendingFacility, undefined);
    assert.equal(header.controlId, undefined);
  }
});

Deno.test("peekHeader() tells why a text is no message", () => {
  const table: readonly (readonly [string, string])[] = [
    ["", "empty message"],
    [" \r\n\t", "empty message"],
    ["\ufeff", "empty message"],
    ["PID|1", "no MSH"],
    ["FHS|^~\\&|A\rMSH|^~\\&|A", "no MSH"],
    ["msh|^~\\&", "no MSH"],
    ["MS", "no MSH"],
    ["MSH", "unreadable delimiters"],
    ["MSHx^~\\&", "unreadable delimiters"],
    ["MSH\r", "unreadable delimiters"],
    ["MSH ^~\\& A", "unreadable delimiters"],
    ["MSH\u{1F600}", "unreadable delimiters"],
  ];
  for (const [text, failure] of table) {
    assert.deepEqual(peekHeader(text), { ok: false, failure }, JSON.stringify(text));
  }
});

Deno.test("peekHeader() allows blanks and one BOM before MSH", () => {
  for (const before of [" ", "\t", "\r\n", "\ufeff", "\ufeff \r"]) {
    assert.equal(headerOf(before + oru).controlId, "MSG0001");
  }
});

Deno.test("peekHeader() takes delimiters from the message", () => {
  const header = headerOf("MSH#@~\\&#A#B#C#D###ORU@R01#X1");
  assert.equal(header.messageCode, "ORU");
  assert.equal(header.triggerEvent, "R01");
  assert.equal(header.controlId, "X1");
  assert.equal(header.delimiters.component, "@");
});

Deno.test("peekHeader() fills in encoding characters MSH-2 leaves out", () => {
  const header = headerOf("MSH|^~|A|B|||||ADT^A01|1");
  assert.equal(header.delimiters.isComplete, false);
  assert.equal(header.delimiters.escape, "\\");
  assert.equal(header.messageCode, "ADT");
});

Deno.test("peekHeader() carries and ignores a truncation character", () => {
  const { delimiters } = headerOf("MSH|^~\\&#|A");
  assert.equal(delimiters.isComplete, true);
  assert.equal(delimiters.encodingCharacters, "^~\\&#");
  assert.equal(delimiters.subcomponent, "&");
});

Deno.test("delimiters that clash or are letters are not complete", () => {
  for (const encodingCharacters of ["^^\\&", "^~\\^", "A~\\&", "^~\\", "", "^~ &"]) {
    assert.equal(headerOf(`MSH|${encodingCharacters}|A`).delimiters.isComplete, false);
  }
});

Deno.test("isAcknowledgement() is true for ACK alone", () => {
  assert.equal(isAcknowledgement(headerOf("MSH|^~\\&|||||||ACK^A01^ACK|1")), true);
  assert.equal(isAcknowledgement(headerOf("MSH|^~\\&|||||||ACK|1")), true);
  for (const type of ["ADT^A01", "RSP^K22", "ORR^O02", ""]) {
    assert.equal(isAcknowledgement(headerOf(`MSH|^~\\&|||||||${type}|1`)), false);
  }
});

Deno.test("peekControlId() reads the MSH-10 that peekHeader() reads", () => {
  assert.equal(peekControlId(adtOf20Segments), "MSG00000042");
  const start = fc.constantFrom(
    "MSH|^~\\&",
    "MSH#@~\\&",
    "\ufeff\r\nMSH|^~\\&",
    "MSH|",
    "MSH",
    "PID|",
    "",
  );
  const piece = fc.constantFrom("|", "|", "||||", "|A", "#", "####", "ID7", "\r", "\n", " ", "é");
  fc.assert(
    fc.property(start, fc.array(piece, { maxLength: 14 }), (begin, pieces) => {
      const text = begin + pieces.join("");
      const peek = peekHeader(text);
      assert.equal(peekControlId(text), peek.ok ? peek.header.controlId : undefined);
    }),
    { numRuns: 5_000 },
  );
});
