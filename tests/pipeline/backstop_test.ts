/**
 * A wake-up that is lost costs at most the time between two looks of the backstop (I71).
 *
 * Method: a scenario over hot, spilled, unordered, slow and failing lanes is run once to count its
 * wake-ups, then once for each of them without that one; no delivery may be later than that.
 */
import assert from "node:assert/strict";
import { BACKSTOP_MS, nudgeLanes } from "../../src/pipeline/backstop.ts";
import type { Author } from "./fake_runner.ts";
import { graphOf, inboundDefinition, outboundDefinition } from "./fake_graph.ts";
import { loseWakes } from "./lost_wakes.ts";
import { PipelineBench } from "./pipeline_bench.ts";

const TEXTS = ["a", "b", "c", "d", "e"];
const LANES = ["OB_A", "OB_ANY", "OB_FAILS"];
/** What a delivery takes at most beside: commits, the sandbox, the partner, its one retry. */
const SLACK_MS = 1_000;

/** Every message goes everywhere. */
const everywhere: Author = ({ routeOnly }) => ({
  handlers: ["h"],
  outcomes: routeOnly
    ? []
    : [{ handler: "h", sends: LANES.map((to) => ({ to, payload: undefined })), state: [] }],
  tookMs: 90,
});

interface Ran {
  readonly wakes: number;
  /** Milliseconds from the first message to the last delivery of all. */
  readonly tookMs: number;
}

/** Runs the scenario without its wake-up number `lost`. */
async function run(lost: number | undefined, roomFor: number): Promise<Ran> {
  let wakes = 0;
  using _lossy = loseWakes(() => ++wakes === lost);
  const failed = new Set<string>();
  await using bench = await PipelineBench.open({
    runner: { author: everywhere, batchMs: () => 90 },
    store: { commitMs: () => 2 },
    budgetBytes: roomFor,
    partner: (lane) => ({ text }) => {
      const isFirst = lane === "OB_FAILS" && !failed.has(text);
      if (isFirst) failed.add(text);
      return Promise.resolve(
        isFirst ? { accepted: false, code: "AE", permanent: false } : { accepted: true },
      );
    },
    pipeline: {
      graph: graphOf(
        [inboundDefinition("IB_A")],
        LANES.map((name) =>
          outboundDefinition(name, { ordering: name === "OB_ANY" ? "unordered" : "fifo" })
        ),
        ["h"],
      ),
    },
  });
  const { time, pipeline, database } = bench;
  const watch = () => {
    time.schedule(BACKSTOP_MS, () => {
      nudgeLanes(pipeline);
      watch();
    });
  };
  watch();
  const startedAt = time.now;
  for (const text of TEXTS) {
    await bench.feed("IB_A", text);
    await time.pass(40);
  }
  const isDone = () => database.open().length === 0 && pipeline.openRows === 0;
  assert.ok(await time.run(isDone, 60_000), `wake-up ${lost}: ${bench.open.join()}`);
  // Whoever fails once is sent once more.
  assert.equal(bench.sent.length, TEXTS.length * (LANES.length + 1), `wake-up ${lost}`);
  return { wakes, tookMs: time.now - startedAt };
}

for (const [what, roomFor] of [["hold", 1_000_000], ["do not hold", 600]] as const) {
  Deno.test(`a lost wake-up costs a moment, of lanes that ${what} their rows in memory`, async () => {
    const whole = await run(undefined, roomFor);
    assert.ok(whole.wakes > 20, `${whole.wakes} wake-ups`);
    let mattered = 0;
    for (let lost = 1; lost <= whole.wakes; lost += 1) {
      const { tookMs } = await run(lost, roomFor);
      assert.ok(tookMs <= whole.tookMs + BACKSTOP_MS + SLACK_MS, `wake-up ${lost}: ${tookMs} ms`);
      if (tookMs > whole.tookMs + SLACK_MS) mattered += 1;
    }
    assert.ok(mattered > 0, "none of them mattered: this tells nothing");
  });
}
