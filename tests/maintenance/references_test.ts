import assert from "node:assert/strict";
import { SOURCE_BYTES_MAX } from "../../src/maintenance/source_limits.ts";
import { ReferenceBench } from "./reference_bench.ts";

Deno.test("prepare() reads every set before anything runs, one bad source aside", async () => {
  await using bench = await ReferenceBench.open();
  await bench.declare("good", "k,v\na,1\n");
  await bench.declare("gone");
  await bench.declare("late", "k,v\nb,2\n");
  await using references = await bench.references();
  await bench.prepare(references);
  assert.deepEqual(bench.taken(), ['good [["a","1"]]', 'late [["b","2"]]']);
  const failures = bench.log.filter((line) => line.includes("reference.sync_failed"));
  assert.equal(failures.length, 1);
  assert.match(failures[0]!, /NotFound/);
});

Deno.test("refresh() reads what is due, and publishes what has changed", async () => {
  await using bench = await ReferenceBench.open();
  const path = await bench.declare("often", "k,v\na,1\n", 10);
  await bench.declare("seldom", "k,v\nb,2\n", 1_000);
  await using references = await bench.references();
  await bench.prepare(references);
  bench.taken();
  await Deno.writeTextFile(path, "k,v\na,2\n");
  await Deno.writeTextFile(`${bench.dir}/seldom.csv`, "k,v\nb,3\n");
  bench.bench.passSeconds(9);
  await references.refresh();
  assert.deepEqual(bench.taken(), [], "neither is due");
  bench.bench.passSeconds(1);
  await references.refresh();
  assert.deepEqual(bench.taken(), ['often [["a","2"]]']);
  bench.bench.passSeconds(10);
  const { version } = references.figures()[0]!;
  await references.refresh();
  assert.deepEqual(bench.taken(), [], "it says the same");
  const [often] = references.figures();
  assert.deepEqual([often?.version, often?.syncedAt], [version, bench.bench.now / 1000]);
});

Deno.test("a set is not read an interval later than that because the clock stepped back", async () => {
  await using bench = await ReferenceBench.open();
  const path = await bench.declare("set", "k,v\na,1\n", 10);
  await using references = await bench.references();
  await bench.prepare(references);
  bench.taken();
  await Deno.writeTextFile(path, "k,v\na,2\n");
  bench.bench.passSeconds(-3_600);
  await references.refresh();
  assert.deepEqual(bench.taken(), ['set [["a","2"]]']);
  await Deno.writeTextFile(path, "k,v\na,3\n");
  bench.bench.passSeconds(9);
  await references.refresh();
  assert.deepEqual(bench.taken(), [], "it is due by the new time");
});

Deno.test("a source that fails keeps the version before and is tried at its next time", async () => {
  await using bench = await ReferenceBench.open();
  const path = await bench.declare("set", "k,v\na,1\n", 10);
  await using references = await bench.references();
  await bench.prepare(references);
  const before = await bench.bench.store.register("references");
  const bad = ["k,v\na,1,2\n", "x".repeat(SOURCE_BYTES_MAX + 1)];
  for (const [index, text] of bad.entries()) {
    await Deno.writeTextFile(path, text);
    bench.bench.passSeconds(10);
    await references.refresh();
    await references.refresh();
    const told = bench.log.filter((line) => line.includes("sync_failed"));
    assert.equal(told.length, index + 1, "once a time");
  }
  assert.match(bench.log.join("\n"), /reference\.source_too_large/);
  assert.deepEqual(await bench.bench.store.register("references"), before);
  bench.taken();
  await using after = await bench.references("sync_on_startup = false\n");
  await bench.prepare(after);
  assert.deepEqual(bench.taken(), ['set [["a","1"]]']);
});

Deno.test("a source that fails again and again is counted, and its rows get no younger", async () => {
  await using bench = await ReferenceBench.open();
  const path = await bench.declare("set", "k,v\na,1\n", 10);
  const gone = await bench.declare("gone", undefined, 10);
  await using references = await bench.references();
  await bench.prepare(references);
  const readAt = bench.bench.now / 1000;
  await Deno.remove(path);
  for (let read = 0; read < 3; read += 1) {
    bench.bench.passSeconds(10);
    await references.refresh();
  }
  assert.deepEqual(references.freshness(), [
    { name: "set", readAt, failures: 3 },
    { name: "gone", readAt: undefined, failures: 4 },
  ]);
  // Who leads no more tells of no failure: others read the source now.
  bench.isLeader = false;
  assert.deepEqual(references.freshness().map(({ failures }) => failures), [0, 0]);
  bench.isLeader = true;
  assert.equal(references.figures()[0]!.syncedAt, readAt);
  const told = bench.log.filter((line) => line.includes("sync_failed set=set"));
  assert.deepEqual(told.map((line) => / failures=(\d+)/.exec(line)?.[1]), ["1", "2", "3"]);
  await Deno.writeTextFile(path, "k,v\na,1\n");
  await Deno.writeTextFile(gone, "k,v\nb,1\n");
  bench.bench.passSeconds(10);
  await references.refresh();
  const now = bench.bench.now / 1000;
  assert.deepEqual(references.freshness(), [
    { name: "set", readAt: now, failures: 0 },
    { name: "gone", readAt: now, failures: 0 },
  ]);
});

Deno.test("a snapshot of many parts comes back as it was", async () => {
  await using bench = await ReferenceBench.open();
  const rows = Array.from({ length: 20_000 }, (_, index) => `K${index},\u{1f600} value ${index}`);
  await bench.declare("large", `k,v\n${rows.join("\n")}\n`);
  await using references = await bench.references();
  await bench.prepare(references);
  const [fresh] = bench.published.splice(0);
  assert.ok((await bench.bench.store.register("referenceParts", "large")).length > 1);
  await bench.bench.reopen();
  await using after = await bench.references("sync_on_startup = false\n");
  await bench.prepare(after);
  const [stored] = bench.published;
  assert.equal(stored?.entries, fresh?.entries);
  assert.equal(stored?.version, fresh?.version);
});

// I58: two writes in one second are two versions, and a reader takes over each whole.
Deno.test("a node that does not lead reads nothing, and takes over what the leader wrote", async () => {
  await using bench = await ReferenceBench.open();
  const path = await bench.declare("set", "k,v\na,1\n", 0);
  await using leader = await bench.references();
  await bench.prepare(leader);
  bench.taken();
  bench.isLeader = false;
  await using follower = await bench.references();
  await bench.prepare(follower);
  assert.deepEqual(bench.taken(), ['set [["a","1"]]'], "from the store");
  await Deno.writeTextFile(path, "k,v\na,2\n");
  await follower.refresh();
  await follower.converge();
  assert.deepEqual(bench.taken(), [], "it has not looked at the file");
  bench.isLeader = true;
  const versions = new Set<string>();
  for (const value of ["2", "3"]) {
    await Deno.writeTextFile(path, `k,v\na,${value}\n`);
    await leader.refresh();
    versions.add(leader.figures()[0]!.version);
  }
  bench.taken();
  assert.equal(versions.size, 2, "within one moment of the clock");
  await follower.converge();
  assert.deepEqual(bench.taken(), ['set [["a","3"]]']);
  await follower.converge();
  assert.deepEqual(bench.taken(), []);
});

Deno.test("takeOver() reads what nobody has read, and what a start reads, before the graph runs", async () => {
  await using bench = await ReferenceBench.open();
  const wards = await bench.declare("wards", "code,name\nW1,North\n");
  bench.isLeader = false;
  await using references = await bench.references();
  // All nodes of a new cluster start like this: none of them leads yet.
  await bench.prepare(references);
  assert.deepEqual(bench.taken(), []);
  bench.isLeader = true;
  await references.takeOver();
  assert.deepEqual(bench.taken(), ['wards [["W1","North"]]']);

  // Another node begins: the store has the set, and its file says something new.
  await Deno.writeTextFile(wards, "code,name\nW1,South\n");
  await using next = await bench.references();
  await next.takeOver();
  assert.deepEqual(bench.taken(), ['wards [["W1","South"]]']);
});

Deno.test("each version that is written has its audit row, without a key or a value", async () => {
  await using bench = await ReferenceBench.open();
  await bench.declare("set", "k,v\nCANARY,CANARY\n");
  await using references = await bench.references();
  await bench.prepare(references);
  const rows = await bench.bench.store.register("auditNewest", 9);
  assert.deepEqual(rows.map(({ actor, action, detail }) => [actor, action, detail]), [
    ["system", "reference_sync", '{"reference":"set","rows":1}'],
  ]);
});
