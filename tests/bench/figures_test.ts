import assert from "node:assert/strict";
import { figuresOf, type Measurement, type Reading } from "../../bench/figures.ts";
import { selectProfiles } from "../../bench/profiles.ts";
import { medianRun } from "../../bench/median.ts";
import { json, ratio, type Report, table } from "../../bench/report.ts";
import type { RunResult } from "../../bench/run.ts";

const [profile] = selectProfiles(["lanes-8"]);

function reading(values: { cpu: number; commits?: number }): Reading {
  const { cpu, commits } = values;
  return {
    usage: { cpuSeconds: cpu, memoryMb: 60, peakMemoryMb: 80 },
    at: cpu * 1000,
    harnessCpuSeconds: 0,
    machineCpu: { busySeconds: cpu + 1, stolenSeconds: 0 },
    totals: commits === undefined ? undefined : {
      commits,
      statements: commits * 4,
      fsyncs: commits,
    },
  };
}

/** Two warm-up messages, then four measured ones sent at 1,000 to 1,300 ms. */
function measurement(changes: Partial<Measurement> = {}): Measurement {
  const sentAt = Float64Array.of(1, 2, 1000, 1100, 1200, 1300);
  return {
    sent: {
      length: 6,
      source: new Float64Array(6),
      sequence: Float64Array.of(0, 1, 2, 3, 4, 5),
      sentAt,
      ackAt: sentAt.map((at) => at + 5),
      ack: new Float64Array(6).fill(1),
    },
    arrivedAt: Float64Array.of(900, 900, 1010, 1120, 2500, 3000),
    firstRow: 2,
    endRow: 6,
    startedAt: 1000,
    sendingEndedAt: 2000,
    idleFrom: undefined,
    before: reading({ cpu: 10, commits: 100 }),
    atEndOfSending: reading({ cpu: 10.5, commits: 104 }),
    after: reading({ cpu: 10.8, commits: 108 }),
    ...changes,
  };
}

function result(changes: Partial<RunResult>): RunResult {
  return {
    profile: profile!,
    kind: "reference",
    synchronous: "full",
    isOnServer: false,
    isEncrypted: false,
    ...changes,
  };
}

function reportOf(...runs: RunResult[]): Report {
  const syncTime = { p50Us: 100, p99Us: 300, fullP50Us: 120, fullP99Us: 400 };
  return {
    machine: "a machine",
    startedAt: "2026-01-01T00:00:00Z",
    syncTime,
    runs,
    sandbox: [],
    starts: [],
    reloads: [],
    apiReads: [],
  };
}

Deno.test("figuresOf() leaves the warm-up out of every figure", () => {
  const figures = figuresOf(measurement());

  assert.equal(figures.messages, 4);
  assert.equal(figures.deliveredPerSecond, 2, "two of four arrived while sending lasted");
  assert.equal(figures.sustainedPerSecond, 2, "four in the two seconds to the last arrival");
  assert.equal(figures.backlogAtEnd, 2);
  assert.deepEqual(figures.ack, { p50Ms: 5, p99Ms: 5 });
  assert.deepEqual(figures.endToEnd, { p50Ms: 20, p99Ms: 1700 });
});

Deno.test("figuresOf() charges the drain to the messages that needed it", () => {
  const figures = figuresOf(measurement());

  assert.equal(Math.round(figures.cpuSecondsPerThousand), 200);
  assert.equal(figures.commitsPerMessage, 2);
  assert.equal(figures.statementsPerMessage, 8);
  assert.equal(figures.cpuLoad, 0.5);
});

Deno.test("figuresOf() invents no counts for a target that does not count", () => {
  const figures = figuresOf(measurement({ after: reading({ cpu: 11 }) }));

  assert.equal(figures.commitsPerMessage, undefined);
  assert.equal(figures.fsyncsPerMessage, undefined);
});

Deno.test("figuresOf() counts what an idle target does only where it was watched", () => {
  // The clock of these readings runs with the processor: 2 s before, 6 commits before.
  const idleFrom = reading({ cpu: 8, commits: 94 });

  assert.equal(figuresOf(measurement({ idleFrom })).idleStatementsPerSecond, 12);
  assert.equal(figuresOf(measurement({ idleFrom })).idleMemoryMb, 60);
  assert.equal(figuresOf(measurement()).idleStatementsPerSecond, undefined);
  assert.equal(figuresOf(measurement()).idleMemoryMb, undefined);
});

Deno.test("table() shows no rate but the reason for a run that does not reconcile", () => {
  const text = table(reportOf(result({ reason: "3 lost" })));
  const [, , row, reason] = text.split("\n");

  assert.match(row!, /^lanes-8 +reference +2000 +fifo +8 +1 +full +clear +100\/300( +-)+$/);
  assert.equal(reason, "lanes-8 reference: 3 lost");
});

Deno.test("table() shows the engine's share of the reference in the same run", () => {
  const figures = figuresOf(measurement());
  const reference = result({ figures });
  const engine = result({ kind: "engine", figures: { ...figures, sustainedPerSecond: 1.3 } });

  assert.match(table(reportOf(reference, engine)), /engine .* 65 % /);
  assert.doesNotMatch(table(reportOf(engine)), /\d %/);
  assert.equal(ratio(reportOf(reference, result({ kind: "engine" })), "lanes-8"), undefined);
  assert.deepEqual(JSON.parse(json(reportOf(reference, engine))).ratios, { "lanes-8": 0.65 });
});

Deno.test("medianRun() takes the middle run, and any run that lost messages before it", () => {
  const figures = figuresOf(measurement());
  const runs = [300, 100, 200].map((sustainedPerSecond) =>
    result({ figures: { ...figures, sustainedPerSecond } })
  );
  const lossy = result({ reason: "1 lost" });

  assert.equal(medianRun(runs).figures?.sustainedPerSecond, 200);
  assert.equal(medianRun([...runs, lossy]), lossy);
});

Deno.test("table() lists the sandbox below the runs, with the reason where it failed", () => {
  const batch = { handler: "typical", messageBytes: 2_000 } as const;
  const lines = table({
    ...reportOf(),
    sandbox: [
      { ...batch, batch: 8, messages: 800, wallUsPerMessage: 50.25, cpuUsPerMessage: 61 },
      { ...batch, batch: 64, reason: "3 messages without the wanted result" },
    ],
  }).split("\n");

  assert.equal(lines.length, 5, "no table of runs without runs");
  assert.match(lines[2]!, /^typical +2000 +8 +50.3 +61.0$/);
  assert.match(lines[3]!, /^typical +2000 +64 +- +-$/);
  assert.equal(lines[4], "sandbox typical 64: 3 messages without the wanted result");
});
