/** What two openings of one store may do to each other's rows, as a leader and one that was (I62). */
import assert from "node:assert/strict";
import { heldOf, StoreBench } from "../../contract/store/bench.ts";
import { test } from "../../maintenance/one_server.ts";
import { openStore, postgresBackend } from "./bench.ts";

// Goal: a node that wakes behind its successor gives back what it held, and nothing else: a row that
// it put back would be sent again, with an attempt of its own taken away.
test("a node that gives a lane back leaves alone what another holds of it", async (server) => {
  const options = server.options();
  const shared = { isShared: true, now: () => 1_000_000 };
  await using former = await openStore(options, shared);
  await using bench = await StoreBench.open({
    ...postgresBackend(server),
    open: (now) => openStore(options, { ...shared, now }),
    remove: () => Promise.resolve(),
  });
  await bench.queued(["OB_A"]);
  await bench.receive();
  const routing = await bench.receive();
  const sent = await bench.take("outbound", "OB_A");
  for (const [stage, lane] of [["outbound", "OB_A"], ["ingress", "IB_ADT"]] as const) {
    const { open } = await former.submit({ kind: "resync", stage, lane, at: 2 });
    assert.equal(open, stage === "outbound" ? 1 : 2);
  }
  assert.deepEqual((await bench.look(sent.id)).rows, ["outbound OB_A inflight 1"]);
  assert.equal((await bench.complete(sent, "OB_A")).mine, true);
  assert.equal((await bench.handOff(routing, { handlers: 0 })).mine, true);

  // Its own it does give back.
  const { id } = await bench.queued(["OB_B"]);
  const claim = { stage: "outbound", lane: "OB_B", limit: 1, readAhead: 0, after: 0 } as const;
  const { rows: [row] } = await former.submit({
    ...{ kind: "claim", ...claim, token: former.nextToken(), unordered: false, at: bench.now },
    attemptsMax: undefined,
  });
  await former.submit({ kind: "resync", stage: "outbound", lane: "OB_B", at: 2 });
  assert.deepEqual((await bench.look(id)).rows, ["outbound OB_B pending 0"]);
  assert.equal((await bench.complete(heldOf(row!), "OB_B")).mine, false);
});
