import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AcknowledgementOptions,
  buildAcknowledgement,
  latin1View,
  Message,
  peekHeader,
  readAcknowledgement,
} from "../../src/hl7/mod.ts";
import { adtOf20Segments, lines, oru } from "./samples.ts";

const now = new Date(2026, 0, 2, 3, 4, 5).getTime();

function acknowledge(text: string, options: Partial<AcknowledgementOptions> = {}): string {
  const peek = peekHeader(text);
  const header = peek.ok ? peek.header : undefined;
  return buildAcknowledgement({
    header,
    rawStart: text,
    code: "AA",
    mode: "original",
    now,
    ...options,
  });
}

Deno.test("buildAcknowledgement() answers by the table of spec §2.1", () => {
  assert.equal(
    acknowledge(adtOf20Segments),
    lines(
      "MSH|^~\\&|MEFOR|INTEGRATION|EPIC|ACMEHOSP|20260102030405||ACK^A08^ACK|MSG00000042|P|2.5.1",
      "MSA|AA|MSG00000042",
    ),
  );
});

Deno.test("buildAcknowledgement() changes only the letters in enhanced mode", () => {
  for (const [code, enhanced] of [["AA", "CA"], ["AE", "CE"], ["AR", "CR"]] as const) {
    const original = acknowledge(oru, { code });
    assert.match(original, new RegExp(`\\rMSA\\|${code}\\|MSG0001\\r$`));
    assert.equal(
      acknowledge(oru, { code, mode: "enhanced" }),
      original.replace(`MSA|${code}`, `MSA|${enhanced}`),
    );
  }
});

Deno.test("buildAcknowledgement() names a structure from v2.3.1 on, with a trigger event", () => {
  const table: readonly (readonly [string, string, string])[] = [
    ["ADT^A01", "2.3.1", "ACK^A01^ACK"],
    ["ADT^A01", "2.5", "ACK^A01^ACK"],
    ["ADT^A01", "2.10", "ACK^A01^ACK"],
    ["ADT^A01", "2.5^USA", "ACK^A01^ACK"],
    ["ADT^A01", "3.0", "ACK^A01^ACK"],
    ["ADT^A01", "2.3", "ACK"],
    ["ADT^A01", "2.2", "ACK"],
    ["ADT^A01", "", "ACK"],
    ["ADT^A01", "latest", "ACK"],
    ["ADT", "2.5", "ACK"],
    ["", "2.5", "ACK"],
    ["ADT^a\\F\\b", "2.5", "ACK^a\\F\\b^ACK"],
  ];
  for (const [type, version, wanted] of table) {
    const reply = acknowledge(`MSH|^~\\&|||||||${type}|1|P|${version}\r`);
    assert.equal(reply.split("|")[8], wanted, `${type} ${version}`);
  }
});

Deno.test("buildAcknowledgement() echoes MSH-11 and MSH-12, with defaults", () => {
  assert.match(acknowledge("MSH|^~\\&|||||||ADT^A01|1|T|2.3\r"), /\|1\|T\|2\.3\r/);
  assert.match(acknowledge("MSH|^~\\&|||||||ADT^A01|1\r"), /\|1\|P\|2\.5\.1\r/);
  assert.match(acknowledge("MSH|^~\\&|A\r"), /\|ACK\|\|P\|2\.5\.1\rMSA\|AA\|\r$/);
});

// Vector 5.
Deno.test("buildAcknowledgement() keeps a reason inside MSA-3", () => {
  const reply = acknowledge(oru, {
    code: "AE",
    reason: "bad | and \\ here\r\nMSA|AA|FORGED\nx\ry",
  });
  assert.equal(
    reply.split("\r")[1],
    "MSA|AE|MSG0001|bad \\F\\ and \\E\\ here MSA\\F\\AA\\F\\FORGED x y",
  );
  assert.equal(reply.split("\r").length, 3, "two segments");
  assert.equal(readAcknowledgement(reply).code, "AE");
});

Deno.test("buildAcknowledgement() sends 200 characters of a reason, never half a pair", () => {
  const long = acknowledge(oru, { code: "AE", reason: "x".repeat(500) });
  assert.equal(long.split("\r")[1], "MSA|AE|MSG0001|" + "x".repeat(200));
  const pair = acknowledge(oru, { code: "AE", reason: "x".repeat(199) + "\u{1F600}" });
  assert.ok(pair.isWellFormed());
});

// Vector 6.
Deno.test("buildAcknowledgement() uses the delimiters of the inbound message", () => {
  const reply = acknowledge("MSH#@~\\&#A#B#C#D###ORU@R01#X1#P#2.5\r", {
    code: "AR",
    reason: "a#b|c\\",
  });
  assert.equal(
    reply,
    lines(
      "MSH#@~\\&#C#D#A#B#20260102030405##ACK@R01@ACK#X1#P#2.5",
      "MSA#AR#X1#a\\F\\b|c\\E\\",
    ),
  );
  assert.equal(Message.parse(reply).get("MSA-3"), "a\\F\\b|c\\E\\");
});

Deno.test("buildAcknowledgement() falls back to the usual delimiters when there is no MSH", () => {
  for (const text of ["", "garbage", "MSHx", "FHS|^~\\&|"]) {
    assert.equal(
      acknowledge(text, { code: "AR", reason: "no MSH" }),
      lines("MSH|^~\\&|||||20260102030405||ACK||P|2.5.1", "MSA|AR||no MSH"),
    );
  }
});

Deno.test("buildAcknowledgement() salvages an MSH from undecodable bytes, in ASCII", () => {
  const bytes = Uint8Array.from(
    latin1Bytes("MSH|^~\\&|CAF\u00c9|B|C|D|||ADT^A01|ID\u00c97|P|2.5\rPID|1"),
  );
  const reply = buildAcknowledgement({
    header: undefined,
    rawStart: latin1View(bytes),
    code: "AR",
    mode: "original",
    reason: "decode error",
    now,
  });
  assert.equal(
    reply,
    lines(
      "MSH|^~\\&|C|D|CAF?|B|20260102030405||ACK^A01^ACK|ID?7|P|2.5",
      "MSA|AR|ID?7|decode error",
    ),
  );
});

Deno.test("buildAcknowledgement() lets no echoed value begin a segment", () => {
  const peek = peekHeader(oru);
  assert.ok(peek.ok);
  const header = { ...peek.header, controlId: "1\rMSA|AA|2", sendingApplication: "A\nZZZ|" };
  const reply = buildAcknowledgement({ header, rawStart: "", code: "AR", mode: "original", now });
  assert.equal(reply.split(/[\r\n]/).length, 3);
});

// Goal: the check of the whole text finds every line end. Method: line ends in any echoed value
// against the same values with blanks in their place.
Deno.test("buildAcknowledgement() makes blanks of line ends in whatever it echoes", () => {
  const value = fc.option(
    fc.array(fc.constantFrom("A", "1", "|", "^", "\r", "\n", "2.5", "\u00e9"), { maxLength: 5 })
      .map((pieces) => pieces.join("")),
    { nil: undefined },
  );
  const fields = fc.record({
    sendingApplication: value,
    receivingFacility: value,
    triggerEvent: value,
    controlId: value,
    processingId: value,
    versionId: value,
  });
  const peek = peekHeader(oru);
  assert.ok(peek.ok);
  const { header } = peek;
  fc.assert(
    fc.property(fields, (changes) => {
      const blanks = Object.fromEntries(
        Object.entries(changes).map(([name, text]) => [name, text?.replace(/[\r\n]/g, " ")]),
      );
      const reply = acknowledge(oru, { header: { ...header, ...changes } });
      assert.equal(reply, acknowledge(oru, { header: { ...header, ...blanks } }));
      assert.match(reply, /^[^\r\n]+\r[^\r\n]+\r$/);
    }),
    { numRuns: 500 },
  );
});

Deno.test("readAcknowledgement() reads what a reader of whole lines reads", () => {
  const piece = fc.constantFrom(
    ...["MSH|^~\\&|", "MSH#@~\\&#", "MSH", "MSA|", "MSA#", "\rMSA|", "\nMSA|", "MSA", "AA", "AR"],
    ...["AE", "CA", " ", "|", "#", "\r", "\n", "\r\n", "M1", "\ufeff", "\u00e9", "^"],
  );
  const start = fc.constantFrom("MSH|^~\\&|", "MSH#@~\\&#", "MSH|", "\r\nMSH|^~\\&|", "");
  fc.assert(
    fc.property(start, fc.array(piece, { maxLength: 12 }), (begin, pieces) => {
      const text = begin + pieces.join("");
      assert.deepEqual(readAcknowledgement(text), readByLines(text), JSON.stringify(text));
    }),
    { numRuns: 5_000 },
  );
});

function readByLines(text: string): ReturnType<typeof readAcknowledgement> {
  const peek = peekHeader(text);
  if (!peek.ok) return { verdict: "not_hl7", code: undefined, controlId: undefined, isAck: false };
  const separator = peek.header.delimiters.field;
  const msa = text.split(/[\r\n]/).slice(1).find((line) => line.startsWith("MSA" + separator));
  if (msa === undefined) {
    return { verdict: "transient", code: undefined, controlId: undefined, isAck: false };
  }
  const [, code = "", id] = msa.split(separator).map((field) => field.trim());
  const verdicts = { A: "accepted", R: "rejected", E: "transient" } as const;
  const known = /^[AC][ARE]$/.test(code) ? verdicts[code[1] as keyof typeof verdicts] : undefined;
  return {
    verdict: known ?? "transient",
    code: known && code,
    controlId: id || undefined,
    isAck: true,
  };
}

Deno.test("readAcknowledgement() classifies replies", () => {
  const msh = "MSH|^~\\&|A|B|C|D|20260101||ACK|99|P|2.5";
  const table: readonly (readonly [string, ReturnType<typeof readAcknowledgement>])[] = [
    [lines(msh, "MSA|AA|M1"), { verdict: "accepted", code: "AA", controlId: "M1", isAck: true }],
    [lines(msh, "MSA|CA|M1|ok"), { verdict: "accepted", code: "CA", controlId: "M1", isAck: true }],
    [lines(msh, "MSA|AR|M1"), { verdict: "rejected", code: "AR", controlId: "M1", isAck: true }],
    [lines(msh, "MSA|CR"), { verdict: "rejected", code: "CR", controlId: undefined, isAck: true }],
    [lines(msh, "MSA|AE|M1"), { verdict: "transient", code: "AE", controlId: "M1", isAck: true }],
    [lines(msh, "MSA|CE|"), {
      verdict: "transient",
      code: "CE",
      controlId: undefined,
      isAck: true,
    }],
    [lines(msh, "MSA|OK|M1"), {
      verdict: "transient",
      code: undefined,
      controlId: "M1",
      isAck: true,
    }],
    [lines(msh, "MSA|aa|M1"), {
      verdict: "transient",
      code: undefined,
      controlId: "M1",
      isAck: true,
    }],
    [lines(msh, "MSA|"), {
      verdict: "transient",
      code: undefined,
      controlId: undefined,
      isAck: true,
    }],
    [lines(msh, "MSA| AA | M1 "), {
      verdict: "accepted",
      code: "AA",
      controlId: "M1",
      isAck: true,
    }],
    [lines(msh), { verdict: "transient", code: undefined, controlId: undefined, isAck: false }],
    [lines(msh, "NTE|1||MSA|AA|M1"), {
      verdict: "transient",
      code: undefined,
      controlId: undefined,
      isAck: false,
    }],
    [lines(msh, "SFT|x", "MSA|AA|M1", "ERR|1"), {
      verdict: "accepted",
      code: "AA",
      controlId: "M1",
      isAck: true,
    }],
    [lines(msh, "MSA|AA|M1").replaceAll("\r", "\r\n"), {
      verdict: "accepted",
      code: "AA",
      controlId: "M1",
      isAck: true,
    }],
    [lines(msh, "MSA|AA|M1").replaceAll("\r", "\n"), {
      verdict: "accepted",
      code: "AA",
      controlId: "M1",
      isAck: true,
    }],
    ["MSH#@~\\&#A\rMSA#AA#M1", { verdict: "accepted", code: "AA", controlId: "M1", isAck: true }],
    ["MSH#@~\\&#A\rMSA|AA|M1", {
      verdict: "transient",
      code: undefined,
      controlId: undefined,
      isAck: false,
    }],
    ["", { verdict: "not_hl7", code: undefined, controlId: undefined, isAck: false }],
    ["OK", { verdict: "not_hl7", code: undefined, controlId: undefined, isAck: false }],
    ["MSA|AA|M1", { verdict: "not_hl7", code: undefined, controlId: undefined, isAck: false }],
  ];
  for (const [text, wanted] of table) assert.deepEqual(readAcknowledgement(text), wanted, text);
});

function latin1Bytes(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}
