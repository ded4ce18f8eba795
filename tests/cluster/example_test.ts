import assert from "node:assert/strict";
import { parse } from "@std/toml";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { blocksOf, root } from "../docs/pages.ts";
import { hasPostgres } from "../postgres/server.ts";
import { admission } from "../walk/bench.ts";
import { ClusterSite } from "./cluster_site.ts";

/** The example of the specification, B-cluster.txt, with its comments. */
const example = `
# messagefoundry.toml – identical on every node (the DB password comes from MEFOR_STORE_PASSWORD)
[store]
backend = "postgres" # or "sqlserver"
server = "db.internal"
database = "messagefoundry"
username = "mefor"
pool_size = 5 # >= 2

[cluster]
enabled = true
# node_id is auto-derived (host:pid:hex, reusing the store's lease owner-id) – pin it only for a
# stable identity across restarts or in tests.
heartbeat_seconds = 10.0
node_timeout_seconds = 30.0 # a node is "dead" when last_seen is older than this
# How often the leader runs the RECURRING background expired-lease reclaim sweep.
reclaim_interval_seconds = 30.0
# Leadership lease (active-passive self-fencing). Timing invariant enforced at load:
# heartbeat_seconds < leader_fence_timeout_seconds < leader_lease_ttl_seconds
leader_lease_ttl_seconds = 30.0 # a standby acquires leadership only once the lease has expired
leader_fence_timeout_seconds = 20.0 # a leader that can't renew within this self-fences
`;

Deno.test("the page's settings are those of the example", async () => {
  const path = "docs/operating/cluster.md";
  const text = await Deno.readTextFile(root + path);
  const block = blocksOf({ path, text }).find(({ language }) => language === "toml");
  assert.deepEqual(parse(block!.text), parse(example));
});

if (hasPostgres()) {
  // Goal: the example runs as it is written; only the way to the database is another one here.
  Deno.test("three nodes run on the example's settings, and one follows the other", async () => {
    await using site = await ClusterSite.open({
      nodeSettings: (port) =>
        example.replace('"db.internal"', `"127.0.0.1"\nport = ${port}\nencrypt = false`),
    });
    await site.query("CREATE ROLE mefor LOGIN");
    await site.query("CREATE DATABASE messagefoundry OWNER mefor");
    const nodes = await site.spawnAll(3);
    const first = await site.leader();
    await deliver(site, "E1");
    const { json } = await first.get("/cluster/nodes");
    assert.equal((json.nodes as unknown[]).length, 3);
    for (const node of nodes) {
      const { json: status } = await node.get("/cluster/status");
      assert.equal(status.role, node === first ? "primary" : "standby");
      assert.match(String(status.node_id), /:\d+:[0-9a-f]+$/);
    }
    // Long before a lease of 30 seconds could end.
    await first.stop();
    assert.notEqual(await site.leader(10_000), first);
    await deliver(site, "E2");
    assert.deepEqual(site.partner.controlIds, ["E1", "E2"]);
  });
}

async function deliver(site: ClusterSite, controlId: string): Promise<void> {
  const { host, port } = site.inboundOf(await site.leader());
  const before = site.partner.received.length;
  using sender = await MllpSender.connect(port, { host });
  sender.send(admission(controlId));
  assert.match((await sender.waitForReplies(1))[0]!, /MSA\|AA/);
  await site.partner.waitForFrames(before + 1);
}
