import assert from "node:assert/strict";
import fc from "fast-check";
import { RateLimit } from "../../src/auth/rate_limit.ts";

function limit(options: Partial<ConstructorParameters<typeof RateLimit>[0]> = {}) {
  let at = 0;
  const clock = { now: () => 0, monotonic: () => at };
  const made = new RateLimit(
    { isOn: true, perKey: 3, global: 5, windowMs: 1000, ...options },
    clock,
  );
  return { admits: (key: string) => made.admits(key), pass: (ms: number) => at += ms };
}

Deno.test("a window slides: a place is free as soon as its own attempt has left it", () => {
  const { admits, pass } = limit();
  assert.deepEqual([admits("a"), admits("a"), admits("a"), admits("a")], [true, true, true, false]);
  pass(999);
  assert.equal(admits("a"), false);
  pass(1);
  assert.equal(admits("a"), true);
});

Deno.test("all keys together are bounded too, and a refused attempt counts nowhere", () => {
  const { admits, pass } = limit();
  for (const key of ["a", "a", "a", "b", "b"]) assert.equal(admits(key), true);
  for (const key of ["a", "b", "c", "d"]) assert.equal(admits(key), false);
  pass(1000);
  for (const key of ["c", "d", "c", "d", "e"]) assert.equal(admits(key), true);
});

Deno.test("0 turns a dimension off, and isOn the whole", () => {
  for (const off of [{ isOn: false }, { perKey: 0, global: 0 }]) {
    const { admits } = limit(off);
    for (let n = 0; n < 100; n++) assert.equal(admits("a"), true);
  }
  const onlyAll = limit({ perKey: 0 });
  assert.deepEqual(Array.from({ length: 6 }, () => onlyAll.admits("a")).filter(Boolean).length, 5);
  const onlyKey = limit({ global: 0 });
  for (const key of ["a", "b", "c", "d"]) {
    assert.equal(Array.from({ length: 6 }, () => onlyKey.admits(key)).filter(Boolean).length, 3);
  }
});

// Goal: in no window of that length are more admitted than the limits say, whatever comes when.
Deno.test("no window ever holds more than its limit", () => {
  const attempts = fc.array(
    fc.record({ key: fc.constantFrom("a", "b", "c"), waitMs: fc.integer({ min: 0, max: 600 }) }),
    { maxLength: 80 },
  );
  fc.assert(fc.property(attempts, (list) => {
    const { admits, pass } = limit();
    const admitted: { key: string; at: number }[] = [];
    let at = 0;
    for (const { key, waitMs } of list) {
      pass(waitMs);
      at += waitMs;
      const inWindow = admitted.filter((one) => at - one.at < 1000);
      const isFree = inWindow.length < 5 && inWindow.filter((one) => one.key === key).length < 3;
      assert.equal(admits(key), isFree);
      if (isFree) admitted.push({ key, at });
    }
  }));
});
