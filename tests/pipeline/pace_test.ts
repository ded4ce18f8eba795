import assert from "node:assert/strict";
import { Pace } from "../../src/pipeline/pace.ts";

// Goal: pacing delays messages and never changes their order.

Deno.test("Pace lets nobody overtake a message that was just told to go on", async () => {
  let rows = 1_000;
  const clock = { now: () => 0, monotonic: () => 0 };
  const pace = new Pace(clock, { toRoute: () => 0, flowing: () => rows });
  const order: number[] = [];
  const arrive = async (message: number) => {
    const turn = pace.wait();
    if (turn) await turn;
    order.push(message);
  };
  const all = [arrive(1), arrive(2)];
  rows = 0;
  pace.delivered();
  // Messages that are read in the same turn of the event loop as the delivery.
  all.push(arrive(3), arrive(4));
  await Promise.all(all);
  all.push(arrive(5));
  assert.deepEqual(order, [1, 2, 3, 4, 5]);
  pace.close();
});

Deno.test("Pace holds a message no longer than its limit", async () => {
  const clock = { now: () => 0, monotonic: () => performance.now() };
  const options = { backlogMs: 100, rowsFree: 64, waitMaxMs: 30 };
  const pace = new Pace(clock, { toRoute: () => 0, flowing: () => 1_000 }, options);
  const before = performance.now();
  await pace.wait();
  const took = performance.now() - before;
  assert.ok(took >= 25 && took < 1_000, `${took} ms`);
  pace.close();
  assert.equal(pace.wait(), undefined, "nobody waits any more");
});

Deno.test("Pace says when messages begin and cease to wait, in turn", async () => {
  let rows = 1_000;
  const said: boolean[] = [];
  const clock = { now: () => 0, monotonic: () => performance.now() };
  const pace = new Pace(clock, { toRoute: () => 0, flowing: () => rows }, {
    ...{ backlogMs: 100, rowsFree: 64, waitMaxMs: 20 },
    onHold: (isHolding) => said.push(isHolding),
  });
  const two = [pace.wait(), pace.wait()];
  assert.deepEqual(said, [true]);
  pace.delivered();
  await two[0];
  assert.deepEqual(said, [true], "one goes for one that left");
  pace.delivered();
  await two[1];
  assert.deepEqual(said, [true, false]);
  await pace.wait();
  assert.deepEqual(said, [true, false, true, false], "by its time");
  const calm = [pace.wait(), pace.wait()];
  rows = 0;
  pace.handedOff();
  await Promise.all(calm);
  const last = [pace.wait()];
  rows = 1_000;
  last.push(pace.wait());
  pace.close();
  await Promise.all(last);
  assert.deepEqual(said, [true, false, true, false, true, false, true, false]);
});
