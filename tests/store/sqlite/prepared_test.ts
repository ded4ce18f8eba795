import assert from "node:assert/strict";
import fc from "fast-check";
import type { Intent } from "../../../src/store/intents.ts";
import { Prepared } from "../../../src/store/sqlite/prepared.ts";

function release(seq: number, isSealed = false): Intent {
  return { kind: "release", at: isSealed ? 1 : 0, seq, token: 1 };
}

const seal = (intent: Intent): Intent => ({ ...intent, at: 1 }) as Intent;

Deno.test("Prepared leaves off as soon as it is wanted", () => {
  const prepared = new Prepared(seal);
  prepared.add([release(1), release(2), release(3)]);
  let looks = 0;
  prepared.go(() => ++looks > 2);
  assert.deepEqual(prepared.take(3), {
    sealed: [release(1, true), release(2, true)],
    open: [release(3)],
  });
});

Deno.test("Prepared goes on after an intent that could not be sealed was taken", () => {
  const prepared = new Prepared((intent) => {
    if ("seq" in intent && intent.seq === 2) throw new Error("Cannot seal");
    return seal(intent);
  });
  prepared.add([1, 2, 3].map((seq) => release(seq)));
  assert.throws(() => prepared.go(() => false), /Cannot seal/);
  assert.deepEqual(prepared.take(2), { sealed: [release(1, true)], open: [release(2)] });
  prepared.go(() => false);
  assert.deepEqual(prepared.take(1), { sealed: [release(3, true)], open: [] });
});

Deno.test("Prepared gives back each intent once, in order, sealed or not", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), count: fc.nat(4) }),
    fc.record({ do: fc.constant("go" as const), count: fc.nat(4) }),
    fc.record({ do: fc.constant("take" as const), count: fc.nat(4) }),
  );
  fc.assert(fc.property(fc.array(step), (steps) => {
    const prepared = new Prepared(seal);
    let [added, taken, ready] = [0, 0, 0];
    for (const { do: act, count } of steps) {
      if (act === "add") {
        prepared.add(Array.from({ length: count }, () => release(added++)));
      } else if (act === "go") {
        let left = count;
        prepared.go(() => left-- <= 0);
        ready = Math.min(added, ready + count);
      } else {
        const wanted = Math.min(count, added - taken);
        const { sealed, open } = prepared.take(wanted);
        assert.equal(sealed.length, Math.min(wanted, ready - taken));
        for (const intent of sealed) assert.deepEqual(intent, release(taken++, true));
        for (const intent of open) assert.deepEqual(intent, release(taken++));
        ready = Math.max(ready, taken);
      }
    }
  }));
});
