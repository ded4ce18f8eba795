import assert from "node:assert/strict";
import fc from "fast-check";
import { loopback } from "../../src/connectors/loopback/mod.ts";
import type { PipelineOptions } from "../../src/pipeline/pipeline.ts";
import { readCorrelation } from "../../src/pipeline/correlation.ts";
import { FakeConnector } from "./fake_connectors.ts";
import { FakeDatabase } from "./fake_database.ts";
import { graphOf, inboundDefinition, outboundDefinition } from "./fake_graph.ts";
import type { Author } from "./fake_runner.ts";
import { PipelineBench } from "./pipeline_bench.ts";
import { Random } from "./random.ts";
import { VirtualTime } from "./virtual_time.ts";

/** IB_A goes to OB_A, whose answers go to IB_LOOP, and what comes in there to OB_B. */
const author: Author = ({ inbound, text, routeOnly }) => ({
  handlers: ["h"],
  outcomes: routeOnly ? [] : [{
    handler: "h",
    state: [],
    sends: inbound === "IB_LOOP"
      ? [{ to: "OB_B", payload: undefined }]
      : [{ to: "OB_A", payload: undefined }, ...(text.endsWith("+") ? [own(text)] : [])],
  }],
});

function own(text: string) {
  return { to: "IB_LOOP", payload: `own ${text}` };
}

const weather = fc.record({
  seed: fc.nat(),
  messages: fc.integer({ min: 1, max: 40 }),
  /** Rows a lane may hold in memory. */
  roomFor: fc.constantFrom(2, 5, 1_000),
  storeFails: fc.constantFrom(0, 0.05, 0.2),
  partnersFail: fc.constantFrom(0, 0.1),
  commitMs: fc.constantFrom(0, 7, 40),
  restarts: fc.nat(3),
});

// Goal: each answer that was kept becomes one message, in the order of the answers, and a message
// is not over before its answer is in (I22, I23, I25).
// Method: a store that fails commits and single intents, and stops in order, in virtual time.
Deno.test("whatever the store does, each answer comes in once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(weather, async (one) => {
      const { messages, roomFor, storeFails, partnersFail, commitMs, restarts } = one;
      const random = new Random(one.seed);
      const database = new FakeDatabase();
      const time = new VirtualTime();
      const told: string[] = [];
      let isStorm = false;
      const open = () =>
        openLoop({
          database,
          time,
          budgetBytes: roomFor * 600,
          store: {
            commitMs: () => commitMs,
            batchFails: () => isStorm && random.chance(storeFails),
            intentFails: () => isStorm && random.chance(storeFails / 4),
          },
          partner: (lane) => ({ text }) => {
            if (isStorm && random.chance(partnersFail)) {
              return Promise.resolve({ accepted: false, code: "AE", permanent: false });
            }
            if (lane === "OB_B") told.push(text);
            return Promise.resolve({ accepted: true, reply: `re ${text}` });
          },
        });
      let bench = await open();
      const texts = Array.from(
        { length: messages },
        (_, index) => `m${index}${index % 3 === 0 ? "+" : ""}`,
      );
      const perLife = Math.ceil(messages / (restarts + 1));
      for (let at = 0; at < messages; at += perLife) {
        isStorm = true;
        for (const text of texts.slice(at, at + perLife)) await accepted(bench, text);
        // Whatever else a stop must survive, `simulation_test.ts` tells.
        isStorm = false;
        if (at + perLife >= messages) break;
        await bench.until(bench.pipeline.stop());
        assert.deepEqual(
          database.open().filter(({ status }) => status === "inflight"),
          [],
          "a stop gives back what it holds",
        );
        bench = await open();
      }
      const isOver = () => bench.pipeline.openRows === 0 && database.open().length === 0;
      assert.ok(await time.run(isOver, 20 * 60_000), `${database.open().length} rows stay open`);

      const childrenOf = new Map<number, string[]>();
      const inbound = [...database.messages.values()].filter(({ channel }) => channel === "IB_A");
      const seqOf = new Map(inbound.map(({ id, seq }) => [id, seq]));
      const loop = [...database.messages.values()].filter(({ channel }) => channel === "IB_LOOP");
      for (const { raw, metadata, status } of loop) {
        const { id, depth } = readCorrelation(metadata)!;
        assert.equal(depth, 1);
        assert.equal(status, "processed");
        const seq = seqOf.get(id)!;
        childrenOf.set(seq, [...childrenOf.get(seq) ?? [], raw]);
      }
      for (const { seq, raw, status } of inbound) {
        assert.equal(status, "processed");
        const wanted = [`re ${raw}`, ...(raw.endsWith("+") ? [`own ${raw}`] : [])];
        assert.deepEqual(childrenOf.get(seq)?.toSorted(), wanted.toSorted());
        assert.equal(database.responses.filter(({ messageSeq }) => messageSeq === seq).length, 1);
      }
      const answers = loop.map(({ raw }) => raw).filter((raw) => raw.startsWith("re"));
      assert.deepEqual(answers, database.responses.flatMap(({ body }) => body ?? []));
      const firsts = [...new Set(told)];
      assert.deepEqual(firsts, loop.map(({ raw }) => raw), "the ward hears them in their order");
      await bench[Symbol.asyncDispose]();
    }),
    { numRuns: 60 },
  );
});

Deno.test("an answer without a body, and one that nobody takes in, make no message", async () => {
  const database = new FakeDatabase();
  await using bench = await openLoop({
    database,
    time: new VirtualTime(),
    partner: (lane) => ({ text }) =>
      Promise.resolve({
        accepted: true,
        ...(lane === "OB_A" && text === "a" ? { reply: "" } : {}),
      }),
  });
  await accepted(bench, "a");
  await accepted(bench, "b");
  await bench.time.run(() => bench.pipeline.openRows === 0, 60_000);
  assert.deepEqual(database.responses.map(({ outcome, body }) => [outcome, body]), [
    ["no_reply", undefined],
    ["no_reply", undefined],
  ]);
  assert.equal(database.messages.size, 2);
});

interface LoopOptions {
  readonly database: FakeDatabase;
  readonly time: VirtualTime;
  readonly budgetBytes?: number;
  readonly store?: Parameters<typeof PipelineBench.open>[0] extends infer O | undefined
    ? O extends { store?: infer S } ? S : never
    : never;
  readonly partner: (lane: string) => ReturnType<ScriptOf>;
}
type ScriptOf = (
  name: string,
) => ConstructorParameters<typeof FakeConnector>[0] extends (name: string) => infer S ? S : never;

async function openLoop(options: LoopOptions): Promise<PipelineBench> {
  const inbounds = [
    inboundDefinition("IB_A", { contentType: "text" }),
    inboundDefinition("IB_LOOP", { type: "loopback", contentType: "text" }),
  ];
  const capture = { captureResponse: true, reingressTo: "IB_LOOP" };
  const outbounds = [outboundDefinition("OB_A", capture), outboundDefinition("OB_B")];
  const connector = new FakeConnector(options.partner);
  const pipeline: Partial<PipelineOptions> = {
    graph: graphOf(inbounds, outbounds, ["h"]),
    connectors: new Map<string, FakeConnector | typeof loopback>([
      ["fake", connector],
      ["loopback", loopback],
    ]),
  };
  const bench = await PipelineBench.open({
    ...options,
    runner: { author },
    pipeline,
  });
  sources.set(bench, connector);
  return bench;
}

const sources = new WeakMap<PipelineBench, FakeConnector>();

/** A sender that sends again until its message is stored. */
async function accepted(bench: PipelineBench, text: string): Promise<void> {
  const source = sources.get(bench)!.sources.get("IB_A")!;
  for (;;) {
    const answer = await bench.until(source.feed(text)!);
    if (answer.stored) return;
  }
}
