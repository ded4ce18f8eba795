// Goal: a lane that holds too much for too long is told of, whatever keeps it from moving, and a deep
// lane does not cost a question to the store each second.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BuildupLimits,
  BuildupMonitor,
  type BuildupOptions,
  type LaneGauge,
} from "../../src/alerts/mod.ts";
import { readableLog, StandingClock } from "./bench.ts";

type Crossed = Parameters<BuildupOptions["raise"]>[0];

const fiveMinutes: BuildupLimits = { maxDepth: null, maxOldestMs: 300_000 };

class Bench {
  readonly clock = new StandingClock();
  lanes: LaneGauge[] = [];
  raised: Crossed[] = [];
  asked: string[] = [];
  /** What the store says of every lane; undefined: it fails. */
  stored: (() => number | undefined) | undefined = () => undefined;
  readonly monitor = new BuildupMonitor({
    clock: this.clock,
    logger: readableLog().logger,
    lanes: () => this.lanes,
    raise: (event) => this.raised.push(event),
    oldestOpen: (stage, connection) => {
      this.asked.push(`${stage} ${connection}`);
      return this.stored === undefined
        ? Promise.reject(new Error("busy"))
        : Promise.resolve(this.stored());
    },
  });

  /** A lane whose oldest row was made `ageMs` ago. */
  lane(rest: Partial<LaneGauge> & { ageMs?: number } = {}): LaneGauge {
    const { ageMs, ...gauge } = rest;
    return {
      stage: "outbound",
      connection: "OB",
      depth: 1,
      oldestAt: ageMs === undefined ? undefined : (this.clock.now() - ageMs) * 1000,
      limits: fiveMinutes,
      ...gauge,
    };
  }

  /** Looks once and lets the store answer. */
  async look(): Promise<readonly Crossed[]> {
    this.raised = [];
    this.monitor.look();
    await Promise.resolve();
    await Promise.resolve();
    return this.raised;
  }
}

Deno.test("BuildupMonitor raises at the thresholds of each lane, and not below", async () => {
  const bench = new Bench();
  const deep = { maxDepth: 10, maxOldestMs: null };
  const cases = [
    [{ ageMs: 299_999 }, false],
    [{ ageMs: 300_000 }, true],
    [{ ageMs: 9_999_999, depth: 0 }, false],
    [{ ageMs: 9_999_999, limits: { maxDepth: null, maxOldestMs: null } }, false],
    [{ ageMs: 9_999_999, depth: 9, limits: deep }, false],
    [{ ageMs: 0, depth: 10, limits: deep }, true],
    [{ ageMs: 0, depth: 10, limits: { ...deep, maxOldestMs: 300_000 } }, true],
    [{ ageMs: 300_000, depth: 1, limits: { ...deep, maxOldestMs: 300_000 } }, true],
  ] as const;
  for (const [gauge, crosses] of cases) {
    bench.lanes = [bench.lane(gauge)];
    assert.equal((await bench.look()).length, crosses ? 1 : 0, JSON.stringify(gauge));
    assert.equal(bench.monitor.isCrossed("OB"), crosses);
  }
  assert.deepEqual(bench.asked, []);
});

Deno.test("BuildupMonitor makes one event of the lanes of one connection", async () => {
  const bench = new Bench();
  const limits = { maxDepth: 5, maxOldestMs: 300_000 };
  bench.lanes = [
    bench.lane({ stage: "ingress", connection: "IB", depth: 7, ageMs: 1_000, limits }),
    bench.lane({ stage: "routed", connection: "IB", depth: 2, ageMs: 400_000, limits }),
    bench.lane({ stage: "outbound", connection: "OB", depth: 1, ageMs: 1_000, limits }),
  ];
  assert.deepEqual(await bench.look(), [
    { type: "queue_buildup", connection: "IB", depth: 7, oldestAgeMs: 400_000 },
  ]);
});

Deno.test("BuildupMonitor asks the store for what memory does not hold, when that can have crossed", async () => {
  const bench = new Bench();
  const madeAt = (bench.clock.now() - 290_000) * 1000;
  bench.stored = () => madeAt;
  bench.lanes = [bench.lane({ stage: "routed", connection: "IB", depth: 900 })];
  assert.deepEqual(await bench.look(), []);
  for (let second = 0; second < 9; second += 1) {
    bench.clock.pass(1_000);
    assert.deepEqual(await bench.look(), []);
  }
  assert.deepEqual(bench.asked, ["routed IB"]);
  bench.clock.pass(1_000);
  assert.deepEqual((await bench.look()).map(({ oldestAgeMs }) => oldestAgeMs), [300_000]);
  // It is asked then whether that row is still the oldest, and now and then after that.
  for (let second = 0; second < 20; second += 1) {
    bench.clock.pass(1_000);
    assert.equal((await bench.look()).length, 1);
  }
  assert.ok(bench.asked.length <= 6, `asked ${bench.asked.length} times`);
  const before = bench.clock.now();
  bench.stored = () => before * 1000;
  bench.clock.pass(5_000);
  await bench.look();
  bench.clock.pass(1_000);
  assert.deepEqual(await bench.look(), [], "the old row is gone");
  // Lanes without a threshold of age cost nothing.
  bench.asked = [];
  bench.lanes = [bench.lane({ limits: { maxDepth: 5, maxOldestMs: null } })];
  await bench.look();
  assert.deepEqual(bench.asked, []);
});

// Goal: a row stamped before the clock was set back is no younger for it.
Deno.test("BuildupMonitor tells of a row that is stuck while the clock steps back", async () => {
  for (const isHeld of [true, false]) {
    const bench = new Bench();
    const madeAt = bench.clock.now() * 1000;
    bench.stored = () => madeAt;
    bench.lanes = [bench.lane({ oldestAt: isHeld ? madeAt : undefined })];
    await bench.look();
    bench.clock.pass(1_000);
    bench.clock.step(-3_600_000);
    let seconds = 1;
    for (; (await bench.look()).length === 0 && seconds < 600; seconds += 1) {
      bench.clock.pass(1_000);
    }
    assert.ok(seconds >= 300 && seconds <= 302, `${seconds} s, held in memory: ${isHeld}`);
    assert.ok(bench.asked.length <= 15, `asked ${bench.asked.length} times`);
    assert.ok(bench.monitor.isCrossed("OB"));
    // The row is gone, and one that came after it is young.
    const now = bench.clock.now() * 1000;
    bench.stored = () => now;
    bench.lanes = [bench.lane({ oldestAt: isHeld ? now : undefined })];
    bench.clock.pass(5_000);
    await bench.look();
    bench.clock.pass(1_000);
    assert.deepEqual(await bench.look(), []);
  }
});

Deno.test("BuildupMonitor goes on by depth, and asks again, when the store fails", async () => {
  const bench = new Bench();
  bench.stored = undefined;
  bench.lanes = [bench.lane({ depth: 10, limits: { maxDepth: 10, maxOldestMs: 1_000 } })];
  assert.deepEqual((await bench.look()).map(({ oldestAgeMs }) => oldestAgeMs), [undefined]);
  await bench.look();
  assert.equal(bench.asked.length, 1);
  bench.clock.pass(5_000);
  await bench.look();
  assert.equal(bench.asked.length, 2);
});

// Method: a lane of any history, in memory or not from one second to the next; a model knows its
// oldest row. I73 allows two seconds from crossing; a lane that moves again may be told of for five.
Deno.test("BuildupMonitor finds every crossing within two seconds, and none that is not one", async () => {
  const step = fc.record({
    isKnown: fc.boolean(),
    arrives: fc.boolean(),
    leaves: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const bench = new Bench();
      const rows: number[] = [];
      bench.stored = () => rows[0];
      const limits = { maxDepth: null, maxOldestMs: 4_000 };
      let crossedFor = 0;
      let sinceCrossed = Infinity;
      for (const { isKnown, arrives, leaves } of steps) {
        bench.clock.pass(1_000);
        if (leaves) rows.shift();
        if (arrives) rows.push(bench.clock.now() * 1000);
        const oldestAt = isKnown ? rows[0] : undefined;
        bench.lanes = [{
          stage: "outbound",
          connection: "OB",
          depth: rows.length,
          oldestAt,
          limits,
        }];
        const told = (await bench.look()).length > 0;
        const isCrossed = rows.length > 0 && bench.clock.now() - rows[0]! / 1000 >= 4_000;
        crossedFor = isCrossed ? crossedFor + 1 : 0;
        sinceCrossed = isCrossed ? 0 : sinceCrossed + 1;
        if (crossedFor >= 2) assert.ok(told, "a second has gone by");
        if (told) assert.ok(sinceCrossed <= (isKnown ? 0 : 5), "told of nothing");
      }
    }),
    { numRuns: 2_000 },
  );
});
