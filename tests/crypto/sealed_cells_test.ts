import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { keyIdOf } from "../../src/crypto/keys.ts";
import { SealedCells } from "../../src/crypto/sealed_cells.ts";

const keyOf = (fill: number) => new Uint8Array(32).fill(fill);
const one = new SealedCells({ active: keyOf(1), retired: [] });
const two = new SealedCells({ active: keyOf(2), retired: [] });
const rotating = new SealedCells({ active: keyOf(2), retired: [keyOf(3), keyOf(1)] });

/** Texts as messages have them: control characters, NUL, beyond the BMP, a byte order mark. */
const texts = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("MSH|^~\\&|\rPID|1||1", "\uFEFFMSH", "a\0b", "mfenc:v1:x", "mfenc:clear:y", "😀"),
);

/** Seals like another program that knows the format, the key and the standard. */
function sealElsewhere(text: string, { key, keyId }: { key: Uint8Array; keyId: string }): string {
  const nonce = new Uint8Array(12).fill(9);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const parts = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
  return `mfenc:v1:${keyId}:${bytes.toBase64()}`;
}

Deno.test("SealedCells brings every text back, and no two forms of it are equal", () => {
  fc.assert(fc.property(texts.filter((text) => text !== ""), (text) => {
    const [cell, other] = [one.seal(text), one.seal(text)];
    assert.match(cell, /^mfenc:v1:[0-9a-f]{16}:[A-Za-z0-9+/]+={0,2}$/);
    assert.notEqual(cell, other);
    assert.equal(one.changes(text), true);
    for (const cipher of [one, rotating]) {
      assert.equal(cipher.open(cell), text);
      assert.equal(cipher.open(other), text);
    }
  }));
});

Deno.test("SealedCells never seals empty text: it means purged", () => {
  assert.equal(one.changes(""), false);
  assert.equal(one.seal(""), "");
  assert.equal(one.open(""), "");
});

Deno.test("SealedCells writes the documented format under the documented key id", () => {
  assert.equal(one.keyId, keyIdOf(keyOf(1)));
  assert.ok(one.seal("x").startsWith(`mfenc:v1:${one.keyId}:`));
  const bytes = Uint8Array.fromBase64(one.seal("éx").split(":")[3]!);
  assert.equal(bytes.length, 12 + 3 + 16);
});

Deno.test("SealedCells opens what another program sealed, whichever key id it names", () => {
  const text = "MSH|^~\\&|é";
  for (const keyId of [keyIdOf(keyOf(1)), "0", keyIdOf(keyOf(9)), keyIdOf(keyOf(2))]) {
    const cell = sealElsewhere(text, { key: keyOf(1), keyId });
    assert.equal(one.open(cell), text, keyId);
    assert.equal(rotating.open(cell), text, keyId);
    assert.equal(two.open(cell), undefined, keyId);
  }
});

Deno.test("SealedCells reads clear text that was there before it", () => {
  for (const text of ["MSH|^~\\&|", "mfen", "v1:", "{}"]) assert.equal(one.open(text), text);
  assert.equal(one.open("mfenc:clear:mfenc:x"), "mfenc:x");
});

Deno.test("SealedCells opens nothing with another key, and never a version it does not know", () => {
  fc.assert(fc.property(texts.filter((text) => text !== ""), (text) => {
    const cell = one.seal(text);
    assert.equal(two.open(cell), undefined);
    for (const version of ["v0:", "v2:", "V1:", "v11:", "v1", ""]) {
      assert.equal(one.open(cell.replace("v1:", version)), undefined, version);
    }
  }));
});

// Goal: whatever one bit of a cell becomes, it is detected: neither another text nor the cell
// itself comes back (I48). What the bit leaves is read as SQLite gives it, decoded from UTF-8.
// The key id is no part of what is sealed: a wrong one only costs trying every key.
Deno.test("SealedCells detects every flipped bit of a cell", () => {
  const text = "MSH|^~\\&|\rPID|1||CANARY";
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const cipher of [one, rotating]) {
    const bytes = new TextEncoder().encode(cipher.seal(text));
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const opened = cipher.open(decoder.decode(flipped));
      const isKeyId = bit >> 3 >= 9 && bit >> 3 < 25;
      if (!isKeyId || opened !== text) assert.equal(opened, undefined, `bit ${bit}`);
    }
  }
});

Deno.test("SealedCells gives up cut, padded and spliced cells without throwing", () => {
  const cell = one.seal("MSH|^~\\&|");
  const [head, body] = [cell.slice(0, 26), cell.slice(26)];
  for (let length = 6; length < cell.length; length += 1) {
    assert.equal(one.open(cell.slice(0, length)), undefined, `cut to ${length}`);
  }
  const other = one.seal("EVN|A01|x").slice(26);
  const broken = [
    `${cell}=`,
    `${cell}A`,
    `${cell}\n`,
    `${head} ${body}`,
    head + body.slice(0, 16) + other.slice(16),
    head + body.slice(0, -16) + other.slice(-16),
    `${head}${head}${body}`,
    "mfenc:v1:0:",
    "mfenc:v1::",
  ];
  for (const cell of broken) assert.equal(one.open(cell), undefined, cell);
  fc.assert(fc.property(fc.string(), fc.string(), (id, rest) => {
    assert.equal(one.open(`mfenc:v1:${id}:${rest}`), undefined);
  }));
});
