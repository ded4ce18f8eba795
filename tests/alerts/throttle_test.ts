// Goal: whatever storm comes, nobody is told more often than the rule of the event allows, and what
// came too early is told later, unless it is over by then.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { AlertEvent } from "../../src/alerts/mod.ts";
import { type Notice, Throttle } from "../../src/alerts/throttle.ts";
import { StandingClock } from "./bench.ts";

function notice(connection: string, cooldownMs: number, row = 0): Notice {
  const event: AlertEvent = { type: "connection_stopped", connection, code: "Error", row };
  return { event, severity: "warning", transports: ["webhook"], cooldownMs, at: 0 };
}

const always = () => true;

Deno.test("Throttle tells the first, keeps the latest of what follows, and tells it in time", () => {
  const clock = new StandingClock();
  const throttle = new Throttle(clock, 300_000);
  assert.ok(throttle.offer(notice("OB", 60_000, 1)));
  clock.pass(10_000);
  assert.ok(!throttle.offer(notice("OB", 60_000, 2)));
  assert.ok(throttle.offer(notice("OB_OTHER", 60_000)), "another connection is another matter");
  assert.ok(!throttle.offer(notice("OB", 60_000, 3)));
  clock.pass(49_999);
  assert.deepEqual(throttle.takeDue(always), []);
  clock.pass(1);
  const due = throttle.takeDue(always);
  assert.deepEqual(due.map(({ event }) => "row" in event && event.row), [3]);
  assert.deepEqual(throttle.takeDue(always), [], "once");
  // What was told late begins a time of its own.
  clock.pass(59_999);
  assert.ok(!throttle.offer(notice("OB", 60_000, 4)));
});

Deno.test("Throttle drops what is over before its time, and tells the next one", () => {
  const clock = new StandingClock();
  const throttle = new Throttle(clock, 60_000);
  throttle.offer(notice("OB", 60_000, 1));
  throttle.offer(notice("OB", 60_000, 2));
  assert.deepEqual(throttle.takeDue(() => false), []);
  clock.pass(60_000);
  assert.deepEqual(throttle.takeDue(always), []);
  assert.ok(throttle.offer(notice("OB", 60_000, 3)));
});

interface Step {
  readonly connection: string;
  readonly cooldownMs: number;
  readonly waitMs: number;
}

const storm = fc.array(
  fc.record<Step>({
    connection: fc.constantFrom("A", "B"),
    cooldownMs: fc.constantFrom(0, 1_000, 7_000, 60_000),
    waitMs: fc.nat(9_000),
  }),
  { maxLength: 120 },
);

Deno.test("Throttle in any storm: never too often, and nothing that happened is left untold", () => {
  fc.assert(
    fc.property(storm, (steps) => {
      const clock = new StandingClock();
      const throttle = new Throttle(clock, 60_000);
      const told = new Map<string, { at: number; row: number }[]>();
      const tell = ({ event, cooldownMs }: Notice) => {
        const at = clock.monotonic();
        const before = told.get(event.connection) ?? [];
        const last = before.at(-1);
        assert.ok(!last || at - last.at >= cooldownMs, "told too early");
        assert.ok(event.type === "connection_stopped");
        assert.ok(!last || event.row! > last.row, "told twice");
        told.set(event.connection, [...before, { at, row: event.row! }]);
      };
      const latest = new Map<string, number>();
      for (const [row, { connection, cooldownMs, waitMs }] of steps.entries()) {
        clock.pass(waitMs);
        for (const due of throttle.takeDue(always)) tell(due);
        const one = notice(connection, cooldownMs, row);
        if (throttle.offer(one)) tell(one);
        latest.set(connection, row);
      }
      clock.pass(60_000);
      for (const due of throttle.takeDue(always)) tell(due);
      // The last of each connection has been told: those before it that were not it stands for.
      for (const [connection, row] of latest) {
        assert.equal(told.get(connection)?.at(-1)?.row, row);
      }
    }),
    { numRuns: 500 },
  );
});
