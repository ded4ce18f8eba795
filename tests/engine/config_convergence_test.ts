import assert from "node:assert/strict";
import { ConfigConvergence } from "../../src/engine/config_convergence.ts";
import { silentLogger } from "../pipeline/silent_logger.ts";

/** A node that has loaded version 0, and the number that all nodes share. */
function openNode() {
  const shared = { version: 0, isAway: false, loads: 0, bumps: 0 };
  const node = new ConfigConvergence({
    logger: silentLogger,
    applied: 0,
    load: async () => void (shared.loads += 1),
    read: async () => shared.version,
    bump: async () => {
      if (shared.isAway) throw new Error("the database is away");
      shared.bumps += 1;
      return shared.version += 1;
    },
    fingerprint: () => "graph",
    leads: () => true,
    tell: async () => {},
  });
  const beat = async () => {
    node.heard(shared.version, "graph");
    // What a beat begins has ended by then: nothing here waits.
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { node, shared, beat };
}

// Goal: no node goes on with another graph because the database was away for a moment.
Deno.test("heard() tells of a reload that the others could not be told of, once", async () => {
  const { node, shared, beat } = openNode();
  shared.isAway = true;
  await node.announce();
  shared.isAway = false;
  await beat();
  assert.equal(shared.version, 1);
  await beat();
  assert.deepEqual([shared.bumps, shared.loads], [1, 0], "told once, and not loaded again here");
});

Deno.test("heard() tells of it after it has loaded what others told of meanwhile", async () => {
  const { node, shared, beat } = openNode();
  shared.isAway = true;
  await node.announce();
  shared.isAway = false;
  shared.version = 1;
  await beat();
  assert.deepEqual([shared.bumps, shared.loads], [0, 1]);
  await beat();
  await beat();
  assert.deepEqual([shared.bumps, shared.loads, shared.version], [1, 1, 2]);
});
