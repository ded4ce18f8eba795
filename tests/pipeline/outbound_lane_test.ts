import assert from "node:assert/strict";
import type { DeliveryAnswer } from "../../src/connectors/connector.ts";
import { DeliveryError } from "../../src/connectors/connector.ts";
import { LANE, LaneBench } from "./lane_bench.ts";

const accepted: DeliveryAnswer = { accepted: true };
const busy: DeliveryAnswer = { accepted: false, code: "AE", permanent: false };
const slow = { maxAttempts: null, backoffMs: 60_000, multiplier: 2, maxBackoffMs: 300_000 };

function letters(count: number, prefix = "m"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

// Goal: a row is delivered when it is due and never before (I32), and nothing passes it (I26).
Deno.test("a head that backs off is sent when it is due, and the lane waits for it", async () => {
  await using bench = new LaneBench({ definition: { retry: slow } });
  let isBusy = true;
  bench.partner = ({ text }) => Promise.resolve(text === "a" && isBusy ? busy : accepted);
  await bench.queueAll("a", "b", "c");
  await bench.time.pass(100);
  isBusy = false;
  assert.deepEqual(bench.sent, ["a"]);
  const due = bench.row("a").dueAt / 1000 - bench.time.clock.now();
  await bench.time.pass(due - 1);
  assert.deepEqual(bench.sent, ["a"], "not due yet");
  await bench.time.pass(251);
  assert.deepEqual(bench.sent, ["a", "a", "b", "c"]);
  assert.equal(bench.lane.depth, 0);
});

// Goal: a partner that is down costs no work for each message that queues up behind it.
Deno.test("rows behind a head that backs off wake nobody, hot or spilled", async () => {
  for (const budgetBytes of [10_000_000, 600]) {
    await using bench = new LaneBench({ definition: { retry: slow }, budgetBytes });
    bench.partner = () => Promise.resolve(busy);
    await bench.queueAll("a");
    await bench.time.pass(100);
    for (const payload of letters(50)) await bench.queueAll(payload);
    const before = bench.store.log.length;
    for (const payload of letters(50, "n")) await bench.queueAll(payload);
    assert.equal(bench.store.log.length - before, 50, "the hand-offs and nothing else");
    assert.deepEqual(bench.sent, ["a"]);
    bench.partner = undefined;
    await bench.time.pass(300_000);
    assert.deepEqual(bench.sent, ["a", "a", ...letters(50), ...letters(50, "n")]);
  }
});

Deno.test("a head that backs off in the store is waited for, and who came meanwhile is counted", async () => {
  const database = LaneBench.stored(...letters(70));
  const [head] = database.open("outbound", LANE);
  await using bench = new LaneBench({ database });
  head!.dueAt = bench.time.clock.now() * 1000 + 900_000;
  bench.lane.wake();
  const queued = letters(5, "n").map((payload) => bench.queue(payload));
  await bench.time.pass(800);
  await Promise.all(queued);
  assert.deepEqual(bench.sent, []);
  assert.equal(bench.lane.depth, 75);
  await bench.time.pass(1_000);
  assert.deepEqual(bench.sent, [...letters(70), ...letters(5, "n")]);
  assert.equal(bench.lane.depth, 0);
  assert.equal(bench.budget.bytes, 0);
});

Deno.test("a lane sleeps over a wait that no timer takes at once", async () => {
  const days = 24 * 60 * 60_000;
  const forty = { maxAttempts: null, backoffMs: 40 * days, multiplier: 1, maxBackoffMs: 40 * days };
  for (const ordering of ["fifo", "unordered"] as const) {
    await using bench = new LaneBench({ definition: { ordering, retry: forty } });
    let isBusy = true;
    bench.partner = () => Promise.resolve(isBusy ? busy : accepted);
    await bench.queueAll("a");
    await bench.time.pass(100);
    isBusy = false;
    let looks = 0;
    const { monotonic } = bench.time.clock;
    Object.assign(bench.time.clock, { monotonic: () => (looks += 1, monotonic()) });
    const before = bench.store.log.length;
    await bench.time.pass(10_000);
    assert.equal(bench.store.log.length, before, "the store is left alone");
    assert.equal(looks, 0, `a lane (${ordering}) is awake`);
    await bench.time.pass(39 * days);
    assert.deepEqual(bench.sent, ["a"]);
    await bench.time.pass(days);
    assert.deepEqual(bench.sent, ["a", "a"]);
  }
});

// Method: the row falls due between the claim that finds it waiting and the claim's answer.
Deno.test("a lane asks no timer for a wait that is over", async () => {
  for (const ordering of ["fifo", "unordered"] as const) {
    const database = LaneBench.stored("a");
    await using bench = new LaneBench({ database, commitMs: () => 20, definition: { ordering } });
    database.open("outbound", LANE)[0]!.dueAt = (bench.time.clock.now() + 10) * 1000;
    const waits: number[] = [];
    const { setTimeout } = globalThis;
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      waits.push(ms);
      return setTimeout(run, ms);
    }) as unknown as typeof setTimeout;
    bench.lane.wake();
    await bench.time.pass(1_000);
    globalThis.setTimeout = setTimeout;
    assert.deepEqual(bench.sent, ["a"]);
    assert.ok(waits.every((ms) => ms >= 0), `waits of ${waits} ms`);
  }
});

// Goal: no lost wake-up (I71). Method: the row is committed with the very claim that finds nothing.
Deno.test("an unordered lane sees a row that is committed while it falls asleep", async () => {
  await using bench = new LaneBench({
    definition: { ordering: "unordered", retry: slow },
    commitMs: () => 2,
  });
  bench.partner = ({ text }) => Promise.resolve(text === "poison" ? busy : accepted);
  const poison = bench.queue("poison");
  await bench.time.run(() => bench.count("claim") === 2, 1_000);
  const good = bench.queue("good");
  await bench.time.pass(1_000);
  await Promise.all([poison, good]);
  assert.deepEqual(bench.sent, ["poison", "good"]);
});

// I29. A permanently failing row does not stop the others, and keeps its backoff.
Deno.test("an unordered lane delivers everything around a row that always fails", async () => {
  await using bench = new LaneBench({ definition: { ordering: "unordered" } });
  bench.partner = ({ text }) => Promise.resolve(text === "poison" ? busy : accepted);
  await bench.queueAll("poison");
  for (let burst = 0; burst < 20; burst += 1) {
    await bench.queueAll(...letters(50, `b${burst}-`));
    await bench.time.pass(100);
  }
  const good = bench.sent.filter((payload) => payload !== "poison");
  assert.equal(new Set(good).size, 1_000);
  assert.equal(good.length, 1_000);
  const tries = bench.sent.length - good.length;
  assert.ok(tries >= 3 && tries <= 7, `${tries} sends in two seconds`);
  assert.equal(bench.row("poison").status, "pending");
});

// Weak spot: rows are claimed while the lane is paused or stopped.
Deno.test("a claim outstanding at a pause is given back, not sent", async () => {
  await using bench = new LaneBench({ database: LaneBench.stored("a", "b"), commitMs: () => 10 });
  bench.lane.wake();
  await bench.time.pass(5);
  let isDrained = false;
  bench.lane.pause().then(() => isDrained = true);
  await bench.time.pass(100);
  assert.deepEqual(bench.sent, []);
  assert.ok(isDrained && !bench.lane.isBusy);
  assert.deepEqual(bench.rows.map(({ status, attempts }) => [status, attempts]), [
    ["pending", 0],
    ["pending", 0],
  ]);
  bench.lane.resume();
  await bench.time.pass(100);
  assert.deepEqual(bench.sent, ["a", "b"]);
});

Deno.test("stop() waits for the wire, gives back the rest and submits nothing after", async () => {
  for (const atMs of [0, 3, 7, 12, 18, 25, 40]) {
    const database = LaneBench.stored(...letters(4));
    await using bench = new LaneBench({ database, commitMs: () => 5 });
    bench.partner = () => new Promise((resolve) => setTimeout(() => resolve(accepted), 5));
    bench.lane.wake();
    await bench.time.pass(atMs);
    let isOver = false;
    bench.lane.stop(1_000).then(() => isOver = true);
    await bench.time.run(() => isOver, 1_000);
    await bench.time.run(() => bench.store.unanswered === 0, 100);
    bench.store.closedFor = "stop()";
    const delivered = bench.sent.length;
    await bench.time.pass(200_000);
    assert.deepEqual(bench.store.defects, []);
    assert.equal(bench.time.pending, 0, "timers");
    assert.equal(bench.sent.length, delivered);
    const statuses = bench.rows.map(({ status, attempts }) => `${status} ${attempts}`);
    const done = letters(delivered).map(() => "done 1");
    assert.deepEqual(statuses, [...done, ...letters(4 - delivered).map(() => "pending 0")]);
    bench.store.closedFor = undefined;
  }
});

// I31: a finite budget counts what the partner was given, not what a stop cut off.
Deno.test("a delivery that a stop cuts off costs no attempt and buries nothing", async () => {
  const retry = { ...slow, maxAttempts: 1 };
  await using bench = new LaneBench({ definition: { retry } });
  bench.partner = (_message, signal) =>
    new Promise((_, reject) =>
      signal.addEventListener(
        "abort",
        () => reject(new DeliveryError("delivery.aborted", "Aborted", { reached: "unknown" })),
      )
    );
  await bench.queueAll("a");
  await bench.time.pass(10);
  let isOver = false;
  bench.lane.stop(500).then(() => isOver = true);
  await bench.time.run(() => isOver, 1_000);
  assert.ok(isOver);
  assert.deepEqual([bench.row("a").status, bench.row("a").attempts], ["pending", 0]);
  assert.deepEqual(bench.told, []);
});

Deno.test("an unordered lane that gave back what it claimed shows nothing in flight", async () => {
  let failures = 1;
  await using bench = new LaneBench({
    database: LaneBench.stored(...letters(5)),
    definition: { ordering: "unordered", retry: slow },
    intentFails: ({ kind }) => kind === "retry" && failures-- > 0,
    partner: () => Promise.resolve(busy),
  });
  bench.lane.wake();
  await bench.time.pass(100);
  void bench.lane.pause();
  await bench.time.pass(1_000);
  assert.deepEqual(bench.rows.map(({ status }) => status), Array(5).fill("pending"));
  assert.equal(bench.lane.inFlight, 0);
});

// Spec §1.8: a store that fails parks the lane, 1 s to 60 s; it recovers without a restart.
Deno.test("a lane whose store stays broken tries less and less often, and recovers by itself", async () => {
  let isBroken = true;
  const tries: number[] = [];
  await using bench = new LaneBench({
    database: LaneBench.stored("a", "b"),
    batchFails: () => {
      if (isBroken) tries.push(bench.time.now);
      return isBroken;
    },
  });
  bench.lane.wake();
  await bench.time.pass(400_000);
  const waits = tries.slice(1).map((at, index) => Math.round((at - tries[index]!) / 1000));
  assert.deepEqual(waits.slice(0, 8), [1, 2, 4, 8, 16, 32, 60, 60]);
  isBroken = false;
  await bench.time.pass(61_000);
  assert.deepEqual(bench.sent, ["a", "b"]);
  // What is over is over: the next failure is met with the first, short wait.
  isBroken = true;
  tries.length = 0;
  void bench.lane.recount();
  await bench.time.pass(2_500);
  assert.equal(tries.length, 2);
});

// A store that takes claims and loses outcomes must not make the partner get a message a second.
Deno.test("a delivery whose outcome is not stored is repeated at the store's pace", async () => {
  let isBroken = true;
  await using bench = new LaneBench({
    intentFails: ({ kind }) => isBroken && (kind === "complete" || kind === "retry"),
  });
  await bench.queueAll("a");
  for (let second = 0; second < 60; second += 1) {
    await bench.queueAll(`n${second}`);
    await bench.time.pass(1_000);
  }
  assert.ok(bench.sent.length <= 7, `sent ${bench.sent.length} times in a minute`);
  assert.deepEqual(new Set(bench.sent), new Set(["a"]));
  isBroken = false;
  await bench.time.pass(61_000);
  assert.deepEqual(bench.sent.slice(bench.sent.lastIndexOf("a")), ["a", ...letters(60, "n")]);
  assert.equal(bench.lane.depth, 0);
  assert.equal(bench.budget.bytes, 0);
});

// I33.
Deno.test("internal_error = stop halts the lane with its head and its budget, once", async () => {
  const retry = { ...slow, maxAttempts: 1 };
  await using bench = new LaneBench({ definition: { internalError: "stop", retry } });
  bench.partner = () => Promise.reject(new TypeError("MSH|secret"));
  await bench.queueAll("a", "b");
  await bench.time.pass(120_000);
  assert.deepEqual(bench.sent, ["a"]);
  assert.deepEqual(bench.told, ["halted internal error: TypeError"]);
  assert.equal(bench.lane.haltedFor, "internal error: TypeError");
  assert.deepEqual([bench.row("a").status, bench.row("a").attempts], ["pending", 0]);
  await bench.queueAll("c");
  bench.partner = undefined;
  bench.lane.resume();
  await bench.time.pass(100);
  assert.deepEqual(bench.sent, ["a", "a", "b", "c"]);
});

// I24: one row without a readable body affects that row only, wherever it stands.
Deno.test("a row that no key opens is given up; those around it keep their order", async () => {
  for (const ordering of ["fifo", "unordered"] as const) {
    for (const bad of [0, 1, 40, 99]) {
      const database = LaneBench.stored(...letters(100));
      database.unreadable.add(database.open("outbound", LANE)[bad]!.seq);
      await using bench = new LaneBench({ database, definition: { ordering } });
      bench.lane.wake();
      await bench.time.pass(10);
      await bench.queueAll("late");
      await bench.time.pass(5_000);
      const good = letters(100).filter((payload) => payload !== `m${bad}`);
      assert.deepEqual(bench.sent, [...good, "late"]);
      assert.deepEqual(
        [bench.row(`m${bad}`).status, bench.row(`m${bad}`).error],
        ["dead", "body cannot be decrypted"],
      );
      assert.equal(bench.lane.depth, 0);
      assert.equal(bench.budget.bytes, 0);
    }
  }
});

Deno.test("a store that fails while a row is given up ends nothing but the try", async () => {
  const database = LaneBench.stored("a", "b");
  database.unreadable.add(database.open("outbound", LANE)[0]!.seq);
  let failures = 3;
  await using bench = new LaneBench({
    database,
    intentFails: ({ kind }) => kind === "dead_letter" && failures-- > 0,
  });
  bench.lane.wake();
  await bench.time.pass(20_000);
  assert.equal(bench.row("a").status, "dead");
  assert.deepEqual(bench.sent, ["b"]);
});

// Rows that memory was not told of: the count is off, the order must not be.
Deno.test("a claim that finds other rows than expected counts again before it trusts memory", async () => {
  const database = LaneBench.stored(...letters(3));
  await using bench = new LaneBench({ database, commitMs: () => 4 });
  bench.partner = () => new Promise((resolve) => setTimeout(() => resolve(accepted), 3));
  bench.addBehindItsBack("unknown");
  bench.lane.wake();
  // These are promised a place in memory behind the three that the lane expects.
  const queued = ["x", "y"].map((payload) => bench.queue(payload));
  await bench.time.pass(6);
  await Promise.all(queued);
  const later = bench.queue("z");
  await bench.time.pass(500);
  await later;
  assert.deepEqual(bench.sent, [...letters(3), "unknown", "x", "y", "z"]);
  assert.equal(bench.lane.depth, 0);
  assert.equal(bench.budget.bytes, 0);
});

Deno.test("a replayed row goes before its lane's backlog, and the backlog keeps its order", async () => {
  await using bench = new LaneBench();
  let isOpen = false;
  bench.partner = ({ text }) =>
    Promise.resolve(
      text === "a" && !isOpen ? { accepted: false, code: "AR", permanent: true } : accepted,
    );
  await bench.queueAll("a");
  await bench.time.pass(10);
  assert.equal(bench.row("a").status, "dead");
  await bench.lane.pause();
  await bench.queueAll(...letters(5));
  isOpen = true;
  const replay = bench.store.submit({ kind: "replay", id: "a", at: 1 });
  await bench.time.pass(10);
  assert.equal((await replay).requeued, 1);
  const counted = bench.lane.recount();
  await bench.time.pass(10);
  await counted;
  assert.equal(bench.lane.depth, 6);
  bench.lane.resume();
  await bench.time.pass(100);
  assert.deepEqual(bench.sent, ["a", "a", ...letters(5)]);
});

// A replay commits between a claim and its answer: the count it asks for is not lost to the answer.
for (const ordering of ["fifo", "unordered"] as const) {
  Deno.test(`a lane (${ordering}) counts when told to while it hears that nothing is open`, async () => {
    let isReplayed = false;
    const database = LaneBench.stored("cancelled");
    await using bench: LaneBench = new LaneBench({
      database,
      definition: { ordering },
      commitMs: () => 5,
      onCommit: (intents) => {
        if (isReplayed || !intents.some(({ kind }) => kind === "claim")) return;
        isReplayed = true;
        for (const payload of letters(100)) bench.addBehindItsBack(payload);
        void bench.lane.recount();
      },
    });
    for (const { seq } of bench.rows) database.rows.delete(seq);
    bench.lane.wake();
    await bench.time.pass(1_000);
    assert.ok(isReplayed);
    assert.deepEqual(bench.sent, letters(100));
    assert.equal(bench.lane.depth, 0);
  });
}

// What operators see: a lane that asks the store how long it is does not look empty meanwhile.
for (const ordering of ["fifo", "unordered"] as const) {
  Deno.test(`a lane (${ordering}) that counts shows its rows all the while`, async () => {
    await using bench = new LaneBench({
      database: LaneBench.stored(...letters(30)),
      definition: { ordering, retry: slow },
      commitMs: () => 5,
      partner: () => Promise.resolve(busy),
    });
    const seen = new Set<number>();
    const look = () => seen.add(bench.lane.memory.openRows);
    bench.lane.wake();
    await bench.time.run(() => (look(), bench.told.length > 0), 1_000);
    void bench.lane.recount();
    await bench.time.run(
      () => (look(), bench.count("resync") > 0 && bench.store.unanswered === 0),
      1_000,
    );
    assert.deepEqual([...seen], [30]);
  });
}

// I34.
Deno.test("a wall clock that steps back holds up neither old rows nor new ones", async () => {
  const database = LaneBench.stored(...letters(200));
  await using bench = new LaneBench({ database, definition: { retry: slow } });
  for (const row of database.open("outbound", LANE)) row.dueAt = bench.time.clock.now() * 1000;
  bench.time.stepWall(-3_600_000);
  bench.lane.wake();
  await bench.time.pass(2_000);
  assert.deepEqual(bench.sent, letters(200));
});

// A lane that is idle gives its next row a claim with the row itself; never two rows at once.
Deno.test("an ordered lane has one row in flight at most, whatever it does just then", async () => {
  for (const pauseAt of [1, 4, 7, 10]) {
    await using bench = new LaneBench({
      database: LaneBench.stored("a"),
      commitMs: () => 3,
      onCommit: () => {
        const held = bench.rows.filter(({ status }) => status === "inflight");
        assert.ok(held.length <= 1, `${held.length} rows in flight`);
      },
    });
    bench.lane.wake();
    const queued = [bench.queue("b")];
    bench.time.schedule(2, () => queued.push(bench.queue("c")));
    bench.time.schedule(pauseAt, () => void bench.lane.pause());
    bench.time.schedule(pauseAt + 30, () => bench.lane.resume());
    bench.time.schedule(pauseAt + 31, () => queued.push(bench.queue("d")));
    await bench.time.pass(200);
    await Promise.all(queued);
    assert.deepEqual(bench.sent, ["a", "b", "c", "d"]);
  }
});

// What is on its way into an idle lane when it is paused must be there for a purge to find.
Deno.test("a row born in flight on a lane that is paused meanwhile is given back", async () => {
  await using bench = new LaneBench({ commitMs: () => 3 });
  const queued = bench.queue("a");
  await bench.time.pass(1);
  await bench.lane.pause();
  await bench.time.pass(50);
  await queued;
  assert.deepEqual([bench.row("a").status, bench.row("a").attempts], ["pending", 0]);
  assert.ok(!bench.lane.isBusy);
  bench.lane.resume();
  await bench.time.pass(50);
  assert.deepEqual(bench.sent, ["a"]);
});

Deno.test("a paused lane whose store failed gives back what it holds once the store works", async () => {
  let isBroken = false;
  await using bench = new LaneBench({ commitMs: () => 3, batchFails: () => isBroken });
  bench.partner = () => new Promise((resolve) => setTimeout(() => resolve(accepted), 50));
  const queued = bench.queue("a");
  await bench.time.pass(20);
  await queued;
  void bench.lane.pause();
  isBroken = true;
  await bench.time.pass(3_000);
  assert.equal(bench.row("a").status, "inflight");
  isBroken = false;
  await bench.time.pass(10_000);
  assert.deepEqual([bench.row("a").status, bench.lane.isBusy], ["pending", false]);
  assert.deepEqual(bench.sent, ["a"]);
});

Deno.test("a lane that looks at the store while its head is on the way keeps its books", async () => {
  await using bench = new LaneBench({ budgetBytes: 600, commitMs: () => 3 });
  const queued = [bench.queue("a"), bench.queue("b")];
  bench.lane.wake();
  await bench.time.run(() => {
    assert.ok(bench.budget.bytes >= 0 && bench.lane.memory.rows >= 0);
    return bench.sent.length === 2;
  }, 1_000);
  await Promise.all(queued);
  await bench.time.pass(1_000);
  assert.deepEqual(bench.sent, ["a", "b"]);
  assert.deepEqual([bench.budget.bytes, bench.lane.memory.rows, bench.lane.depth], [0, 0, 0]);
});
