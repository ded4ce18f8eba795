import assert from "node:assert/strict";
import { encodeCarriage } from "../../src/hl7/carriage.ts";
import { lookAtText, MESSAGE_SIZE_MAX } from "../../src/pipeline/first_look.ts";

// Goal: bytes that an inbound takes in are not too many once they come back in as a carriage.
Deno.test("lookAtText() counts the bytes of a carriage and not its letters", () => {
  const size = (bytes: number) => {
    const carried = encodeCarriage(new Uint8Array(bytes));
    return lookAtText(carried, "binary").fault?.stored;
  };
  for (const bytes of [0, 1, 2, 3, MESSAGE_SIZE_MAX - 1, MESSAGE_SIZE_MAX]) {
    assert.equal(size(bytes), undefined, `${bytes} bytes`);
  }
  assert.equal(size(MESSAGE_SIZE_MAX + 1), `message over ${MESSAGE_SIZE_MAX} bytes`);
});
