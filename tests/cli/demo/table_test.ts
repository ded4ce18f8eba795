import assert from "node:assert/strict";
import { figuresOf } from "../../../src/cli/demo/engine_view.ts";
import { Latencies, Rates } from "../../../src/cli/demo/figures.ts";
import { progressLine, tableLines } from "../../../src/cli/demo/table.ts";

const source = (channel_id: string, read: number) => ({
  role: "source" as const,
  channel_id,
  destination: null,
  read,
  written: null,
  errored: 1,
  queue_depth: null,
});
const edge = (channel_id: string, destination: string, written: number, queue_depth: number) => ({
  role: "destination" as const,
  channel_id,
  destination,
  read: null,
  written,
  errored: 0,
  queue_depth,
});

Deno.test("figuresOf() sums the edges of an outbound and of an inbound", () => {
  const figures = figuresOf([
    source("IB_A", 10),
    source("IB_B", 4),
    edge("IB_A", "OB", 7, 2),
    edge("IB_B", "OB", 3, 0),
    edge("IB_A", "FILE", 9, 0),
  ]);
  assert.deepEqual(
    figures.map(({ name, received, routed, delivered, queued, errors }) => [
      name,
      received,
      routed,
      delivered,
      queued,
      errors,
    ]),
    [
      ["IB_A", 10, 18, 0, 0, 1],
      ["IB_B", 4, 3, 0, 0, 1],
      ["FILE", 0, 0, 9, 0, 0],
      ["OB", 0, 0, 10, 2, 0],
    ],
  );
});

Deno.test("Rates counts over the last seconds, Latencies over the newest thousand", () => {
  const rates = new Rates();
  assert.equal(rates.perSecond("a", 0, 0), 0);
  for (let second = 1; second <= 10; second++) rates.perSecond("a", second * 100, second * 1000);
  for (let second = 11; second <= 20; second++) rates.perSecond("a", 1000, second * 1000);
  assert.equal(rates.perSecond("a", 1000, 20_000), 0, "what was long ago does not count");

  const latencies = new Latencies();
  assert.deepEqual(latencies.of("a"), { p50Ms: undefined, p95Ms: undefined });
  for (let n = 0; n < 5_000; n++) latencies.add("a", 1_000_000);
  for (let n = 0; n < 1_000; n++) latencies.add("a", n);
  assert.deepEqual(latencies.of("a"), { p50Ms: 500, p95Ms: 950 });
});

Deno.test("tableLines() and progressLine() show what the counters say", () => {
  const [inbound, outbound] = figuresOf([source("IB_A", 10), edge("IB_A", "OB", 7, 2)]).map((
    row,
  ) => ({
    ...row,
    perSecond: 1.25,
    p50Ms: 3.14159,
    p95Ms: undefined,
  }));
  const progress = {
    sent: 5,
    messages: 10,
    elapsedMs: 2_500,
    rows: [inbound!, outbound!],
    notes: ["it rains"],
  };
  const lines = tableLines(progress);
  assert.match(lines[0]!, /^ {2}\[#{15}\.{15}\] 5 of 10 sent {2}2\.5 s$/);
  assert.match(lines[3]!, /IB_A +10 +9 +1 +1\.3 +3\.1 +-$/);
  assert.match(lines[4]!, /OB +7 +2 +0 +1\.3 +3\.1 +-$/);
  assert.equal(lines.at(-1), "  it rains");
  assert.match(
    progressLine(progress),
    /received 10 {2}routed 9 {2}delivered 7 {2}queued 2 {2}errors 1$/,
  );
});
