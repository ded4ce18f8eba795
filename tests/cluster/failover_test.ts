import assert from "node:assert/strict";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { pause, until } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";
import { inTurn } from "./cases.ts";
import type { NodeProcess } from "./node_process.ts";
import { judge } from "./traffic.ts";
import { type Bench, demotionsOf, underTraffic } from "./under_traffic.ts";

// Goal: whatever befalls a node or the database, nothing acknowledged is lost and no lane is
// reordered; the failure matrix of spec pipeline-store-cluster §7.9 on real processes, short forms.
// Method: traffic flows all the time; the partner, the lease's own history and the rows testify.

if (hasPostgres()) {
  Deno.test("leaders that are stopped, killed, frozen and woken lose nothing, reorder nothing, act no more", async () => {
    await underTraffic({ count: 3, duplicatesMax: 3 }, (bench) =>
      inTurn({
        stopped: () => stopInOrder(bench),
        killed: () => kill(bench),
        frozenForLong: () => freezeForLong(bench),
        frozenForAMoment: () => freezeForAMoment(bench),
      }));
  });

  Deno.test("over SQL Server's stand-in, leaders that are stopped, killed, frozen and cut off lose nothing", async () => {
    const site = { backend: "sqlserver", hasProxies: true } as const;
    await underTraffic({ count: 3, duplicatesMax: 20, ...site }, (bench) =>
      inTurn({
        stopped: () => stopInOrder(bench),
        killed: () => kill(bench),
        frozenForLong: () => freezeForLong(bench),
        cutOff: async () => {
          const leader = await bench.site.leader();
          await cutOffLeader(bench, { leader });
        },
      }));
  });

  Deno.test("over SQL Server's stand-in, a database that ends sessions, hangs, is full and is killed loses nothing", async () => {
    await underTraffic(
      { count: 2, duplicatesMax: 14, backend: "sqlserver" },
      (bench) => inTurn(ofTheDatabase(bench)),
    );
  });

  Deno.test("a node cut off from the database: a standby waits, a leader is followed", async () => {
    await underTraffic({ count: 2, duplicatesMax: 2, hasProxies: true }, async (bench) => {
      const first = await bench.site.leader();
      const second = bench.site.living.find((node) => node !== first)!;
      await inTurn({
        standby: () => cutOffStandby(bench, { leader: first, standby: second }),
        leader: () => cutOffLeader(bench, { leader: first, standby: second }),
      });
    });
  });

  Deno.test("a database that ends sessions, hangs, is full, is killed, errs about time and stays away loses nothing", async () => {
    await underTraffic({ count: 2, duplicatesMax: 14 }, (bench) =>
      inTurn({
        ...ofTheDatabase(bench),
        away: () => takeDatabaseAway(bench),
      }));
  });
}

/** What befalls a database that comes back before a lease is over. */
function ofTheDatabase(bench: Bench) {
  return {
    endedSessions: () => endSessions(bench),
    fullPool: () => fillPool(bench),
    fullDisk: () => fillDisk(bench),
    killed: () => killDatabase(bench),
    wrongTime: () => endLeaseEarly(bench),
  };
}

/** Hands over at once, doubles nothing, and leaves a tombstone. */
async function stopInOrder({ site, traffic }: Bench): Promise<void> {
  const first = await site.leader();
  await first.stop();
  const second = await site.leader();
  assert.notEqual(second, first);
  await traffic.acknowledges(10);
  const { duplicates, duplicatesOfSender } = judge(traffic, site.partner);
  assert.equal(duplicates - duplicatesOfSender, 0);
  const { json } = await second.get("/cluster/nodes");
  const rows = json.nodes as { node_id: string; status: string; is_leader: boolean }[];
  assert.deepEqual(rows.map(({ status }) => status).sort(), ["active", "active", "left"]);
  assert.equal(rows.filter(({ is_leader }) => is_leader).length, 1);
  assert.ok(first.saw("cluster.left"));
}

/** The next one leads when the lease has ended. */
async function kill({ site, traffic }: Bench): Promise<void> {
  const first = await site.leader();
  await first.kill();
  assert.notEqual(await site.leader(), first);
  await traffic.acknowledges(10);
  assert.ok(traffic.longestGapMs < 15_000, `${traffic.longestGapMs} ms`);
  await site.refill(2);
}

/** For longer than its lease: it wakes to find that it is no leader, and acts no more. */
async function freezeForLong({ site, traffic }: Bench): Promise<void> {
  const first = await site.leader();
  first.signal("SIGSTOP");
  const second = await site.leader();
  assert.notEqual(second, first);
  await traffic.acknowledges(20);
  first.signal("SIGCONT");
  await until(() => first.saw("cluster.demoted"), "the demotion", 10_000);
  assert.deepEqual(await first.readiness(2_000), { status: 503, role: "standby" });
  assert.equal((await second.readiness(2_000))?.status, 200);
}

/** For less than its fence, then for less than its lease: it goes on, or leads again. */
async function freezeForAMoment({ site }: Bench): Promise<void> {
  const first = await site.leader();
  const before = demotionsOf(site);
  first.signal("SIGSTOP");
  await pause(700);
  first.signal("SIGCONT");
  await pause(300);
  assert.equal(demotionsOf(site), before, "shorter than the fence");
  first.signal("SIGSTOP");
  await pause(2_300);
  first.signal("SIGCONT");
  await site.leader();
}

interface Roles {
  readonly leader: NodeProcess;
  readonly standby: NodeProcess;
}

/** Meanwhile the leader's partner is away too, which costs no leadership either. */
async function cutOffStandby({ site, traffic }: Bench, { standby }: Roles): Promise<void> {
  await site.lineOf(standby).hold("to_database", "to_node");
  site.partner.otherwise = { do: "close" };
  await pause(site.ttlMs + 300);
  site.partner.otherwise = { do: "ack" };
  await site.lineOf(standby).release();
  await traffic.acknowledges(20);
  assert.equal(demotionsOf(site), 0);
  assert.equal((await standby.readiness(2_000))?.status, 503);
}

/** It stops before its lease ends, the other follows, and the first comes back as a standby. */
async function cutOffLeader(
  { site, traffic }: Bench,
  { leader, standby }: { readonly leader: NodeProcess; readonly standby?: NodeProcess },
): Promise<void> {
  await site.lineOf(leader).hold("to_database", "to_node");
  await until(() => leader.saw("cluster.demoted"), "the fence", 10_000);
  await assert.rejects(MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader)));
  const next = await site.leader();
  assert.ok(standby === undefined ? next !== leader : next === standby);
  await traffic.acknowledges(20);
  await site.lineOf(leader).release();
  await until(() => leader.saw("cluster.lease_reached"), "the database", 10_000);
  assert.equal((await leader.readiness(2_000))?.status, 503);
}

async function endSessions({ site, traffic }: Bench): Promise<void> {
  await site.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
  );
  await traffic.acknowledges(20);
  assert.equal(demotionsOf(site), 0);
}

/** Statements hang for longer than the lease, over all connections but the cluster's own. */
async function fillPool({ site }: Bench): Promise<void> {
  const leader = await site.leader();
  const locked = site.query(
    "BEGIN; LOCK TABLE messages, queue IN ACCESS EXCLUSIVE MODE; " +
      `SELECT pg_sleep(${site.ttlMs / 1_000 + 0.5}); COMMIT`,
  );
  await pause(200);
  const asked: Promise<number>[] = [];
  const ask = async () =>
    (await leader.get("/messages", 20_000).catch(() => undefined))?.status ?? 0;
  let hanging = 0;
  const deadline = performance.now() + site.ttlMs;
  // All that its pool reads with, and the writer.
  while (hanging < 3 && performance.now() < deadline) {
    asked.push(ask());
    await pause(50);
    const [row] = await site.query(`
      SELECT count(*)::integer AS n FROM pg_stat_activity
       WHERE wait_event_type = 'Lock' AND application_name = 'messagefoundry'`);
    hanging = Number(row!.n);
  }
  assert.ok(hanging >= 3, `${hanging} statements hang`);
  await locked;
  assert.equal((await leader.readiness(2_000))?.status, 200);
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([200]));
  assert.equal(demotionsOf(site), 0);
}

/** Nobody is acknowledged, nothing is given up, and it goes on by itself. */
async function fillDisk({ site, traffic }: Bench): Promise<void> {
  const refused = traffic.refusals;
  await site.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON queue
       FOR EACH STATEMENT EXECUTE FUNCTION refuse()`);
  // What was committed a moment before is answered still; one message is under way at a time.
  await until(() => traffic.refusals > refused, "a refusal");
  const before = traffic.acknowledged.length;
  await pause(1_000);
  assert.equal(traffic.acknowledged.length, before);
  await site.query("DROP TRIGGER full_disk ON queue");
  await traffic.acknowledges(20);
  const [dead] = await site.query(
    "SELECT count(*)::integer AS n FROM queue WHERE status = 'dead'",
  );
  assert.equal(dead!.n, 0);
  assert.equal(demotionsOf(site), 0);
}

async function killDatabase({ site, traffic }: Bench): Promise<void> {
  await site.server.down("SIGKILL");
  await site.server.up();
  await site.leader();
  await traffic.acknowledges(20);
}

/** Whatever the leader renews has ended already, as after a step of the database's clock. */
async function endLeaseEarly({ site, traffic }: Bench): Promise<void> {
  const first = await site.leader();
  const count = (event: string) => site.living.reduce((sum, node) => sum + node.count(event), 0);
  const [acquisitions, promotions] = [count("cluster.acquired"), count("cluster.promoted")];
  const demotions = first.count("cluster.demoted");
  await site.query(`
    CREATE FUNCTION ended() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.leader_epoch = OLD.leader_epoch AND NEW.lease_expires_at > 0 THEN
          NEW.lease_expires_at := 1;
        END IF;
        RETURN NEW;
      END $$;
    CREATE TRIGGER a_step BEFORE UPDATE ON leader_lease FOR EACH ROW EXECUTE FUNCTION ended()`);
  // Whoever asks first has it, and the one that led asks as well.
  // What it has may end before it leads.
  await until(() => count("cluster.acquired") > acquisitions, "the next to have it", 30_000);
  await pause(1_000);
  await site.query("DROP TRIGGER a_step ON leader_lease");
  await until(() => first.count("cluster.demoted") > demotions, "the demotion", 30_000);
  await until(() => count("cluster.promoted") > promotions, "a new term", 30_000);
  await site.leader();
  await traffic.acknowledges(20);
}

/** For longer than the lease: the leader stops by itself. */
async function takeDatabaseAway({ site }: Bench): Promise<void> {
  const first = await site.leader();
  const before = first.count("cluster.demoted");
  await site.server.down("SIGINT");
  await until(() => first.count("cluster.demoted") > before, "the demotion", 15_000);
  await site.server.up();
  await site.leader();
}
