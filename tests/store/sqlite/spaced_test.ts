// Goal: what comes alone goes at once; what comes together goes together, all of it, in order.
import assert from "node:assert/strict";
import { Spaced } from "../../../src/store/sqlite/spaced.ts";
import { pause, until } from "../../connectors/waiting.ts";

Deno.test("the first goes at once, what follows it goes together, in order", async () => {
  const sent: number[][] = [];
  const spaced = new Spaced<number>((items) => Promise.resolve(sent.push(items)));
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
  const spaced = new Spaced<string>((items) => Promise.resolve(sent.push(items)));
  spaced.add("a");
  spaced.add("b");
  spaced.flush();
  spaced.flush();
  assert.deepEqual(sent, [["a"], ["b"]]);
  await pause(40);
  assert.equal(sent.length, 2);
});

Deno.test("what takes long is done less often, and nobody waits for longer than a moment", async () => {
  const sentAt: number[] = [];
  const spaced = new Spaced<number>(async () => {
    sentAt.push(performance.now());
    await pause(10);
  });
  spaced.add(1);
  spaced.add(2);
  await until(() => sentAt.length === 2, "the second");
  const spaceMs = sentAt[1]! - sentAt[0]!;
  assert.ok(spaceMs >= 74, `${spaceMs} ms apart`);
  await pause(100);
  spaced.add(3);
  assert.equal(sentAt.length, 3, "at once, after that");
  await pause(20);
});
