// Goal: whoever saw patient data in lists is on record once an hour for each filter, with the right
// sum, whatever happens to a write in between.
import assert from "node:assert/strict";
import fc from "fast-check";
import { SummaryAccessLog } from "../../src/audit/mod.ts";
import type { AuditFields } from "../../src/crypto/audit_chain.ts";

const HOUR_MS = 3_600_000;
const START = 480_000 * HOUR_MS;

class Bench {
  now = START;
  readonly rows: AuditFields[] = [];
  readonly told: string[] = [];
  failures = 0;
  isBroken = false;
  readonly log = new SummaryAccessLog({
    clock: { now: () => this.now, monotonic: () => this.now },
    append: (rows) => {
      if (this.isBroken) return Promise.reject(new Error("disk full"));
      this.rows.push(...rows);
      return Promise.resolve();
    },
    tell: ({ action, actor }) => this.told.push(`${action} ${actor}`),
    onFailed: () => this.failures += 1,
  });

  /** Actor, channel, count and hour of each row. */
  get written() {
    return this.rows.map(({ actor, action, channel, detail }) => {
      assert.equal(action, "summary_access");
      const { count, window_start, ...rest } = JSON.parse(detail!);
      assert.deepEqual(rest, {});
      return [actor, channel, count, (window_start * 1000 - START) / HOUR_MS];
    });
  }
}

Deno.test("an hour is one row for each reader and filter, written when it is over", async () => {
  const bench = new Bench();
  {
    await using log = bench.log;
    log.add({ actor: "ann", channel: undefined, count: 3 });
    log.add({ actor: "ann", channel: "IB_A", count: 1 });
    log.add({ actor: "bob", channel: undefined, count: 2 });
    log.add({ actor: "eve", channel: undefined, count: 0 });
    bench.now += HOUR_MS - 1;
    log.add({ actor: "ann", channel: undefined, count: 4 });
    await Promise.resolve();
    assert.deepEqual(bench.written, [], "the hour goes on");
    bench.now += 1;
    log.add({ actor: "bob", channel: undefined, count: 5 });
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(bench.written, [
      ["ann", null, 7, 0],
      ["ann", "IB_A", 1, 0],
      ["bob", null, 2, 0],
    ]);
  }
  assert.deepEqual(bench.written.at(-1), ["bob", null, 5, 1], "the rest is written at the stop");
  assert.equal(bench.told.length, 4);
});

Deno.test("what could not be written is written later, with what came meanwhile", async () => {
  const bench = new Bench();
  await using log = bench.log;
  log.add({ actor: "ann", channel: undefined, count: 3 });
  bench.isBroken = true;
  await log.flush();
  log.add({ actor: "ann", channel: undefined, count: 1 });
  assert.deepEqual([bench.failures, bench.written, bench.told], [1, [], []]);
  bench.isBroken = false;
  await log.flush();
  assert.deepEqual(bench.written, [["ann", null, 4, 0]]);
});

Deno.test("no look is lost or counted twice, in whatever order things happen", async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("add" as const),
      actor: fc.constantFrom("ann", "bob"),
      count: fc.nat(9),
    }),
    fc.record({
      do: fc.constantFrom("flush" as const, "hour" as const, "break" as const, "mend" as const),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const bench = new Bench();
      let shown = 0;
      for (const one of steps) {
        if (one.do === "add") {
          bench.log.add({ actor: one.actor, channel: undefined, count: one.count });
          shown += one.count;
        } else if (one.do === "flush") await bench.log.flush();
        else if (one.do === "hour") bench.now += HOUR_MS;
        else bench.isBroken = one.do === "break";
      }
      bench.isBroken = false;
      await bench.log[Symbol.asyncDispose]();
      assert.equal(bench.written.reduce((sum, [, , count]) => sum + Number(count), 0), shown);
      const windows = bench.written.map(([actor, , , hour]) => `${actor} ${hour}`);
      if (!steps.some((one) => one.do === "flush")) {
        assert.equal(new Set(windows).size, windows.length, "one row an hour");
      }
    }),
    { numRuns: 200 },
  );
});
