import assert from "node:assert/strict";
import type { ReferenceDefinition } from "../../src/graph/graph.ts";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import { References, type Snapshot } from "../../src/maintenance/mod.ts";
import { SOURCE_BYTES_MAX } from "../../src/maintenance/source_limits.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { StoreBench } from "../contract/store/bench.ts";
import { sqliteBackend } from "../store/sqlite/bench.ts";

/** References over a real store, at whatever time a test says it is. */
class ReferenceBench implements AsyncDisposable {
  readonly dir: string;
  readonly bench: StoreBench;
  readonly log: string[] = [];
  readonly published: Snapshot[] = [];
  definitions = new Map<string, ReferenceDefinition>();
  isLeader = true;

  constructor(bench: StoreBench, dir: string) {
    this.bench = bench;
    this.dir = dir;
  }

  static async open(): Promise<ReferenceBench> {
    const dir = await Deno.makeTempDir({ prefix: "mefor_references_" });
    return new ReferenceBench(await StoreBench.open(sqliteBackend), dir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }

  /** Declares a set of a file of its own, which is written when there is a text for it. */
  async declare(name: string, text?: string, refreshSeconds = 60): Promise<string> {
    const path = `${this.dir}/${name}.csv`;
    if (text !== undefined) await Deno.writeTextFile(path, text);
    const more = { format: "csv", encoding: "utf-8", refreshMs: refreshSeconds * 1000 } as const;
    this.definitions.set(name, { kind: "file", name, path, ...more, position: undefined });
    return path;
  }

  references(settings = ""): Promise<References> {
    const file = { path: "messagefoundry.toml", text: `[reference]\n${settings}` };
    return References.open({
      settings: loadSettings({ file, env: {} }).settings.reference,
      store: this.bench.store,
      clock: { now: () => this.bench.now / 1000, monotonic: () => this.bench.now / 1000 },
      logger: createLogger({
        level: "info",
        sinks: [{ write: (record) => this.log.push(renderRecord(record, "text")) }],
      }),
      isLeader: () => this.isLeader,
      definitions: () => this.definitions,
      publish: (snapshot) => this.published.push(snapshot),
    });
  }

  prepare(references: References): Promise<void> {
    return references.prepare(this.definitions, (snapshot) => this.published.push(snapshot));
  }

  /** What author code was given since the last look, `"set rows"`. */
  taken(): string[] {
    return this.published.splice(0).map(({ name, entries }) => `${name} ${entries}`);
  }
}

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
