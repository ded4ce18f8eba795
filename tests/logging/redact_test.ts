import assert from "node:assert/strict";
import fc from "fast-check";
import { redact, safeText, scrubControls } from "../../src/logging/mod.ts";

const vectors: readonly (readonly [string, string])[] = [
  // Rule 1
  ["PID|1||4711^^^ACME", "PID[redacted]"],
  ["bad line: PID|1|x\rnext line", "bad line: PID[redacted]\rnext line"],
  ["bad line: PID|1|x\nZ01|y z\nend", "bad line: PID[redacted]\nZ01[redacted]\nend"],
  ["MSH|^~\\&|A|B", "MSH[redacted]"],
  ["pid|1 stays", "pid|1 stays"],
  // Rule 2
  ["got DOE^JANE^A here", "got [redacted] here"],
  ["a|b", "a|b"],
  ["a&b", "a&b"],
  ["x?a=1&b=2&c=3", "[redacted]"],
  // Rule 3
  ["born 1980-02-03.", "born [redacted]."],
  ["born 1980/2/3", "born [redacted]"],
  ["born 2-3-1980", "born [redacted]"],
  ["born 02/03/1980", "born [redacted]"],
  ["born 19800203", "born [redacted]"],
  ["number 18800203 and 119800203 stay", "number 18800203 and 119800203 stay"],
  ["a 24-hour clock, 10.0.0.1:2575", "a 24-hour clock, 10.0.0.1:2575"],
  // Rule 4
  ["patient Jane Doe is in", "patient [redacted] is in"],
  ["patient JANE DOE is in", "patient [redacted] is in"],
  ["patient Jane is in", "patient Jane is in"],
  ["Aa Bb Cc Dd Ee", "[redacted] Ee"],
  ["Aa Bb Cc Dd Ee Ff", "[redacted] [redacted]"],
  ["José Ñandú and O'Brien Anne-Marie", "[redacted] and [redacted]"],
  ["Jane DOE", "Jane DOE"],
  ["A B", "A B"],
  ["ACK", "ACK"],
  ["Connection Refused", "[redacted]"],
];

for (const [text, expected] of vectors) {
  Deno.test(`redact() makes of ${JSON.stringify(text)}`, () =>
    assert.equal(redact(text), expected));
}

/** Text made of the pieces the rules look for, so that they meet and overlap. */
const pieces = fc.array(
  fc.oneof(
    fc.constantFrom(
      ..."PID| MSH| OBX|1 ^ | ~ & \r \n \t 1980-02-03 02/03/1980 19800203 2020- -01 /1 Jane Doe DOE JANE O'Brien É é [redacted] redacted [ ] _ 7 - ' \u0000 \u007f"
        .split(" "),
      " ",
      " ",
    ),
    fc.string({ maxLength: 6 }),
  ),
  { maxLength: 24 },
).map((parts) => parts.join(""));

Deno.test("redact() is idempotent", () => {
  for (const text of ["&Aa Aa&", "|JANE DOE|", "~Jane Doe^ x &Aa\tAa~"]) {
    assert.equal(redact(redact(text)), redact(text));
  }
  fc.assert(fc.property(pieces, (text) => assert.equal(redact(redact(text)), redact(text))), {
    numRuns: 2_000,
  });
});

Deno.test("safeText() leaves no control character but TAB", () => {
  fc.assert(
    fc.property(pieces, (text) => {
      for (const character of safeText(text)) {
        const code = character.codePointAt(0) ?? 0;
        assert.ok(code === 9 || (code >= 32 && code !== 127), code.toString(16));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("scrubControls() is idempotent", () => {
  fc.assert(fc.property(pieces, (text) => {
    assert.equal(scrubControls(scrubControls(text)), scrubControls(text));
  }));
});

Deno.test("redact() takes a line end for white space between names", () => {
  assert.equal(redact("Jane\nDoe"), "[redacted]");
  assert.equal(redact("Jane, Doe"), "Jane, Doe");
});

Deno.test("redact() leaves no segment content, wherever a segment stands", () => {
  const secret = fc.stringMatching(/^[a-z0-9]{12}$/);
  fc.assert(fc.property(pieces, secret, pieces, (before, value, after) => {
    const line = after.replaceAll(/[\r\n]/g, " ");
    assert.ok(!redact(`${before}PID|1|x ${value} ${line}`).includes(value));
  }));
});

Deno.test("redact() leaves no whitespace-free run with two delimiters", () => {
  fc.assert(fc.property(pieces, (text) => {
    for (const run of redact(text).split(/\s+/)) {
      assert.ok((run.match(/[|^~&]/g) ?? []).length < 2, run);
    }
  }));
});

// Goal: no text makes the redactor slow. Method: 10 MB of what each rule likes best; the bound is
// wide because other work shares the machine.
const size = 10_000_000;
const adversaries: Readonly<Record<string, string>> = {
  letters: "a",
  capitals: "A",
  "capital words": "Aa ",
  "short words": "a ",
  digits: "1",
  "almost dates": "2020-01-",
  segments: "PID|x\n",
  "almost segments": "PID",
  runs: "a^b^c ",
  carets: "^",
  "one mark a run": "a| ",
  apostrophes: "A'",
};
for (const [name, unit] of Object.entries(adversaries)) {
  Deno.test(`redact() takes 10 MB of ${name} in linear time`, () => {
    const text = unit.repeat(Math.floor(size / unit.length));
    const started = performance.now();
    redact(text);
    const elapsedMs = performance.now() - started;
    assert.ok(elapsedMs < 6_000, `${elapsedMs.toFixed(0)} ms`);
  });
}

Deno.test("scrubControls() escapes line ends and controls, keeps TAB", () => {
  assert.equal(
    scrubControls("a\r\nb\tc\x1b[0m\x7f\x9b\u2028"),
    "a\\r\\nb\tc\\x1b[0m\\x7f\\x9b\\u2028",
  );
});
