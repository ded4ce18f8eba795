// Goal: kill -9 at any point loses nothing, and doubles no more than one row a lane.
// Method: the short form of `deno task proof:crash`; a failure names the seed that repeats it.
import assert from "node:assert/strict";
import { hasTool } from "../connectors/foreign_tool.ts";
import { runCommitFailure } from "./commit_failure.ts";
import { inbounds } from "./expectation.ts";
import type { Ending } from "./plan.ts";
import { failpoints, planRound } from "./plan.ts";
import { runPoison } from "./poison.ts";
import { runRound } from "./round.ts";

/** The places where a blow would hurt most, once each. */
const places = [
  ["store.before_commit.receive", "intake.after_reply", "store.after_commit.hand_off"],
  ["delivery.after_send", "store.before_commit.complete", "routing.before_publish"],
];

for (const [round, names] of places.entries()) {
  Deno.test(`an engine under load survives ${names.join(", ")} and chance`, async () => {
    const seed = crypto.randomUUID().slice(0, 8);
    const struck = names.map((name): Ending => ({ by: "failpoint", name, hit: 5, stop: false }));
    const endings = [...struck, ...planRound(seed, { endings: 2, turn: round }).endings.slice(1)];
    const load = { outages: [], inbounds, window: 8, pauseMs: 10, paddingMax: 500 };
    const result = await runRound({ seed, endings, synchronous: "full", ...load });
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    for (const { ending, reached } of result.lives.slice(0, names.length)) {
      assert.ok(reached, `${JSON.stringify(ending)} was not reached, seed ${seed}`);
    }
    assert.equal(result.lives.at(-1)?.ending, "drained");
    assert.ok(result.answered > 20, `${result.answered} answers, seed ${seed}`);
  });
}

Deno.test("a message that ends the process is given up, and its neighbours are delivered", async () => {
  const seed = crypto.randomUUID().slice(0, 8);
  const { crashes, violations } = await runPoison(seed);
  assert.deepEqual(violations, [], `seed ${seed}`);
  assert.equal(crashes, 5);
});

const canTrace = await hasTool("strace", ["-o", "/dev/null", "true"]);

Deno.test({
  name: "while every commit fails nobody is acknowledged, and afterwards all goes on",
  ignore: !canTrace,
  async fn() {
    const seed = crypto.randomUUID().slice(0, 8);
    const { refused, acknowledged, violations } = await runCommitFailure(seed);
    assert.deepEqual(violations, [], `seed ${seed}`);
    assert.equal(refused, 24);
    assert.equal(acknowledged, 48);
  },
});

Deno.test("the same seed draws the same plan, and the walk visits every failpoint", () => {
  const draw = () => planRound("seed", { endings: 8, turn: 3 });
  assert.deepEqual(draw(), draw());
  assert.notDeepEqual(draw(), planRound("other", { endings: 8, turn: 3 }));
  const turns = Math.ceil(failpoints.length / 4);
  const visited = new Set(
    Array.from({ length: turns }, (_, turn) => planRound("seed", { endings: 8, turn }).endings)
      .flat().flatMap((ending) => ending.by === "failpoint" ? [ending.name] : []),
  );
  for (const { name } of failpoints) assert.ok(visited.has(name), name);
});
