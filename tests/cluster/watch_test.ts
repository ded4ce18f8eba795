// Goal: what other nodes would say is found by looking, soon, and no more often than it has to be.
import assert from "node:assert/strict";
import { Connection, type Row } from "../../src/cluster/server/connection.ts";
import { LOOK_MS, Watch } from "../../src/cluster/sqlserver/watch.ts";
import { pause, until } from "../connectors/waiting.ts";

const quiet = { config_version: 1, is_free: 0, epoch: 4, has_acts: 0 };

class Bench implements AsyncDisposable {
  row: Row = quiet;
  looks = 0;
  isDown = false;
  readonly heard: string[] = [];
  readonly connection = new Connection({
    timeoutMs: 5_000,
    driver: { open: () => Promise.resolve(this.#line), refusalOf: () => undefined },
  });
  readonly watch = new Watch({
    connection: this.connection,
    text: "look",
    news: {
      leaseReleased: () => void this.heard.push("released"),
      configMoved: () => void this.heard.push("config"),
      actNoted: () => void this.heard.push("act"),
    },
  });

  get #line() {
    return {
      ask: async (text: string) => {
        assert.equal(text, "look");
        this.looks += 1;
        if (this.isDown) throw new Error("gone");
        return [this.row];
      },
      drop: () => {},
      end: () => Promise.resolve(),
    };
  }

  /** As a beat does, over the same connection. */
  beat(parts: Partial<typeof quiet> = {}): void {
    this.row = { ...quiet, ...parts };
    this.watch.shown(this.row);
  }

  async looked(): Promise<void> {
    const before = this.looks;
    await until(() => this.looks > before, "a look", 4 * LOOK_MS);
    await pause(5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch[Symbol.asyncDispose]();
    await this.connection[Symbol.asyncDispose]();
  }
}

async function openBench(): Promise<Bench> {
  const bench = new Bench();
  await bench.connection.use(() => Promise.resolve());
  bench.beat();
  return bench;
}

Deno.test("a look tells of what has changed, and of acts for as long as they are there", async () => {
  await using bench = await openBench();
  await bench.looked();
  assert.deepEqual(bench.heard, []);
  bench.row = { ...quiet, config_version: 2, has_acts: 1 };
  await bench.looked();
  assert.deepEqual(bench.heard.splice(0), ["config", "act"]);
  await bench.looked();
  assert.deepEqual(bench.heard.splice(0), ["act"]);
  bench.row = { ...quiet, config_version: 2 };
  await bench.looked();
  assert.deepEqual(bench.heard, []);
});

Deno.test("a lease that was given back is told once, by a look or a beat, and again when it is anew", async () => {
  await using bench = await openBench();
  bench.row = { ...quiet, is_free: 1 };
  await bench.looked();
  assert.deepEqual(bench.heard.splice(0), ["released"]);
  await bench.looked();
  bench.beat({ is_free: 1 });
  assert.deepEqual(bench.heard, []);
  bench.beat({ is_free: 1, epoch: 5 });
  assert.deepEqual(bench.heard.splice(0), ["released"]);
  // Its own answer tells of these.
  bench.beat({ config_version: 9, has_acts: 1 });
  assert.deepEqual(bench.heard, []);
});

Deno.test("beats put looks off, a failed look is repeated, none is made without a connection", async () => {
  await using bench = await openBench();
  for (let beats = 0; beats < 6; beats += 1) {
    await pause(LOOK_MS / 4);
    bench.beat();
  }
  assert.equal(bench.looks, 0);
  bench.isDown = true;
  await bench.looked();
  assert.equal(bench.connection.isOpen, false);
  const before = bench.looks;
  await pause(2 * LOOK_MS + 100);
  assert.equal(bench.looks, before);
  bench.isDown = false;
  await bench.connection.use(() => Promise.resolve());
  bench.row = { ...quiet, has_acts: 1 };
  await bench.looked();
  assert.deepEqual(bench.heard, ["act"]);
});

Deno.test("nothing is looked at after its end", async () => {
  const bench = await openBench();
  await bench[Symbol.asyncDispose]();
  bench.beat();
  await pause(LOOK_MS + 100);
  assert.equal(bench.looks, 0);
});
