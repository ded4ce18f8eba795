import assert from "node:assert/strict";
import { connectors } from "../../src/connectors/mod.ts";
import { nullLogger } from "../../src/logging/mod.ts";
import { LiveGraph } from "../../src/pipeline/live_graph.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { openBundle } from "../graph/bench.ts";
import { request } from "../sandbox/bench.ts";

const graph = `
  import { file, handler, inbound, mllp, outbound, router, send, state } from "messagefoundry";
  const out = outbound("OUT", file({ directory: "./out" }));
  const tell = handler("h", () => send(out, JSON.stringify(["a", "b", "c"].map((key) => state("n", key)))));
  inbound("IB", mllp({ port: 2575 }), { router: router("r", () => tell) });
`;

// Goal: handlers see of deleted state what the store holds, also when an entry is written anew
// while the old one is being deleted: whichever of the two answers comes first.
Deno.test("LiveGraph.purgeState() forgets what was deleted, and nothing written meanwhile", async () => {
  await using bundle = await openBundle({ "graph/walk.ts": graph });
  const entry = (key: string, value: string) => ({ namespace: "n", key, value });
  using live = await LiveGraph.load({
    settings: loadSettings({ env: {} }).settings,
    environment: "dev",
    env: {},
    connectors,
    logger: nullLogger,
    allowInsecureBind: false,
    admit: undefined,
  }, { bundleDir: bundle.dir, state: [entry("a", "1"), entry("b", "2"), entry("c", "3")] });
  const seen = async () => {
    const [result] = await live.runner.run([request({ inbound: "IB", router: "r" })]);
    return result?.outcomes[0]?.sends[0]?.payload ?? result?.error;
  };
  assert.equal(await seen(), "[1,2,3]");
  await live.purgeState(async () => {
    live.runner.commitState("IB", [entry("b", "20")]);
    return await Promise.resolve([entry("a", ""), entry("b", "")]);
  });
  assert.equal(await seen(), "[null,20,3]");
  await assert.rejects(live.purgeState(() => Promise.reject(new Error("away"))), /away/);
  live.runner.commitState("IB", [entry("a", "10")]);
  await live.purgeState(async () => await Promise.resolve([entry("b", ""), entry("c", "")]));
  assert.equal(await seen(), "[10,null,null]");
});
