import assert from "node:assert/strict";
import { FakeDatabase } from "./fake_database.ts";
import { addMessage, PipelineBench } from "./pipeline_bench.ts";

function letters(count: number, prefix = "m"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

function stored(...texts: string[]): FakeDatabase {
  const database = new FakeDatabase();
  for (const text of texts) addMessage(database, "IB_A", text);
  return database;
}

function toOutbound(texts: readonly string[]): string[] {
  return texts.map((text) => `OB_A ${text}`);
}

// Goal: arrival order through to the partner (I25), wherever messages wait meanwhile.
Deno.test("what was stored before the start goes before what arrives during the read-back", async () => {
  for (const count of [1, 63, 64, 65, 130, 300]) {
    const database = stored(...letters(count));
    await using bench = await PipelineBench.open({ database, store: { commitMs: () => 5 } });
    const late = letters(40, "late");
    for (const [index, text] of late.entries()) {
      bench.time.schedule(index * 3, () => void bench.connector.sources.get("IB_A")!.feed(text));
    }
    await bench.time.pass(5_000);
    assert.deepEqual(bench.sent, toOutbound([...letters(count), ...late]));
    assert.deepEqual([bench.budget.bytes, bench.pipeline.openRows], [0, 0]);
  }
});

Deno.test("rows that memory was not told of keep their place before what arrives later", async () => {
  const database = stored("m0");
  const unknown = letters(100, "unknown");
  await using bench = await PipelineBench.open(
    { database, store: { commitMs: () => 5 }, runner: { batchMs: () => 20 } },
    () => {
      for (const text of unknown) addMessage(database, "IB_A", text);
    },
  );
  await bench.time.pass(12);
  await bench.feed("IB_A", ...letters(10, "late"));
  await bench.time.pass(5_000);
  assert.deepEqual(bench.sent, toOutbound(["m0", ...unknown, ...letters(10, "late")]));
  assert.deepEqual([bench.budget.bytes, bench.pipeline.openRows], [0, 0]);
});

Deno.test("a message whose commit failed leaves no trace in memory; the next is not held up", async () => {
  let failures = 1;
  await using bench = await PipelineBench.open({
    budgetBytes: 1_200,
    store: { intentFails: ({ kind }) => kind === "receive" && failures-- > 0 },
  });
  const source = bench.connector.sources.get("IB_A")!;
  const answers = await bench.until(
    Promise.all([source.feed("a"), source.feed("b"), source.feed("c")]),
  );
  assert.deepEqual(answers.map((answer) => answer!.stored), [false, true, true]);
  await bench.time.pass(5_000);
  assert.deepEqual(bench.sent, toOutbound(["b", "c"]));
  assert.deepEqual([bench.budget.bytes, bench.pipeline.openRows], [0, 0]);
  assert.equal(bench.pipeline.statistics.inbound("IB_A").read, 2);
});

// Spec §1.8: parked with 1 s to 60 s, never given up, recovered without a restart.
Deno.test("a message that was stored while another node leads is not answered, and stays stored", async () => {
  let isFollowed = false;
  await using bench = await PipelineBench.open({ pipeline: { mayAnswer: () => !isFollowed } });
  const source = bench.connector.sources.get("IB_A")!;
  assert.equal((await bench.until(Promise.resolve(source.feed("before"))))!.stored, true);
  // The store finds out with this message, before it has answered.
  const answer = Promise.resolve(source.feed("then"));
  isFollowed = true;
  assert.equal((await bench.until(answer))!.stored, false);
  await bench.time.pass(1_000);
  assert.equal(bench.rowsOf("then").length > 0, true);
  assert.equal(bench.pipeline.statistics.inbound("IB_A").read, 1);
});

Deno.test("an inbound whose hand-offs fail tries less and less often, and recovers by itself", async () => {
  let isBroken = true;
  const tries: number[] = [];
  await using bench = await PipelineBench.open({
    store: {
      intentFails: ({ kind }) => {
        if (kind !== "hand_off" || !isBroken) return false;
        tries.push(bench.time.now);
        return true;
      },
    },
  });
  await bench.feed("IB_A", "a");
  await bench.time.pass(400_000);
  await bench.feed("IB_A", "b");
  const waits = tries.slice(1).map((at, index) => Math.round((at - tries[index]!) / 1000));
  assert.deepEqual(waits.slice(0, 8), [1, 2, 4, 8, 16, 32, 60, 60]);
  assert.ok(bench.database.open().every(({ attempts }) => attempts <= 1));
  isBroken = false;
  await bench.time.pass(61_000);
  assert.deepEqual(bench.sent, toOutbound(["a", "b"]));
});

// What operators see (I75), and what `queue_buildup` watches (I73).
Deno.test("an inbound that keeps off a store or a sandbox that failed shows its rows all the while", async () => {
  for (const what of ["store", "sandbox"] as const) {
    await using bench = await PipelineBench.open({
      store: { intentFails: ({ kind }) => what === "store" && kind === "hand_off" },
      runner: { batchFails: () => what === "sandbox" },
    });
    await bench.feed("IB_A", ...letters(30));
    const { memory } = bench.pipeline.inbounds.get("IB_A")!.lane;
    const seen = new Set<number>();
    await bench.time.run(() => (seen.add(memory.openRows), false), 100_000);
    assert.deepEqual([what, ...seen], [what, 30]);
    assert.equal(bench.database.open().length, 30);
  }
});

// I75. What the start gives up, for its handler is gone, is not among what waits.
Deno.test("messages of an inbound that is not in the graph wait, and count as open", async () => {
  const database = new FakeDatabase();
  for (const text of letters(3)) addMessage(database, "IB_GONE", text);
  const [head] = database.open("ingress", "IB_GONE");
  head!.status = "inflight";
  const token = head!.token = database.nextToken(1);
  const { seq, messageSeq } = head!;
  const handlers = ["h", "gone"];
  database.execute({
    kind: "route_hand_off",
    ...{ seq, messageSeq, token, handlers, at: 0, channel: "IB_GONE" },
  });
  await using bench = await PipelineBench.open({ database });
  await bench.feed("IB_A", "a");
  await bench.time.pass(1_000);
  assert.deepEqual(bench.sent, toOutbound(["a"]));
  const stages = database.open().map(({ stage }) => stage);
  assert.deepEqual(stages.toSorted(), ["ingress", "ingress", "routed"]);
  assert.equal(bench.pipeline.openRows, 3);
  assert.ok(database.open().every(({ status }) => status === "pending"));
});

// I24, and a store that fails just then.
Deno.test("a message that no key opens is given up; those around it keep their order", async () => {
  for (const bad of [0, 30, 63, 64, 99]) {
    for (const failures of [0, 2]) {
      const database = stored(...letters(100));
      database.unreadable.add(database.open("ingress", "IB_A")[bad]!.seq);
      let left = failures;
      await using bench = await PipelineBench.open({
        database,
        store: { intentFails: ({ kind }) => kind === "dead_letter" && left-- > 0 },
      });
      await bench.time.pass(20_000);
      const good = letters(100).filter((_, index) => index !== bad);
      assert.deepEqual(bench.sent, toOutbound(good));
      assert.equal(bench.statusOf(`m${bad}`), "error");
      assert.deepEqual([bench.budget.bytes, bench.pipeline.openRows], [0, 0]);
    }
  }
});

// I15.
Deno.test("a message claimed five times without an outcome is given up and its lane goes on", async () => {
  const database = stored("a", "poison", "b");
  database.open("ingress", "IB_A")[1]!.attempts = 5;
  await using bench = await PipelineBench.open({ database });
  await bench.time.pass(1_000);
  assert.deepEqual(bench.sent, toOutbound(["a", "b"]));
  assert.deepEqual(bench.rowsOf("poison").map(({ status, error }) => [status, error]), [
    ["dead", "attempts exhausted"],
  ]);
  const [line] = bench.logger.of("routing.attempts_exhausted");
  assert.deepEqual(line!.fields, { connection: "IB_A", rows: 1, attempts: 5 });
});

// Weak spot: stop() while batches are in the sandbox, claims outstanding, the store slow.
Deno.test("stop() hands on what runs, gives back the rest and submits nothing after", async () => {
  for (const atMs of [0, 5, 12, 20, 33, 50, 80]) {
    const database = stored(...letters(150));
    const bench = await PipelineBench.open({
      database,
      store: { commitMs: () => 9 },
      runner: { batchMs: () => 17 },
      partner: () => () =>
        new Promise((resolve) => setTimeout(() => resolve({ accepted: true }), 4)),
    });
    using _time = bench.time;
    await bench.time.pass(atMs);
    await bench.until(bench.pipeline.stop());
    await bench.time.run(() => bench.store.unanswered === 0, 1_000);
    bench.store.closedFor = "stop()";
    const [sent, batches] = [bench.sent.length, bench.runner.batches.length];
    await bench.time.pass(200_000);
    assert.deepEqual(bench.store.defects, []);
    assert.equal(bench.time.pending, 0, "timers");
    assert.deepEqual([bench.sent.length, bench.runner.batches.length], [sent, batches]);
    assert.deepEqual(
      new Set(bench.open.map((row) => row.split(" ").slice(2).join(" "))),
      new Set(["pending 0"]),
    );
    assert.deepEqual(bench.sent, toOutbound(letters(sent)));
  }
});
