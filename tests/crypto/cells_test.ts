import assert from "node:assert/strict";
import fc from "fast-check";
import { keylessCells } from "../../src/crypto/cells.ts";
import { cellCipherOf } from "../../src/crypto/sealed_cells.ts";

const keys = { active: new Uint8Array(32).fill(1), retired: [] };

Deno.test("cellCipherOf() without a key is the keyless cipher", () => {
  assert.equal(cellCipherOf(undefined), keylessCells);
  assert.equal(keylessCells.keyId, undefined);
});

Deno.test("keylessCells stores texts as they are", () => {
  for (const text of ["", "MSH|^~\\&|", "mfenc", "Mfenc:v1:", " mfenc:v1:"]) {
    assert.equal(keylessCells.changes(text), false);
    assert.equal(keylessCells.seal(text), text);
    assert.equal(keylessCells.open(text), text);
  }
});

// Goal: a text that looks like a sealed cell survives a store without a key, and a store that gets
// one later; what such a store hands out is never taken for sealed.
Deno.test("keylessCells brings back any text, also one that looks sealed, with and without key", () => {
  const later = cellCipherOf(keys);
  const heads = ["mfenc:", "mfenc:v1:", "mfenc:clear:", "mfenc:v9:x", "nfenc:v1:0123456789abcdef:"];
  const looksSealed = fc.constantFrom(...heads).chain(
    (head) => fc.string().map((tail) => head + tail),
  );
  const realCell = fc.string({ minLength: 1 }).map((text) => later.seal(text));
  fc.assert(fc.property(fc.oneof(fc.string(), looksSealed, realCell), (text) => {
    const stored = keylessCells.seal(text);
    assert.equal(keylessCells.changes(text), stored !== text);
    assert.equal(keylessCells.open(stored), text);
    assert.equal(later.open(stored), text);
  }));
});

Deno.test("keylessCells opens no sealed cell and no version it does not know", () => {
  const sealed = cellCipherOf(keys).seal("PHI");
  for (const cell of [sealed, "mfenc:", "mfenc:v2:a256gcm:0:AAAA", "mfenc:v1:", "mfenc:Clear:x"]) {
    assert.equal(keylessCells.open(cell), undefined);
  }
});
