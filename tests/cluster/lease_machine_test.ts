import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, type Ask, askTimeoutMs } from "../../src/cluster/lease.ts";
import { type Instant, LeaseMachine } from "../../src/cluster/lease_machine.ts";
import { type Fault, LeaseTable, LeaseWorld } from "./lease_world.ts";

const timings = { heartbeatMs: 1_000, fenceMs: 2_000, ttlMs: 3_000 };
const HOUR_MS = 3_600_000;

// Goal: I60 and I61 for every schedule of delays, losses, freezes, crashes and clock steps.
// Method: a world of virtual time; who leads is asked of every machine at every event, frozen ones too.

const duration = fc.integer({ min: 1, max: 6_000 });
const faults: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    atMs: fc.nat(40_000),
    node: fc.nat(4),
    kind: fc.constantFrom<Fault["kind"]>(
      ...["cut", "cut_answers", "slow", "freeze", "crash", "stop", "step_down"] as const,
    ),
    ms: duration,
  }),
  fc.record({
    atMs: fc.nat(40_000),
    node: fc.nat(4),
    kind: fc.constant<Fault["kind"]>("step_wall"),
    ms: fc.constantFrom(HOUR_MS, -HOUR_MS, 5_000, -5_000),
  }),
);
const worlds = fc.record({
  nodes: fc.integer({ min: 2, max: 5 }),
  timings: fc.constantFrom(timings, { heartbeatMs: 300, fenceMs: 2_900, ttlMs: 3_000 }),
  faults: fc.array(faults, { maxLength: 30, size: "max" }),
  // A round trip may take nearly all the time that an ask is given.
  delays: fc.array(fc.nat(48), { minLength: 1, maxLength: 20 }),
}).map(({ delays, ...rest }) => {
  const unitMs = askTimeoutMs(rest.timings) / 100;
  return { ...rest, delays: delays.map((one) => Math.floor(one * unitMs)) };
});

Deno.test("no two nodes lead at one moment, epochs grow, and somebody leads when all is well", () => {
  let led = 0;
  let grants = 0;
  fc.assert(
    fc.property(worlds, (options) => {
      const world = new LeaseWorld(options);
      world.run(50_000);
      assert.deepEqual(world.doubleLeaders, []);
      // The last fault has ended, so within an old lease, a look and an answer one must lead.
      const before = world.ledMs;
      world.run(80_000);
      assert.deepEqual(world.doubleLeaders, []);
      assert.equal(world.leaders().length, 1, "nobody leads though nothing is wrong");
      assert.ok(world.ledMs - before > 20_000, `led ${world.ledMs - before} of 30,000 ms`);
      const epochs = world.table.grants.map(({ epoch }) => epoch);
      assert.deepEqual(epochs, epochs.map((_, index) => index + 1));
      led += world.ledMs;
      grants += epochs.length;
    }),
    { numRuns: 1_000 },
  );
  assert.ok(led > 0 && grants > 1_000, `${grants} grants`);
});

Deno.test("a fence that outlives the lease is caught by the world above", () => {
  const broken = { heartbeatMs: 1_000, fenceMs: 9_000, ttlMs: 3_000 };
  const cut: Fault = { atMs: 1_500, node: 0, kind: "cut", ms: 6_000 };
  const world = new LeaseWorld({ nodes: 2, timings: broken, faults: [cut], delays: [1] });
  world.run(10_000);
  assert.notEqual(world.doubleLeaders.length, 0);
});

Deno.test("a clean stop hands over as soon as the others hear of it", () => {
  const stop: Fault = { atMs: 5_000, node: 0, kind: "stop", ms: 0 };
  const world = new LeaseWorld({ nodes: 3, timings, faults: [stop], delays: [5] });
  world.run(4_999);
  assert.deepEqual(world.leaders().map(({ index }) => index), [0]);
  world.run(5_040);
  assert.equal(world.leaders().length, 1);
  assert.notEqual(world.leaders()[0]!.index, 0);
});

Deno.test("after a crash a standby leads as soon as the lease has ended", () => {
  const crash: Fault = { atMs: 5_000, node: 0, kind: "crash", ms: 60_000 };
  const world = new LeaseWorld({ nodes: 2, timings, faults: [crash], delays: [5] });
  world.run(5_000);
  const { expiresMs } = world.table;
  world.run(expiresMs + 100);
  assert.deepEqual(world.leaders().map(({ index }) => index), [1]);
});

Deno.test("isLeader() ends at the fence, counted from when the ask was issued", () => {
  const bench = new MachineBench();
  bench.ask({ roundTripMs: 700 });
  assert.ok(bench.isLeader());
  bench.now += 1_300;
  assert.ok(bench.isLeader());
  bench.now += 1;
  assert.ok(!bench.isLeader());
  assert.equal(bench.posture(), "fenced");
});

Deno.test("isLeader() is false after the wall clock ran ahead, until a renewal", () => {
  const bench = new MachineBench();
  bench.ask();
  bench.wall += HOUR_MS;
  assert.equal(bench.posture(), "doubtful");
  assert.equal(bench.ask().kind, "renew");
  assert.ok(bench.isLeader());
  assert.equal(bench.machine.epoch, 1);
  bench.wall -= 2 * HOUR_MS;
  assert.ok(bench.isLeader());
});

Deno.test("a fenced node that renews keeps its epoch and leads one beat later", () => {
  const bench = new MachineBench();
  bench.ask();
  bench.now += 2_500;
  assert.equal(bench.ask().kind, "renew");
  assert.equal(bench.posture(), "fenced");
  bench.now += timings.heartbeatMs - 1;
  assert.ok(!bench.isLeader());
  bench.ask();
  assert.ok(bench.isLeader());
  assert.equal(bench.machine.epoch, 1);
});

Deno.test("a copy of an ask that comes late changes nothing", () => {
  const bench = new MachineBench();
  const [look, taken] = [bench.ask(), bench.ask()];
  assert.deepEqual([look.kind, taken.kind], ["acquire", "renew"]);
  bench.table.execute(bench.me, { kind: "acquire", expectedEpoch: 0 }, bench.at);
  assert.equal(bench.table.epoch, 1);
});

Deno.test("a lease whose answer was lost is taken anew, under another epoch", () => {
  const bench = new MachineBench();
  bench.table.epoch = 4;
  bench.step((ask) => bench.table.execute(bench.me, ask, bench.at)); // looks
  bench.step((ask) => {
    bench.table.execute(bench.me, ask, bench.at);
    return undefined;
  });
  assert.ok(!bench.isLeader());
  bench.now += timings.heartbeatMs;
  bench.step((ask) => bench.table.execute(bench.me, ask, bench.at)); // finds its own lease
  bench.step((ask) => bench.table.execute(bench.me, ask, bench.at));
  assert.ok(bench.isLeader());
  assert.equal(bench.machine.epoch, 6);
});

Deno.test("stepDown() ends leading at once, gives the lease back and stands back", () => {
  const bench = new MachineBench();
  bench.ask();
  bench.machine.stepDown(bench.instant, 5_000);
  assert.ok(!bench.isLeader());
  assert.equal(bench.ask().kind, "release");
  assert.equal(bench.table.expiresMs, 0);
  bench.now += 4_999;
  assert.equal(bench.machine.next(bench.instant).kind, "wait");
  bench.now += 1;
  bench.ask();
  assert.ok(bench.isLeader());
  assert.equal(bench.machine.epoch, 2);
});

/** One machine and a table, by hand. */
class MachineBench {
  readonly me = { nodeId: "a", incarnation: "1" };
  readonly table = new LeaseTable();
  readonly machine = new LeaseMachine(this.me, timings);
  now = 1_000;
  wall = 0;

  get instant(): Instant {
    return { monoMs: this.now, wallMs: this.now + this.wall };
  }

  get at() {
    return { nowMs: this.now, ttlMs: timings.ttlMs };
  }

  isLeader(): boolean {
    return this.machine.isLeader(this.instant);
  }

  posture() {
    return this.machine.posture(this.instant);
  }

  /** Lets the machine ask until it holds the lease, or once when it does. */
  ask({ roundTripMs = 0 } = {}): Ask {
    for (let round = 0; round < 3; round++) {
      const ask = this.step((one) => this.table.execute(this.me, one, this.at), roundTripMs);
      const isLook = ask.kind === "acquire" && this.machine.epoch === undefined;
      if (!isLook) return ask;
    }
    throw new Error("The machine does not come to hold the lease");
  }

  /** The answer of `execute`, or none. */
  step(execute: (ask: Ask) => Answer | undefined, roundTripMs = 0): Ask {
    const step = this.machine.next(this.instant);
    if (step.kind === "wait" && Number.isFinite(step.untilMs)) {
      this.now = Math.max(this.now, step.untilMs);
    }
    const due = step.kind === "ask" ? step : this.machine.next(this.instant);
    if (due.kind !== "ask") throw new Error(`The machine has no ask but ${due.kind}`);
    this.machine.issued(due.ask, this.instant);
    const answer = execute(due.ask);
    this.now += roundTripMs;
    if (answer) this.machine.answered(due.ask, answer, this.instant);
    else this.machine.failed(due.ask, this.instant);
    return due.ask;
  }
}
