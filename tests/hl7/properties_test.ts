/**
 * What must hold for any text, any path and any value.
 */
import assert from "node:assert/strict";
import { EngineError } from "../../src/errors.ts";
import {
  buildAcknowledgement,
  escape,
  makeDelimiters,
  Message,
  normaliseText,
  type Path,
  peekHeader,
  readAcknowledgement,
  redelimit,
  splitBatch,
  splitByObr,
  standardDelimiters,
  unescape,
} from "../../src/hl7/mod.ts";
import fc from "fast-check";
import { oru } from "./samples.ts";

/** Characters that mean something to HL7, and a few that do not. */
const meaningful = fc.constantFrom(
  ..."|^~\\&#\r\n \tMSHPIDOBXRFBT0123456789.XEéŽ",
  "\u{1F600}",
  "\ufeff",
  "\ud800",
);
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: meaningful, maxLength: 120 }),
);
const anyMessage = fc.oneof(
  anyText.map((text) => "MSH|^~\\&|" + text),
  anyText.map((text) => "MSH" + text),
  fc.array(fc.tuple(fc.constantFrom("PID", "OBR", "OBX", "FHS", "BTS", "MSH"), anyText))
    .map((segments) => "MSH|^~\\&|A\r" + segments.map(([id, text]) => `${id}|${text}\r`).join("")),
);
const oneLine = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(..."|^~\\&FSRTEXH.br ab") }),
).map((text) => text.replace(/[\r\n]/g, "_"));
const delimiters = fc.uniqueArray(fc.constantFrom(..."|^~\\&#@!$%*"), {
  minLength: 5,
  maxLength: 5,
})
  .map(([field = "", ...others]) => makeDelimiters(field, others.join("")));
const anyPath = fc.oneof(
  fc.constantFrom<Path>(
    "PID-3",
    "PID-3.1",
    "PID-5[2].1.2",
    "OBX[2]-5",
    "MSH-1",
    "MSH-2",
    "MSH-9.1",
    "ZZZ-1",
  ),
  anyText as fc.Arbitrary<Path>,
);

/** What was done to a message, for two of them to be compared. */
type Step = readonly ["get" | "set" | "clear" | "copy" | "ids", Path, string];

const anySteps = fc.array(
  fc.tuple(
    fc.constantFrom<Step[0]>("get", "get", "set", "set", "clear", "copy", "ids"),
    fc.constantFrom<Path>("MSH-3", "MSH-10", "MSH[2]-3", "PID-3.1", "PID[2]-1", "OBX-5[2].1"),
    fc.constantFrom("", "x", "a&b", "longer than it was"),
  ),
  { maxLength: 8 },
);

/** Takes `steps` and returns everything that was to be seen on the way. */
function take(steps: readonly Step[], start: Message): readonly unknown[] {
  let message = start;
  const seen: unknown[] = [];
  for (const [step, path, value] of steps) {
    try {
      if (step === "get") seen.push(message.get(path));
      if (step === "set") message.set(path, value);
      if (step === "clear") message.clear(path);
      if (step === "ids") seen.push(message.segmentIds());
      if (step === "copy") {
        const copy = message.copy();
        message.set("MSH-4", "not in the copy");
        seen.push(message.encode());
        message = copy;
      }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      seen.push(error.code);
    }
    if (value === "x") seen.push(message.encode());
  }
  return [...seen, message.encode(), message.segmentIds()];
}

/** Runs `act`; only errors of ours may come out. */
function onlyOurs(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    assert.match(error.code, /^hl7\.[a-z0-9_]+$/);
  }
}

function throwsOurs(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    return error instanceof EngineError;
  }
}

Deno.test("a message is the same, whether all its segments were read before or none", () => {
  fc.assert(
    fc.property(anyMessage, anySteps, (text, steps) => {
      fc.pre(!throwsOurs(() => Message.parse(text)));
      const whole = Message.parse(text);
      whole.segmentIds();
      assert.deepEqual(take(steps, Message.parse(text)), take(steps, whole));
    }),
  );
});

Deno.test("any text beginning with MSH that parses encodes to itself", () => {
  fc.assert(
    fc.property(anyMessage, (text) => {
      let message: Message;
      try {
        message = Message.parse(text);
      } catch (error) {
        assert.ok(error instanceof EngineError);
        return;
      }
      message.segments();
      message.get("PID-3");
      message.groups();
      assert.equal(message.encode(), text);
      assert.equal(message.copy().encode(), text);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("what set() wrote as data, get() reads", () => {
  const paths = fc.constantFrom<Path>(
    "PID-5.1",
    "PID-5[3].2",
    "PID-30.4.2",
    "OBX[3]-5.1",
    "MSH-3.1",
    "PID-3.1.1",
  );
  fc.assert(
    fc.property(paths, oneLine, (path, value) => {
      const message = Message.parse(oru).set(path, value);
      assert.equal(message.get(path), value || undefined);
      const again = Message.parse(message.encode());
      assert.equal(again.get(path), value || undefined);
      assert.equal(again.segmentIds().length, 8);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("set() of a part leaves every other part as it was", () => {
  const part = fc.string({ unit: fc.constantFrom(..."ab\\T") });
  const structure = fc.array(fc.array(part, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(fc.property(structure, fc.nat(2), fc.nat(3), oneLine, (parts, r, c, value) => {
    const field = parts.map((components) => components.join("^")).join("~");
    const message = Message.parse(`MSH|^~\\&|A\rZZZ|before|${field}|after\r`);
    message.set(`ZZZ-2[${r + 1}].${c + 1}`, value);
    const repetitions = (message.get("ZZZ-2") ?? "").split("~").map((each) => each.split("^"));
    parts.forEach((components, i) =>
      components.forEach((raw, j) => {
        if (i !== r || j !== c) assert.equal(repetitions[i]?.[j], raw);
      })
    );
    assert.equal(message.get("ZZZ-1"), "before");
    assert.equal(message.get("ZZZ-3"), "after");
  }));
});

Deno.test("unescape() undoes escape(), with any delimiters", () => {
  fc.assert(
    fc.property(delimiters, oneLine, (own, value) => {
      assert.equal(unescape(escape(value, own), own), value);
      const { field, component, repetition, subcomponent } = own;
      for (const each of [field, component, repetition, subcomponent]) {
        assert.ok(!escape(value, own).includes(each));
      }
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("splitBatch() loses no segment but envelopes", () => {
  const segment = fc.tuple(
    fc.constantFrom("MSH", "PID", "OBX", "FHS", "BHS", "BTS", "FTS", "ZZZ"),
    fc.string({ unit: fc.constantFrom(..."ab12|^") }),
  ).map(([id, text]) => `${id}|${text}`);
  fc.assert(fc.property(fc.array(segment), fc.constantFrom("\r", "\n", "\r\n"), (segments, end) => {
    const split = splitBatch(["MSH|^~\\&|A", ...segments].join(end));
    const kept = ["MSH|^~\\&|A", ...segments].filter((each) => !/^(?:FHS|BHS|BTS|FTS)/.test(each));
    assert.deepEqual(split.messages.join("").split("\r").slice(0, -1), kept);
    assert.ok(split.messages.every((each) => each.startsWith("MSH|")));
  }));
});

Deno.test("peekHeader() and Message agree on what they both read", () => {
  fc.assert(
    fc.property(anyMessage, (text) => {
      const peek = peekHeader(text);
      if (!peek.ok) {
        assert.throws(() => Message.parse(text), EngineError);
        return;
      }
      const message = Message.parse(text);
      const { header } = peek;
      assert.deepEqual(message.delimiters, header.delimiters);
      assert.equal(message.get("MSH-3"), header.sendingApplication);
      assert.equal(message.controlId, header.controlId);
      assert.equal(message.messageType, header.messageType);
      assert.equal(message.get("MSH-18"), header.characterSet);
      if (header.delimiters.isComplete) {
        assert.equal(message.messageCode, header.messageCode);
        assert.equal(message.triggerEvent, header.triggerEvent);
      }
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("normaliseText() leaves no LF and is idempotent on what it made", () => {
  fc.assert(fc.property(anyText, (text) => {
    const once = normaliseText(text);
    assert.ok(!once.includes("\n"));
    if (!once.startsWith("\ufeff")) assert.equal(normaliseText(once), once);
  }));
});

Deno.test("an acknowledgement of any text is two segments that we can read", () => {
  fc.assert(
    fc.property(fc.oneof(anyMessage, anyText), anyText, (text, reason) => {
      const peek = peekHeader(text);
      const reply = buildAcknowledgement({
        header: peek.ok ? peek.header : undefined,
        rawStart: text,
        code: "AR",
        mode: "original",
        reason,
        now: 0,
      });
      assert.equal(reply.split(/[\r\n]/).length, 3);
      assert.equal(readAcknowledgement(reply).verdict, "rejected");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("nothing but our own errors comes out, whatever goes in", () => {
  fc.assert(
    fc.property(fc.oneof(anyText, anyMessage), anyPath, anyText, (text, path, value) => {
      onlyOurs(() => peekHeader(text));
      onlyOurs(() => readAcknowledgement(text));
      onlyOurs(() => splitBatch(text));
      onlyOurs(() => redelimit(text, makeDelimiters("#", "@!$%")));
      onlyOurs(() => unescape(text, standardDelimiters));
      onlyOurs(() => Message.parse(new TextEncoder().encode(text)));
      onlyOurs(() => {
        const message = Message.parse(text);
        const uses = [
          () => message.get(path),
          () => message.repetitions(path),
          () => message.isNull(path),
          () => message.set(path, value),
          () => message.set(path, [value, ""]),
          () => message.clear(path),
          () => message.addRepetition(path, value),
          () => message.addSegment(value),
          () => message.addSegment("ZZZ", { "1": value, "2.3": value }),
          () => message.deleteSegments(path),
          () => message.groups(path),
          () => message.segments().map((each) => each.encode()),
          () => message.messageCode,
          () => splitByObr(message),
        ];
        for (const use of uses) onlyOurs(use);
        const encoded = message.encode();
        assert.equal(Message.parse(encoded).encode(), encoded);
      });
    }),
    { numRuns: 1_000 },
  );
});
