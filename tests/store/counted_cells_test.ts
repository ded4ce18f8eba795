import assert from "node:assert/strict";
import fc from "fast-check";
import { keylessCells } from "../../src/crypto/cells.ts";
import { SealedCells } from "../../src/crypto/sealed_cells.ts";
import { CountedCells } from "../../src/store/counted_cells.ts";
import { testKeys } from "./ciphers.ts";

// Goal: whatever is sealed between two entries, never more is than was entered.
Deno.test("CountedCells seals no more often than it was granted", () => {
  const steps = fc.array(fc.record({ grant: fc.nat(5), seals: fc.nat(8) }));
  fc.assert(fc.property(steps, (steps) => {
    const cells = new CountedCells(new SealedCells(testKeys));
    let [granted, sealed] = [0, 0];
    for (const { grant, seals } of steps) {
      cells.grant(grant);
      granted += grant;
      for (let index = 0; index < seals; index += 1) {
        const isAllowed = sealed < granted;
        if (isAllowed) sealed += Number(cells.open(cells.seal("x")) === "x");
        else assert.throws(() => cells.seal("x"), RangeError);
      }
      assert.equal(cells.left, granted - sealed);
    }
  }));
});

Deno.test("CountedCells wants a grant that is enough for what is announced, and then none", () => {
  fc.assert(fc.property(fc.nat(2 ** 20), fc.nat(2 ** 20), (had, announced) => {
    const cells = new CountedCells(new SealedCells(testKeys));
    cells.grant(had);
    cells.grant(cells.wanted(announced));
    assert.ok(cells.left >= announced);
    assert.equal(cells.wanted(announced), 0);
  }));
});

Deno.test("CountedCells counts neither empty cells nor a store without a key", () => {
  const sealed = new CountedCells(new SealedCells(testKeys));
  assert.equal(sealed.seal(""), "");
  const clear = new CountedCells(keylessCells);
  assert.deepEqual([clear.wanted(1_000_000), clear.seal("x"), clear.left], [0, "x", 0]);
});
