import assert from "node:assert/strict";
import { DatabaseClock } from "../../src/cluster/database_clock.ts";

/** A node that started at 0 and takes itself to be in the year 2001, and its database at 5,000,000. */
class Bench {
  atMs = 0;
  ownWallMs = 1e12;
  databaseMs = 5_000_000;
  readonly clock = new DatabaseClock({
    now: () => this.ownWallMs + this.atMs,
    monotonic: () => this.atMs,
  });

  pass(ms: number): void {
    this.atMs += ms;
    this.databaseMs += ms;
  }

  /** Asks; the database reads its clock after `thereMs`, and its answer takes `backMs`. */
  async hear({ thereMs, backMs }: { thereMs: number; backMs: number }): Promise<void> {
    await this.clock.hear(async () => {
      this.pass(thereMs);
      const { databaseMs } = this;
      this.pass(backMs);
      return { databaseMs };
    });
  }

  /** How far the clock is off. */
  get errorMs(): number {
    return this.clock.now() - this.databaseMs;
  }
}

Deno.test("DatabaseClock goes with the database, whatever this node's own clock is set to", async () => {
  const bench = new Bench();
  assert.equal(bench.clock.now(), 1e12);
  await bench.hear({ thereMs: 4, backMs: 4 });
  assert.equal(bench.errorMs, 0);
  bench.ownWallMs += 3_600_000;
  bench.pass(10_000);
  assert.equal(bench.errorMs, 0);
  assert.equal(bench.clock.monotonic(), bench.atMs);
  // The database's own clock is set, or this machine was suspended.
  bench.databaseMs += 90_000;
  await bench.hear({ thereMs: 4, backMs: 4 });
  assert.equal(bench.errorMs, -4);
});

Deno.test("DatabaseClock is off by half an answer's time at most, and slow answers make it no worse", async () => {
  const bench = new Bench();
  await bench.hear({ thereMs: 3_000, backMs: 0 });
  assert.equal(bench.errorMs, 1_500);
  await bench.hear({ thereMs: 10, backMs: 0 });
  assert.equal(bench.errorMs, 10);
  await bench.hear({ thereMs: 2_000, backMs: 2_000 });
  assert.equal(bench.errorMs, 10);
  await bench.hear({ thereMs: 0, backMs: 4_000 });
  assert.equal(bench.errorMs, 0);
});

Deno.test("DatabaseClock keeps what it knows when nobody answers", async () => {
  const bench = new Bench();
  await bench.hear({ thereMs: 1, backMs: 1 });
  const lost = new Error("away");
  await assert.rejects(bench.clock.hear(() => Promise.reject(lost)), lost);
  assert.equal(bench.errorMs, 0);
});
