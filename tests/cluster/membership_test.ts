import assert from "node:assert/strict";
import fc from "fast-check";
import { liveLeader, type NodeRow } from "../../src/cluster/membership.ts";

const NODE_TIMEOUT_MS = 30_000;

const rows: fc.Arbitrary<readonly NodeRow[]> = fc.uniqueArray(
  fc.record({
    nodeId: fc.stringMatching(/^[a-e]$/),
    host: fc.constant("host"),
    pid: fc.nat(9),
    status: fc.constantFrom("active", "left"),
    isLeader: fc.boolean(),
    epoch: fc.nat(3),
    startedAt: fc.constant(0),
    lastSeen: fc.nat(3),
    silentMs: fc.constantFrom(0, NODE_TIMEOUT_MS, NODE_TIMEOUT_MS + 1, 1e9),
  }) as fc.Arbitrary<NodeRow>,
  { selector: ({ nodeId }) => nodeId },
);

// Goal: I68 for whatever the table of nodes may hold: one leader at most, none that is silent or left,
// and of two that say they lead the one of the later term.
Deno.test("liveLeader() names one node at most, and none that is silent, has left or was followed", () => {
  let named = 0;
  fc.assert(
    fc.property(rows, (nodes) => {
      const leader = liveLeader(nodes, NODE_TIMEOUT_MS);
      const alive = nodes.filter(({ isLeader, status, silentMs }) =>
        isLeader && status === "active" && silentMs <= NODE_TIMEOUT_MS
      );
      if (leader === undefined) return assert.deepEqual(alive, []);
      named += 1;
      assert.ok(alive.includes(leader));
      assert.equal(leader.epoch, Math.max(...alive.map(({ epoch }) => epoch)));
    }),
    { endOnFailure: true },
  );
  assert.ok(named > 10, `only ${named} runs named one`);
});
