import assert from "node:assert/strict";
import net from "node:net";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { pause, until } from "../connectors/waiting.ts";
import { openBundle } from "../graph/bench.ts";
import { admission } from "../walk/bench.ts";
import { inTurn } from "./cases.ts";
import { ClusterSite, type SiteOptions } from "./cluster_site.ts";
import type { NodeProcess } from "./node_process.ts";
import { hasPostgres } from "../postgres/server.ts";

// Goal: what is done on one node takes effect on the one that works; nodes come to run one graph.

if (hasPostgres()) {
  Deno.test("acts on a standby reach the leader in a second; a standby binds and writes nothing; a reload reaches all, once", async () => {
    await actAndReload({});
  });

  Deno.test("the same over SQL Server's stand-in, where nodes look by themselves", async () => {
    await actAndReload({ backend: "sqlserver" });
  });

  // Goal: nobody who waits costs the database much (I72).
  // Method: beats as often as a fast failover takes; all that SQL Server would be asked is counted.
  Deno.test("three idle nodes ask a SQL Server less than ten times a second", async () => {
    await using site = await ClusterSite.open({
      ...{ backend: "sqlserver", heartbeat: 1, fence: 4, ttl: 6, reclaim: 30 },
    });
    await site.spawnAll(3);
    const { heard } = site.database.tds!;
    // What comes with the promotion is not idle.
    await pause(3_000);
    const [before, at] = [heard.length, performance.now()];
    await pause(5_000);
    const perSecond = (heard.length - before) / ((performance.now() - at) / 1_000);
    assert.ok(perSecond < 10, `${perSecond} a second`);
    assert.ok(perSecond > 5, `${perSecond} a second: they beat and look`);
  });

  // Goal: I46, nothing of a destination that this node has not heard of yet is given up.
  // Method: the leader loads it and falls while the other node stands still.
  Deno.test("a node that leads before it knows of a new destination loads it first", async () => {
    await using site = await ClusterSite.open();
    const nodes = await site.spawnAll(2);
    const { leader, standby } = await rolesOf(site, nodes);
    standby.signal("SIGSTOP");
    await site.bundle.write("graph/pass.ts", site.graph.replaceAll("OB_LAB", "OB_NEW"));
    assert.equal((await leader.post("/config/reload", {})).status, 200);
    site.partner.otherwise = { do: "close" };
    using sender = await MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader));
    sender.send(admission("N1"));
    await sender.waitForReplies(1);
    await site.partner.waitForFrames(1);
    await leader.kill();
    site.partner.otherwise = { do: "ack" };
    standby.signal("SIGCONT");
    assert.equal(await site.leader(), standby);
    await site.drained();
    const rows = await site.query("SELECT status, lane FROM queue WHERE stage = 'outbound'");
    assert.deepEqual(rows, [{ status: "done", lane: "OB_NEW" }]);
  });

  Deno.test("a node whose bundle is broken never leads, and leads when it is mended", async () => {
    await using site = await ClusterSite.open();
    await using own = await openBundle({ "graph/pass.ts": `${site.graph}// Another one.\n` });
    const first = await site.spawn(1);
    assert.ok(await first.starts());
    await site.leader();
    const second = await site.spawn(2, { bundleDir: own.dir });
    assert.ok(await second.starts());
    await until(() => second.saw("cluster.graph_differs"), "word of another graph", 10_000);

    await own.write("graph/pass.ts", "this is no module");
    assert.equal((await first.post("/config/reload", {})).status, 200);
    await until(() => second.saw("cluster.config_failed"), "the failed load");
    await first.kill();
    await until(() => second.saw("cluster.promotion_failed"), "a failed promotion", 15_000);
    assert.equal((await second.readiness())?.status, 503);
    await assert.rejects(connect(site.inboundOf(second)));

    await own.write("graph/pass.ts", site.graph);
    assert.equal(await site.leader(), second);
    (await connect(site.inboundOf(second))).destroy();

    // One that is broken from the start does not even join.
    await own.write("graph/pass.ts", "this is no module");
    const third = await site.spawn(3, { bundleDir: own.dir });
    assert.equal(await third.starts(), false);
    assert.equal((await second.readiness())?.status, 200);
  });
}

/** One site for what changes nothing for the next: three nodes take longer to start than each takes. */
async function actAndReload(options: SiteOptions): Promise<void> {
  await using site = await ClusterSite.open(options);
  const nodes = await site.spawnAll(3);
  const roles = await rolesOf(site, nodes);
  await inTurn({
    replay: () => replayOnStandby(site, roles),
    quiet: () => watchStandby(site, roles),
    sweep: () => hideRow(site),
    reload: () => reloadEverywhere(site, { nodes, ...roles }),
  });
}

interface Roles {
  readonly leader: NodeProcess;
  readonly standby: NodeProcess;
}

/** I40: delivered within a second; what runs is the leader's, though. */
async function replayOnStandby(site: ClusterSite, { leader, standby }: Roles): Promise<void> {
  site.partner.script({ do: "ack", code: "AR" });
  using sender = await MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader));
  sender.send(admission("D1"));
  await sender.waitForReplies(1);
  await site.drained();
  const [dead] = await site.query("SELECT count(*)::integer AS n FROM queue WHERE status = 'dead'");
  assert.equal(dead!.n, 1);

  const { status, json } = await standby.post("/dead-letters/replay", {});
  assert.deepEqual([status, json], [200, { requeued: 1 }]);
  await site.partner.waitForFrames(2, 1_000);
  assert.deepEqual(site.partner.controlIds, ["D1", "D1"]);

  // Rows are everybody's, what runs is the leader's.
  assert.equal((await standby.post("/connections/OB_LAB/stop", {})).status, 409);
  assert.equal((await standby.post("/statistics/reset", { all: true })).status, 409);
  assert.equal((await leader.post("/connections/OB_LAB/stop", {})).status, 200);
  assert.equal((await leader.post("/connections/OB_LAB/start", {})).status, 200);
}

/** I63: no port, and nothing but beats. */
async function watchStandby(site: ClusterSite, { leader, standby }: Roles): Promise<void> {
  await assert.rejects(connect(site.inboundOf(standby)));
  (await connect(site.inboundOf(leader))).destroy();
  await pause(1_200);
  await site.query("SELECT pg_stat_reset()");
  await pause(2_000);
  const written = await site.query(`
    SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS n FROM pg_stat_user_tables
     WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY relname`);
  const tables = written.map(({ relname }) => relname);
  assert.deepEqual(tables.filter((name) => name !== "nodes" && name !== "leader_lease"), []);
  assert.ok(tables.length > 0, "nothing was counted");
  const { json } = await standby.get("/connections");
  assert.ok(JSON.stringify(json).includes("IB_ADT"), "it shows what it would run");
}

/** I66: a row that the leader was not told of, as a former one's that came late. */
async function hideRow(site: ClusterSite): Promise<void> {
  const before = site.partner.received.length;
  await site.query(
    "UPDATE queue SET status = 'pending', next_attempt_at = 0 WHERE stage = 'outbound'",
  );
  const leader = await site.leader();
  await until(() => leader.saw("cluster.reclaimed"), "the sweep", 10_000);
  await site.partner.waitForFrames(before + 1);
  await site.drained();
}

/** I59: loaded on one node, then on every other, once. */
async function reloadEverywhere(
  site: ClusterSite,
  { nodes, leader, standby }: Roles & { readonly nodes: readonly NodeProcess[] },
): Promise<void> {
  await site.bundle.write("graph/pass.ts", site.graph.replace('"count."', '"again."'));
  assert.equal((await standby.post("/config/reload", {})).status, 200);
  const others = nodes.filter((node) => node !== standby);
  await until(
    () => others.every((node) => node.saw("cluster.config_converged")),
    "the graph on every node",
  );
  const before = site.partner.received.length;
  using sender = await MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader));
  sender.send(admission("R1"));
  await site.partner.waitForFrames(before + 1);
  assert.match(site.partner.received.at(-1)!.text, /\|again\.2\|/);
  await pause(1_200);
  for (const node of nodes) {
    assert.equal((await node.get("/cluster/status")).json.config_version, 1);
    const times = node.count("cluster.config_converged");
    assert.equal(times, node === standby ? 0 : 1, node.name);
    assert.ok(!node.saw("cluster.graph_differs"), node.name);
  }
}

async function rolesOf(site: ClusterSite, nodes: readonly NodeProcess[]): Promise<Roles> {
  const leader = await site.leader();
  return { leader, standby: nodes.find((node) => node !== leader)! };
}

function connect({ host, port }: { host: string; port: number }): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}
