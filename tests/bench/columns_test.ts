import assert from "node:assert/strict";
import { arrivalLog, loadArrivals, loadSent, sentColumns, sentLog } from "../../bench/columns.ts";

Deno.test("a saved log loads with every row, also after it grew", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const log = sentLog();
    const rows = 70_000; // more than the log begins with
    for (let row = 0; row < rows; row++) {
      assert.equal(log.add(), row);
      log.set(row, sentColumns.source, row % 7);
      log.set(row, sentColumns.sentAt, row + 0.25);
    }
    await log.save(`${directory}/sent`);
    const loaded = await loadSent(`${directory}/sent`);

    assert.equal(loaded.length, rows);
    assert.equal(loaded.source[69_999], 69_999 % 7);
    assert.equal(loaded.sentAt[69_999], 69_999.25);
    assert.equal(loaded.ackAt.reduce((sum, at) => sum + at, 0), 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a log of another kind, or one that was cut short, is refused", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/arrivals`;
  try {
    const log = arrivalLog();
    log.add();
    await log.save(path);
    await assert.rejects(loadSent(path), /other columns/);

    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.subarray(0, bytes.length - 1));
    await assert.rejects(loadArrivals(path), /cut short/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
