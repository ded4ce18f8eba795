import assert from "node:assert/strict";
import fc from "fast-check";
import { DeliveryError } from "../../../src/connectors/connector.ts";
import { recode } from "../../../src/connectors/mllp/recode.ts";
import { makeDelimiters, Message, standardDelimiters } from "../../../src/hl7/mod.ts";

const hashed = makeDelimiters("#", "@~\\&");
const swapped = makeDelimiters("^", "|~\\&");

const message = "MSH|^~\\&|A|B|||||ADT^A01|7|P|2.5\rPID|1||1^^^H&1.2&ISO~2||D#E@F\\T\\G\\.br\\\r";

Deno.test("recode() translates structure and escapes what would become structure", () => {
  assert.equal(
    recode(message, hashed),
    "MSH#@~\\&#A#B#####ADT@A01#7#P#2.5\rPID#1##1@@@H&1.2&ISO~2##D\\F\\E\\S\\F\\T\\G\\.br\\\r",
  );
});

Deno.test("recode() leaves a message alone that has these delimiters", () => {
  assert.equal(recode(message, standardDelimiters), message);
});

Deno.test("recode() handles delimiters that trade places", () => {
  assert.equal(
    recode("MSH|^~\\&|A\\S\\B^C\rZZZ|a^b|\\F\\\r", swapped),
    "MSH^|~\\&^A\\F\\B|C\rZZZ^a|b^\\S\\\r",
  );
});

Deno.test("recode() takes an escape character that closes nothing for data", () => {
  const wanted = makeDelimiters("|", "^~!&");
  assert.equal(recode("MSH|^~\\&|A\rZZZ|C:\\dir|x!y\r", wanted), "MSH|^~!&|A\rZZZ|C:\\dir|x!E!y\r");
});

Deno.test("recode() refuses a text whose delimiters cannot be read, for good", () => {
  for (const text of ["", "PID|1", "MSH", "MSH|^", "MSH|^^^^|A"]) {
    assert.throws(() => recode(text, hashed), (error) => {
      assert.ok(error instanceof DeliveryError);
      assert.deepEqual([error.code, error.reached, error.permanent], [
        "delivery.not_hl7",
        "no",
        true,
      ]);
      return true;
    }, text);
  }
});

const delimiterSets = fc.shuffledSubarray([..."|^~\\&#@!%*"], { minLength: 5, maxLength: 5 });
const data = fc.string({ unit: fc.constantFrom(..."AB |^~\\&#@!%*".split("")), maxLength: 8 });

Deno.test("recode() keeps what every component says, whatever the delimiters", () => {
  fc.assert(
    fc.property(delimiterSets, fc.array(data, { minLength: 1, maxLength: 4 }), (set, parts) => {
      const original = Message.parse("MSH|^~\\&|A\rZZZ|\r");
      for (const [index, part] of parts.entries()) original.set(`ZZZ-2.${index + 1}`, part);
      const wanted = makeDelimiters(set[0] as string, set.slice(1).join(""));
      const recoded = Message.parse(recode(original.encode(), wanted));
      assert.equal(recoded.delimiters.encodingCharacters, wanted.encodingCharacters);
      for (const index of parts.keys()) {
        const path = `ZZZ-2.${index + 1}` as const;
        assert.equal(recoded.get(path), original.get(path), path);
      }
      const back = recode(recoded.encode(), standardDelimiters);
      for (const index of parts.keys()) {
        const path = `ZZZ-2.${index + 1}` as const;
        assert.equal(Message.parse(back).get(path), original.get(path), path);
      }
    }),
    { numRuns: 500 },
  );
});
