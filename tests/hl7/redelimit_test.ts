import assert from "node:assert/strict";
import { Message, parseEncodingCharacters, type Path, redelimit } from "../../src/hl7/mod.ts";
import fc from "fast-check";
import { adtOf20Segments, code, lines, oru } from "./samples.ts";

Deno.test("redelimit() keeps structure and data apart", () => {
  const to = parseEncodingCharacters("#@!$%");
  const text = lines(
    "MSH|^~\\&|A|B#1|C^x||||ADT^A01|1",
    "PID|1|a\\F\\b|c\\S\\d~e&f|50%|$|\\.br\\\\X41\\|C:\\temp|\\H\\x\\N\\",
  );
  assert.equal(
    redelimit(text, to),
    lines(
      "MSH#@!$%#A#B$F$1#C@x####ADT@A01#1",
      "PID#1#a|b#c^d!e%f#50$T$#$E$#$.br$$X41$#C:\\temp#$H$x$N$",
    ),
  );
});

Deno.test("redelimit() returns the same text when the delimiters are the same", () => {
  assert.equal(redelimit(oru, parseEncodingCharacters("|^~\\&")), oru);
});

Deno.test("redelimit() and back gives the message again", () => {
  const own = parseEncodingCharacters("#@!$%");
  const back = parseEncodingCharacters("|^~\\&");
  for (const text of [oru, adtOf20Segments]) {
    assert.equal(redelimit(redelimit(text, own), back), text);
  }
});

Deno.test("redelimit() rewrites header segments inside a message", () => {
  const to = parseEncodingCharacters("#@!$%");
  assert.equal(
    redelimit(lines("MSH|^~\\&|A", "BHS|^~\\&|X^Y", "FHS"), to),
    lines("MSH#@!$%#A", "BHS#@!$%#X@Y", "FHS"),
  );
});

Deno.test("redelimit() refuses text that is no message or names too few delimiters", () => {
  const to = parseEncodingCharacters("#@!$%");
  assert.throws(() => redelimit("PID|1", to), code("hl7.no_msh"));
  assert.throws(() => redelimit("", to), code("hl7.empty_message"));
  assert.throws(() => redelimit("MSH|^~|A", to), code("hl7.delimiters_incomplete"));
});

Deno.test("parseEncodingCharacters() wants five distinct characters", () => {
  assert.equal(parseEncodingCharacters("|^~\\&").encodingCharacters, "^~\\&");
  for (
    const characters of [
      "",
      "|^~\\",
      "|^~\\&#",
      "|^~\\^",
      "||~\\&",
      "a^~\\&",
      "|^~\\ ",
      "|^~\\\r",
      "|^~\u{1F600}",
    ]
  ) {
    assert.throws(() => parseEncodingCharacters(characters), code("hl7.delimiters_invalid"));
  }
});

Deno.test("redelimit() changes no value that can be read", () => {
  const to = parseEncodingCharacters("#@!$%");
  const value = fc.string({ unit: fc.constantFrom(..."ab|^~\\&#@!$% é") }).filter((text) =>
    text !== ""
  );
  const paths: readonly Path[] = ["ZZZ-1.1", "ZZZ-2.2", "ZZZ-3[2].1", "ZZZ-4.1.2"];
  fc.assert(fc.property(fc.array(value, { minLength: 4, maxLength: 4 }), (values) => {
    const message = Message.parse(lines("MSH|^~\\&|A", "ZZZ"));
    paths.forEach((path, index) => message.set(path, values[index] ?? ""));
    const other = Message.parse(redelimit(message.encode(), to));
    assert.deepEqual(paths.map((path) => other.get(path)), values);
  }));
});
