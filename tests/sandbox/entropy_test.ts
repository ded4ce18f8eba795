import assert from "node:assert/strict";
import { ChaCha20 } from "../../src/sandbox/realm/entropy.ts";

Deno.test("ChaCha20 makes the key stream of RFC 8439", () => {
  // RFC 8439 appendix A.1, test vectors 1 and 2: key and nonce zero, blocks 0 and 1.
  const stream = new ChaCha20(new Uint8Array(44));
  const bytes = Uint8Array.from({ length: 128 }, () => stream.next());
  assert.equal(
    bytes.toHex(),
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
      "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586" +
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
      "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
  );
});

Deno.test("ChaCha20 takes its nonce and refuses another seed", () => {
  // RFC 8439 appendix A.1, test vector 5: nonce 0 … 02, block 0.
  const seed = new Uint8Array(44);
  seed[43] = 2;
  const stream = new ChaCha20(seed);
  const start = Uint8Array.from({ length: 16 }, () => stream.next());
  assert.equal(start.toHex(), "c2c64d378cd536374ae204b9ef933fcd");
  assert.throws(() => new ChaCha20(new Uint8Array(32)), RangeError);
});
