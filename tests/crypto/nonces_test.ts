import assert from "node:assert/strict";
import fc from "fast-check";
import { Nonces, NONCES_PER_PREFIX } from "../../src/crypto/nonces.ts";

function next(nonces: Nonces): string {
  const bytes = new Uint8Array(12);
  nonces.writeNext(bytes);
  return bytes.toHex();
}

// Goal: no nonce is used twice with a key, over threads and restarts (I49).
// Method: as many threads and restarts as there are instances, all of one key; each one's nonces
// must be new. Uses are few, for the counter is tested below.
Deno.test("Nonces never repeat, within an instance or between instances", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 }),
      (uses) => {
        const seen = new Set<string>();
        const instances = uses.map((count) => ({ nonces: new Nonces(), count }));
        for (let turn = 0; instances.some(({ count }) => turn < count); turn += 1) {
          for (const { nonces, count } of instances) if (turn < count) seen.add(next(nonces));
        }
        assert.equal(seen.size, uses.reduce((sum, count) => sum + count, 0));
      },
    ),
  );
});

// Goal: the prefix is drawn anew exactly every 2^20 uses, and every nonce between is another one.
// Method: a counted source of randomness; the counter's four bytes must tell all uses apart, even
// where the source gives the same prefix again.
Deno.test("Nonces redraw their prefix every 2^20 uses and repeat nothing when it comes again", () => {
  let draws = 0;
  const nonces = new Nonces((bytes) => {
    draws += 1;
    bytes.fill(7);
  });
  const view = new Uint8Array(12);
  const counter = new DataView(view.buffer, 8);
  for (let use = 0; use < 3 * NONCES_PER_PREFIX; use += 1) {
    nonces.writeNext(view);
    if (counter.getUint32(0) !== use) assert.fail(`use ${use} counts ${counter.getUint32(0)}`);
    if (draws !== Math.floor(use / NONCES_PER_PREFIX) + 1) assert.fail(`${draws} draws at ${use}`);
  }
  assert.deepEqual([...view.subarray(0, 8)], Array(8).fill(7));
});
