import assert from "node:assert/strict";
import { keyIdOf, readKeys } from "../../src/crypto/keys.ts";

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const text = (fill: number) => bytes(fill).toBase64();

Deno.test("keyIdOf() is the head of the key's SHA-256", () => {
  // FIPS 180-4, of 32 zero bytes: 66687aadf862bd77 6c8fc18b8e9f8e20 …
  assert.equal(keyIdOf(bytes(0)), "66687aadf862bd77");
});

Deno.test("readKeys() reads an active key and any number of retired ones", () => {
  assert.equal(readKeys({ active: undefined, retired: undefined }), undefined);
  assert.equal(readKeys({ active: "", retired: " , " }), undefined);
  assert.deepEqual(readKeys({ active: text(1), retired: undefined }), {
    active: bytes(1),
    retired: [],
  });
  assert.deepEqual(readKeys({ active: `${text(1)}\n`, retired: `${text(2)}, ${text(3)},` }), {
    active: bytes(1),
    retired: [bytes(2), bytes(3)],
  });
});

Deno.test("readKeys() refuses what is no key, names which it is, and shows none of it", () => {
  const good = text(1);
  const short = new Uint8Array(31).fill(65).toBase64();
  const long = new Uint8Array(33).fill(65).toBase64();
  const cases: readonly [string, string | undefined, RegExp][] = [
    ["n0t base sixty-four!", undefined, /the encryption key of the store/],
    [short, undefined, /the encryption key of the store/],
    [long, undefined, /the encryption key of the store/],
    [good.slice(0, -1), undefined, /the encryption key of the store/],
    [good.replace("=", "*"), undefined, /the encryption key of the store/],
    [bytes(251).toBase64({ alphabet: "base64url" }), undefined, /the encryption key of the store/],
    [good, `${text(2)},${short}`, /retired key 2 of the store/],
    ["", text(2), /there is no active key/],
  ];
  for (const [active, retired, expected] of cases) {
    assert.throws(() => readKeys({ active, retired }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "crypto.key_invalid");
      assert.match(error.message, expected);
      const shown = Deno.inspect(error);
      for (const part of [active, ...(retired ?? "").split(",")]) {
        if (part !== "") assert.ok(!shown.includes(part.slice(0, 8)), "shows a key");
      }
      return true;
    });
  }
});
