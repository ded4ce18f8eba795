// Goal: a page is read once a turn, by whoever asks first; what failed, what is long and what is too
// much is not kept.
import assert from "node:assert/strict";
import { SharedReads } from "../../../src/store/sqlite/shared_reads.ts";

class Tables {
  reads = 0;
  readonly shared = new SharedReads();

  ask(turn: number | undefined, key: string, rows = 1) {
    return this.shared.rows(turn, key, () => {
      this.reads += 1;
      return Promise.resolve(Array.from({ length: rows }, () => ({ read: this.reads })));
    });
  }
}

Deno.test("what was read in a turn is read once, and anew in the next", async () => {
  const tables = new Tables();
  const [one, other] = await Promise.all([tables.ask(1, "a"), tables.ask(1, "a")]);
  assert.equal(one, other);
  await tables.ask(1, "b");
  assert.equal(tables.reads, 2);
  await tables.ask(2, "a");
  assert.equal(tables.reads, 3);
  await tables.ask(undefined, "a");
  await tables.ask(undefined, "a");
  assert.equal(tables.reads, 5, "nothing is shared while reads are not");
  await tables.ask(2, "a");
  assert.equal(tables.reads, 6, "nor kept for later");
});

Deno.test("long answers are not kept, nor more than some", async () => {
  const tables = new Tables();
  await tables.ask(1, "long", 501);
  await tables.ask(1, "long", 501);
  assert.equal(tables.reads, 2);
  for (let key = 0; key < 300; key += 1) await tables.ask(1, `${key}`);
  const { reads } = tables;
  await tables.ask(1, "0");
  assert.equal(tables.reads, reads);
  await tables.ask(1, "299");
  assert.equal(tables.reads, reads + 1);
});

Deno.test("a read that fails fails whoever shared it, and is tried again", async () => {
  const shared = new SharedReads();
  const broken = () => Promise.reject(new Error("busy"));
  const both = [shared.rows(1, "a", broken), shared.rows(1, "a", broken)];
  for (const one of both) await assert.rejects(one, { message: "busy" });
  assert.deepEqual(await shared.rows(1, "a", () => Promise.resolve([])), []);
});
