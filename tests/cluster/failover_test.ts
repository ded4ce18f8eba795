import assert from "node:assert/strict";
import { pause, until } from "../connectors/waiting.ts";
import { ClusterSite } from "./cluster_site.ts";
import { judgeLease, watchLease } from "./lease_history.ts";
import type { NodeProcess } from "./node_process.ts";
import { hasPostgres } from "../postgres/server.ts";
import { judge, Traffic } from "./traffic.ts";

// Goal: whatever befalls a node or the database, nothing acknowledged is lost and no lane is
// reordered; the failure matrix of spec pipeline-store-cluster §7.9 on real processes, short forms.
// Method: traffic flows all the time; the partner, the lease's own history and the rows testify.

interface Bench {
  readonly site: ClusterSite;
  readonly nodes: NodeProcess[];
  readonly traffic: Traffic;
}

/** Runs `fault` under traffic over `count` nodes, then holds everybody to account. */
async function underTraffic(
  { count = 2, duplicatesMax = 1 }: { count?: number; duplicatesMax?: number },
  fault: (bench: Bench) => Promise<void>,
): Promise<void> {
  await using site = await ClusterSite.open();
  const nodes = await site.spawnAll(count);
  await watchLease(site);
  const traffic = new Traffic(site);
  traffic.start();
  try {
    await traffic.acknowledges(30);
    await fault({ site, nodes, traffic });
    await traffic.acknowledges(30);
  } finally {
    await traffic.stop();
  }
  await site.drained();
  const verdict = judge(traffic, site.partner);
  assert.deepEqual(verdict.lost, [], "acknowledged and lost");
  assert.deepEqual(verdict.inversions, [], "out of order");
  assert.deepEqual(verdict.gapsInState, [], "state that was lost");
  const doubled = verdict.duplicates - verdict.duplicatesOfSender;
  assert.ok(doubled <= duplicatesMax, `${doubled} duplicates, at most ${duplicatesMax}`);
  const history = await judgeLease(site);
  assert.deepEqual(history.wrong, []);
  assert.ok(history.entries > 0);
}

if (hasPostgres()) {
  Deno.test("a leader that is stopped in order hands over, and leaves a tombstone", async () => {
    await underTraffic({ duplicatesMax: 0 }, async ({ site, traffic }) => {
      const first = await site.leader();
      await first.stop();
      const second = await site.leader();
      assert.notEqual(second, first);
      await traffic.acknowledges(10);
      const { json } = await second.get("/cluster/nodes");
      const rows = json.nodes as { node_id: string; status: string; is_leader: boolean }[];
      assert.deepEqual(rows.map(({ status }) => status).sort(), ["active", "left"]);
      assert.equal(rows.filter(({ is_leader }) => is_leader).length, 1);
      assert.ok(first.saw("cluster.left"));
    });
  });

  Deno.test("a leader that is killed is followed when its lease has ended", async () => {
    await underTraffic({ count: 3 }, async ({ site, traffic }) => {
      const first = await site.leader();
      await first.kill();
      assert.notEqual(await site.leader(), first);
      await traffic.acknowledges(10);
      assert.ok(traffic.longestGapMs < 15_000, `${traffic.longestGapMs} ms`);
    });
  });

  Deno.test("a leader that was frozen for longer than its lease acts no more", async () => {
    await underTraffic({}, async ({ site, traffic }) => {
      const first = await site.leader();
      first.signal("SIGSTOP");
      const second = await site.leader();
      assert.notEqual(second, first);
      await traffic.acknowledges(20);
      const delivered = site.partner.received.length;
      first.signal("SIGCONT");
      await until(() => first.saw("cluster.demoted"), "the demotion", 10_000);
      const ready = await first.readiness(2_000);
      assert.deepEqual(ready, { status: 503, role: "standby" });
      assert.ok(site.partner.received.length >= delivered);
      assert.equal((await second.readiness())?.status, 200);
    });
  });

  Deno.test("a leader that was frozen for less than its lease goes on or leads again", async () => {
    await underTraffic({}, async ({ site }) => {
      const first = await site.leader();
      first.signal("SIGSTOP");
      await pause(2_400);
      first.signal("SIGCONT");
      await site.leader();
    });
  });

  Deno.test("the database is killed and comes back", async () => {
    await underTraffic({ duplicatesMax: 2 }, async ({ site }) => {
      await site.server.down("SIGKILL");
      await site.server.up();
      await site.leader();
    });
  });

  Deno.test("the database is away for longer than the lease", async () => {
    await underTraffic({ duplicatesMax: 2 }, async ({ site }) => {
      const first = await site.leader();
      await site.server.down("SIGINT");
      await until(() => first.saw("cluster.demoted"), "the demotion", 15_000);
      await site.server.up();
      await site.leader();
    });
  });

  Deno.test("all sessions of the database are ended at once", async () => {
    await underTraffic({ duplicatesMax: 2 }, async ({ site, nodes }) => {
      await site.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
      );
      await pause(1_000);
      assert.ok(nodes.every((node) => !node.saw("cluster.demoted")));
    });
  });

  Deno.test("statements that hang for longer than the lease cost no leadership", async () => {
    await underTraffic({}, async ({ site, nodes }) => {
      const leader = await site.leader();
      await site.query(`
        BEGIN; LOCK TABLE messages, queue IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5); COMMIT`);
      assert.equal((await leader.readiness())?.status, 200);
      assert.ok(nodes.every((node) => !node.saw("cluster.demoted")));
    });
  });
}
