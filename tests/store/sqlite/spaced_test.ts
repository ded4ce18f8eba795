// Goal: what comes alone goes at once; what comes together goes together, all of it, in order.
import assert from "node:assert/strict";
import { Spaced, spaceMsBeside } from "../../../src/store/sqlite/spaced.ts";
import { pause, until } from "../../connectors/waiting.ts";

Deno.test("the first goes at once, what follows it goes together, in order", async () => {
  const sent: number[][] = [];
  const spaced = new Spaced<number>((items) => void sent.push(items), () => 25);
  for (let n = 0; n < 100; n += 1) spaced.add(n);
  assert.deepEqual(sent, [[0]]);
  await pause(60);
  assert.deepEqual(sent, [[0], Array.from({ length: 99 }, (_, index) => index + 1)]);
  await pause(30);
  spaced.add(100);
  assert.deepEqual(sent.at(-1), [100]);
});

Deno.test("flush() sends what waits, once", async () => {
  const sent: string[][] = [];
  const spaced = new Spaced<string>((items) => void sent.push(items), () => 25);
  spaced.add("a");
  spaced.add("b");
  spaced.flush();
  spaced.flush();
  assert.deepEqual(sent, [["a"], ["b"]]);
  await pause(40);
  assert.equal(sent.length, 2);
});

Deno.test("a moment that has become longer meanwhile is waited for, and no longer", async () => {
  const sentAt: number[] = [];
  let spaceMs = 25;
  const spaced = new Spaced<number>(() => void sentAt.push(performance.now()), () => spaceMs);
  spaced.add(1);
  spaced.add(2);
  spaceMs = 75;
  await until(() => sentAt.length === 2, "the second");
  assert.ok(sentAt[1]! - sentAt[0]! >= 74, `${sentAt[1]! - sentAt[0]!} ms apart`);
  await pause(100);
  spaced.add(3);
  assert.equal(sentAt.length, 3, "at once, after that");
});

Deno.test("where no message is on its way nothing waits", () => {
  assert.equal(spaceMsBeside({ isMarching: false, isBusy: false }), 0);
  const sent: number[][] = [];
  const spaced = new Spaced<number>((items) => void sent.push(items), () => 0);
  for (let n = 0; n < 3; n += 1) spaced.add(n);
  assert.deepEqual(sent, [[0], [1], [2]]);
});

Deno.test("acts stand further apart beside lanes that wait for each commit", () => {
  const beside = spaceMsBeside({ isMarching: false, isBusy: true });
  const besideLanes = spaceMsBeside({ isMarching: true, isBusy: true });
  assert.ok(0 < beside && beside < besideLanes, `${beside} and ${besideLanes} ms`);
  // A person who looks at one message after the other must not feel it.
  assert.ok(besideLanes < 100, `${besideLanes} ms`);
});
