import assert from "node:assert/strict";
import { EdgeStatistics } from "../../src/pipeline/statistics.ts";

const NOON_MS = Date.UTC(2026, 0, 2, 12);

Deno.test("recentDone() counts the deliveries of the last sixty seconds", () => {
  const edge = new EdgeStatistics("IB", "OB");
  for (let second = 0; second < 90; second += 1) edge.delivered(NOON_MS + second * 1_000, 0.1);
  assert.equal(edge.recentDone(NOON_MS + 89_000), 60);
  assert.equal(edge.recentDone(NOON_MS + 119_000), 30);
  assert.equal(edge.recentDone(NOON_MS + 200_000), 0);
});

Deno.test("recentDone() counts no more than a minute after the clock has stepped back", () => {
  const edge = new EdgeStatistics("IB", "OB");
  edge.delivered(NOON_MS, 0.1);
  const back = NOON_MS - 3_600_000;
  for (let minute = 0; minute < 5; minute += 1) edge.delivered(back + minute * 120_000, 0.1);
  assert.equal(edge.recentDone(back + 4 * 120_000), 1);
  assert.equal(edge.written, 6);
});
