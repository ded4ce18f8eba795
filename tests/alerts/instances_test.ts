// Goal: every event is counted once in what is written, whatever the store does meanwhile.
import assert from "node:assert/strict";
import fc from "fast-check";
import { InstanceLog, type Raised } from "../../src/alerts/instances.ts";
import type { AlertEvent } from "../../src/alerts/mod.ts";
import { until } from "../connectors/waiting.ts";
import { readableLog, StandingClock } from "./bench.ts";

function buildup(connection: string, depth: number): AlertEvent {
  return { type: "queue_buildup", connection, depth, oldestAgeMs: undefined };
}

Deno.test("InstanceLog writes the first at once and gathers what follows", async () => {
  const clock = new StandingClock();
  const written: (readonly Raised[])[] = [];
  const log = new InstanceLog({
    clock,
    logger: readableLog().logger,
    write(raised) {
      written.push(raised);
      return Promise.resolve();
    },
  });
  log.add(buildup("OB", 1), { severity: "info", at: 100 });
  await until(() => written.length === 1, "the first write");
  for (const at of [200, 300, 400]) log.add(buildup("OB", at), { severity: "critical", at });
  log.add(buildup("OB_2", 1), { severity: "info", at: 500 });
  // The other connection's first takes along what is gathered.
  await until(() => written.length === 2, "the second write");
  await log[Symbol.asyncDispose]();
  const facts = written.map((batch) =>
    batch.map((
      one,
    ) => [one.connection, one.count, one.firstAt, one.lastAt, one.severity, one.reason])
  );
  assert.deepEqual(facts, [
    [["OB", 1, 100, 100, "info", "1 rows wait"]],
    [["OB", 3, 200, 400, "critical", "400 rows wait"], [
      "OB_2",
      1,
      500,
      500,
      "info",
      "1 rows wait",
    ]],
  ]);
});

Deno.test("InstanceLog counts again what the store did not take, the latest reason last", async () => {
  let fails = true;
  const written: Raised[] = [];
  const { logger, lines } = readableLog();
  const log = new InstanceLog({
    clock: new StandingClock(),
    logger,
    gatherMs: 5,
    async write(raised) {
      await Promise.resolve();
      if (fails) throw new Error("disk full of PID|1||4711");
      written.push(...raised);
    },
  });
  log.add(buildup("OB", 1), { severity: "info", at: 1 });
  log.add(buildup("OB", 2), { severity: "warning", at: 2 });
  await until(() => lines.length >= 2, "two failures");
  assert.match(lines[0]!, /ERROR .*alert\.not_stored error=Error instances=1/);
  assert.doesNotMatch(lines.join(), /4711/);
  fails = false;
  await until(() => written.length > 0, "a write");
  const [{ count, firstAt, lastAt, severity, reason }] = written as [Raised];
  assert.deepEqual([count, firstAt, lastAt, severity, reason], [2, 1, 2, "warning", "2 rows wait"]);
  await log[Symbol.asyncDispose]();
});

Deno.test("InstanceLog loses no event in any storm over a store that fails at times", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("A", "B", "C"), fc.boolean(), fc.boolean()), {
        maxLength: 60,
      }),
      async (steps) => {
        const clock = new StandingClock();
        const counted = new Map<string, number>();
        let fails = false;
        const log = new InstanceLog({
          clock,
          logger: readableLog().logger,
          gatherMs: 1,
          async write(raised) {
            await Promise.resolve();
            if (fails) throw new Error("busy");
            for (const { connection, count } of raised) {
              counted.set(connection, (counted.get(connection) ?? 0) + count);
            }
          },
        });
        const raised = new Map<string, number>();
        for (const [connection, nextFails, rests] of steps) {
          fails = nextFails;
          log.add(buildup(connection, 1), { severity: "info", at: clock.now() });
          raised.set(connection, (raised.get(connection) ?? 0) + 1);
          clock.pass(1);
          if (rests) await Promise.resolve();
        }
        fails = false;
        await log[Symbol.asyncDispose]();
        assert.deepEqual(new Map([...counted].sort()), new Map([...raised].sort()));
      },
    ),
    { numRuns: 200 },
  );
});
