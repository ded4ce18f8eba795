import assert from "node:assert/strict";
import { pause, until } from "../connectors/waiting.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
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
  { count = 2, duplicatesMax = 1, hasProxies }: {
    count?: number;
    duplicatesMax?: number;
    hasProxies?: boolean;
  },
  fault: (bench: Bench) => Promise<void>,
): Promise<void> {
  await using site = await ClusterSite.open({ hasProxies });
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
    await underTraffic({}, async ({ site, nodes }) => {
      const first = await site.leader();
      first.signal("SIGSTOP");
      await pause(700);
      first.signal("SIGCONT");
      await pause(300);
      assert.ok(nodes.every((node) => !node.saw("cluster.demoted")), "shorter than the fence");
      first.signal("SIGSTOP");
      await pause(2_300);
      first.signal("SIGCONT");
      await site.leader();
    });
  });

  Deno.test("a node cut off from the database: a standby waits, a leader is followed", async () => {
    // The partner refuses for a while, which makes copies of one message.
    await underTraffic(
      { duplicatesMax: 20, hasProxies: true },
      async ({ site, nodes, traffic }) => {
        const first = await site.leader();
        const second = nodes.find((node) => node !== first)!;
        site.proxyOf(second).hold("to_database", "to_node");
        site.partner.otherwise = { do: "close" };
        await pause(site.ttlMs + 300);
        site.partner.otherwise = { do: "ack" };
        site.proxyOf(second).release();
        await traffic.acknowledges(20);
        assert.ok(nodes.every((node) => !node.saw("cluster.demoted")));
        assert.equal((await second.readiness())?.status, 503);

        site.proxyOf(first).hold("to_database", "to_node");
        await until(() => first.saw("cluster.demoted"), "the fence", 10_000);
        await assert.rejects(MllpSender.connect(site.inboundOf(first).port, site.inboundOf(first)));
        assert.equal(await site.leader(), second);
        await traffic.acknowledges(20);
        site.proxyOf(first).release();
        await until(() => first.saw("cluster.lease_reached"), "the database", 10_000);
        assert.equal((await first.readiness(2_000))?.status, 503);
      },
    );
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

  Deno.test("a pool full of statements that hang costs no leadership", async () => {
    await underTraffic({}, async ({ site, nodes }) => {
      const leader = await site.leader();
      const locked = site.query(
        "BEGIN; LOCK TABLE messages, queue IN ACCESS EXCLUSIVE MODE; " +
          `SELECT pg_sleep(${site.ttlMs / 1_000 + 0.5}); COMMIT`,
      );
      await pause(200);
      const asked = Array.from({ length: 12 }, () => leader.get("/messages", 20_000));
      await pause(site.ttlMs - 500);
      const [hanging] = await site.query(`
        SELECT count(*)::integer AS n FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND application_name = 'messagefoundry'`);
      // All that its pool reads with, and the writer.
      assert.ok(Number(hanging!.n) >= 3, `${hanging!.n} statements hang`);
      await locked;
      assert.equal((await leader.readiness())?.status, 200);
      for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
      assert.ok(nodes.every((node) => !node.saw("cluster.demoted")));
    });
  });

  Deno.test("while the database's disk is full nobody is acknowledged, and nothing is given up", async () => {
    await underTraffic({}, async ({ site, nodes, traffic }) => {
      await site.query(`
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON queue
           FOR EACH STATEMENT EXECUTE FUNCTION refuse()`);
      const before = traffic.acknowledged.length;
      await pause(1_000);
      assert.equal(traffic.acknowledged.length, before);
      await site.query("DROP TRIGGER full_disk ON queue");
      await traffic.acknowledges(20);
      const [dead] = await site.query(
        "SELECT count(*)::integer AS n FROM queue WHERE status = 'dead'",
      );
      assert.equal(dead!.n, 0);
      assert.ok(nodes.every((node) => !node.saw("cluster.demoted")));
    });
  });

  Deno.test("a lease that seems to have ended early, by the database's clock, has one owner a row", async () => {
    await underTraffic({ duplicatesMax: 10 }, async ({ site, nodes }) => {
      const first = await site.leader();
      // Whatever the leader renews has ended already, as after a step of that clock.
      await site.query(`
        CREATE FUNCTION ended() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            IF NEW.leader_epoch = OLD.leader_epoch THEN NEW.lease_expires_at := 1; END IF;
            RETURN NEW;
          END $$;
        CREATE TRIGGER a_step BEFORE UPDATE ON leader_lease
           FOR EACH ROW EXECUTE FUNCTION ended()`);
      const others = nodes.filter((node) => node !== first);
      await until(() => others.some((node) => node.saw("cluster.promoted")), "another", 10_000);
      await pause(1_000);
      await site.query("DROP TRIGGER a_step ON leader_lease");
      await until(() => first.saw("cluster.demoted"), "the demotion", 10_000);
      await site.leader();
    });
  });
}
