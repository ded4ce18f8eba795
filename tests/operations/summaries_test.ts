// Goal: a list reads a body once, never for whoever may not see it, and forgets what is emptied.
import assert from "node:assert/strict";
import type { Engine } from "../../src/engine.ts";
import type { Actor } from "../../src/operations/mod.ts";
import { summariesOf } from "../../src/operations/summaries.ts";

const operator: Actor = { name: "ann", permissions: "all" };
const viewer: Actor = { name: "eve", permissions: new Set(["messages:read"]) };

const textOf = (number: number) => `MSH|^~\\&|A|||||||ADT^A01|1|P|2.5\rPID|1||${number}||DOE\r`;

/** An engine whose store says which bodies it was asked for. */
function engineWith(absent: ReadonlySet<number> = new Set()) {
  const asked: number[][] = [];
  const store = {
    bodiesOf(numbers: readonly number[]) {
      asked.push([...numbers]);
      const there = numbers.filter((number) => !absent.has(number));
      return Promise.resolve(new Map(there.map((number) => [number, textOf(number)])));
    },
  };
  return { engine: { store } as unknown as Engine, asked };
}

const listed = (...numbers: readonly number[]) =>
  numbers.map((number) => ({ number, hasBody: true }));

Deno.test("summariesOf() reads each body once, in order and with repeats", async () => {
  const { engine, asked } = engineWith();
  assert.deepEqual(await summariesOf(engine, operator, listed(2, 1, 2)), [
    "MRN 2 · DOE",
    "MRN 1 · DOE",
    "MRN 2 · DOE",
  ]);
  assert.deepEqual(await summariesOf(engine, operator, listed(3, 1)), [
    "MRN 3 · DOE",
    "MRN 1 · DOE",
  ]);
  assert.deepEqual(asked, [[2, 1], [3]]);
});

Deno.test("summariesOf() reads nothing for whoever may not see it", async () => {
  const { engine, asked } = engineWith();
  assert.deepEqual(await summariesOf(engine, viewer, listed(1, 2)), [null, null]);
  assert.deepEqual(asked, []);
});

Deno.test("summariesOf() shows nothing of what is emptied, whatever was read before", async () => {
  const { engine, asked } = engineWith();
  await summariesOf(engine, operator, listed(1, 2));
  const emptied = [{ number: 1, hasBody: false }, { number: 2, hasBody: true }];
  assert.deepEqual(await summariesOf(engine, operator, emptied), [null, "MRN 2 · DOE"]);
  await summariesOf(engine, operator, listed(1));
  assert.deepEqual(asked, [[1, 2], [1]], "and it is not remembered");
});

Deno.test("summariesOf() has none of what is too large, and does not ask again", async () => {
  const { engine, asked } = engineWith(new Set([7]));
  assert.deepEqual(await summariesOf(engine, operator, listed(7)), [null]);
  assert.deepEqual(await summariesOf(engine, operator, listed(7)), [null]);
  assert.equal(asked.length, 1);
});

Deno.test("summariesOf() remembers a few thousand, the latest", async () => {
  const { engine, asked } = engineWith();
  const all = Array.from({ length: 5_000 }, (_, number) => number);
  for (let at = 0; at < all.length; at += 500) {
    await summariesOf(engine, operator, listed(...all.slice(at, at + 500)));
  }
  asked.length = 0;
  await summariesOf(engine, operator, listed(4_999, 1_000, 10));
  assert.deepEqual(asked, [[10]]);
});
