import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { StoreError } from "../../../src/store/errors.ts";
import type { ToReader } from "../../../src/store/sqlite/protocol.ts";
import { ReaderQueries } from "../../../src/store/sqlite/reader_queries.ts";

/** The questions of one message to the reading thread. */
const idsOf = (message: ToReader) =>
  message.type === "queries" ? message.queries.map(({ id }) => id) : [];

const answerTo = (id: number) => ({ id, columns: ["n"], cells: JSON.stringify([[id]]) });

// Goal: many reads that come back together never hold the thread that answers partners for long.
Deno.test("ReaderQueries sends a turn's questions together and lets askers go on a few a turn", async () => {
  const sent: ToReader[] = [];
  const queries = new ReaderQueries((message) => sent.push(message));
  const told: number[] = [];
  const asked = Array.from({ length: 7 }, async () => {
    const [row] = await queries.ask("outbox", []);
    told.push(Number(row!.n));
  });
  await Promise.resolve();
  assert.equal(sent.length, 1);
  const ids = idsOf(sent[0]!);
  assert.equal(ids.length, 7);
  queries.answered(ids.slice(0, 5).map(answerTo));
  queries.answered(ids.slice(5).map(answerTo));
  const steps: number[] = [];
  while (told.length < 7) {
    await setImmediate();
    steps.push(told.length);
    assert.ok(steps.length < 20);
  }
  await Promise.all(asked);
  assert.deepEqual(told, ids);
  const strides = steps.map((told, step) => told - (steps[step - 1] ?? 0));
  assert.ok(strides.slice(1).every((stride) => stride <= 2), `strides ${strides}`);
});

Deno.test("ReaderQueries fails whoever was not told when the thread is gone", async () => {
  const sent: ToReader[] = [];
  const queries = new ReaderQueries((message) => sent.push(message));
  const asked = Array.from({ length: 5 }, () => queries.ask("outbox", []));
  await Promise.resolve();
  queries.answered(idsOf(sent[0]!).map(answerTo));
  queries.failAll(new StoreError("store.failed", "Cannot use the store: its reader ended"));
  const settled = await Promise.allSettled(asked);
  assert.deepEqual(settled.map(({ status }) => status), [
    ...["fulfilled", "fulfilled", "rejected", "rejected", "rejected"],
  ]);
  await setImmediate();
});
