import assert from "node:assert/strict";
import { pause, until } from "../connectors/waiting.ts";
import type { ServerBackend } from "../../src/store/open.ts";
import { BenchNode, leaderOf, settings } from "./cluster_bench.ts";
import { together } from "./cases.ts";
import { ClusterDatabase } from "./databases.ts";
import { type Direction, FaultProxy } from "./fault_proxy.ts";
import { hasPostgres } from "../postgres/server.ts";

const BEYOND_LEASE_MS = settings.leaderLeaseTtlMs + 300;
/** A beat that nobody waits for. */
const seldom = { heartbeatMs: 10_000, nodeTimeoutMs: 30_000, patience: 10 };
/** How soon a node hears what another says: PostgreSQL tells it, and what stands in for a SQL Server is asked. */
const HEARD_MS = { postgres: 400, sqlserver: 1_000 } as const;

type Start = () => Promise<ClusterDatabase>;

/** Over each kind of server. */
function test(name: string, act: (start: Start, backend: ServerBackend) => Promise<void>): void {
  for (const backend of ["postgres", "sqlserver"] as const) {
    Deno.test({
      name: backend === "postgres" ? name : `${name}, over SQL Server's stand-in`,
      ignore: !isHere,
      fn: () => act(() => ClusterDatabase.start(backend), backend),
    });
  }
}

const isHere = hasPostgres();

test("of three nodes started at once one leads, and a clean stop hands over within a second", async (start) => {
  await using server = await start();
  const nodes = await Promise.all(["a", "b", "c"].map((name) => BenchNode.join(server, name)));
  const first = await leaderOf(nodes);
  const rest = nodes.filter((node) => node !== first);
  assert.deepEqual(rest.map(({ cluster }) => cluster.status.role), ["standby", "standby"]);

  const stoppedAt = performance.now();
  await first[Symbol.asyncDispose]();
  const second = await leaderOf(rest);
  const gapMs = performance.now() - stoppedAt;
  assert.ok(gapMs < 1_000, `${gapMs} ms`);
  assert.deepEqual(first.acts, ["lead 1", "rest"]);
  assert.deepEqual(second.acts, ["lead 2"]);

  await until(() => second.cluster.status.isLeader, "the view of the new leader");
  await leaderIn(second);
  const { nodes: rows, lease } = await second.cluster.nodes();
  assert.deepEqual(rows.map(({ nodeId }) => nodeId), ["a", "b", "c"]);
  const left = rows.find(({ nodeId }) => nodeId === first.cluster.nodeId)!;
  assert.deepEqual([left.status, left.isLeader], ["left", false]);
  assert.equal(lease.owner, second.cluster.nodeId);
  assert.equal(lease.epoch, 2);
  for (const node of rest) await node[Symbol.asyncDispose]();
});

test("a node that cannot do its duties leaves them to another, and can lead later", async (start) => {
  await using server = await start();
  await using broken = await BenchNode.join(server, "broken");
  broken.failing = new Error("no graph");
  await until(() => broken.saw("cluster.promotion_failed"), "a failed promotion");
  await using good = await BenchNode.join(server, "good");
  await leaderOf([good, broken]);
  assert.ok(good.cluster.isServing);
  broken.failing = undefined;
  await good[Symbol.asyncDispose]();
  await leaderOf([broken], 20_000);
});

test("ended sessions, a restart, a hung table, late answers, a set clock and a second of the name cost no leadership", async (start) => {
  await together({
    endedConnectionsAndARestart: () => endedConnectionsAndARestart(start),
    secondOfTheName: () => secondOfTheName(start),
    lockedNodes: () => lockedNodes(start),
    slowDatabase: () => slowDatabase(start),
    clockSteps: () => clockSteps(start),
  });
});

test("a leader cut off from the database stops first, then another leads, never both", async (start) => {
  await together({
    lostDatabase: () => lostDatabase(start),
    toDatabase: () => cutOff(start, ["to_database"]),
    toNode: () => cutOff(start, ["to_node"]),
    bothWays: () => cutOff(start, ["to_database", "to_node"]),
  });
});

test(
  "word that a standby leaves reaches the leader within a second, once",
  async (start, backend) => {
    await using server = await start();
    await using one = await BenchNode.join(server, "a", seldom);
    await using other = await BenchNode.join(server, "b", seldom);
    const leader = await leaderOf([one, other]);
    const standby = leader === one ? other : one;
    await standby.cluster.noteAct("first");
    await standby.cluster.noteAct("second");
    await until(() => leader.heard.length === 2, "word of the standby", HEARD_MS[backend]);
    assert.deepEqual(leader.heard, ["first", "second"]);
    await pause(1_200);
    assert.deepEqual([leader.heard.length, standby.heard.length], [2, 0]);
  },
);

test("a new configuration is known to every node at once", async (start, backend) => {
  await using server = await start();
  await using one = await BenchNode.join(server, "a", seldom);
  await using other = await BenchNode.join(server, "b", seldom);
  await pause(100);
  assert.equal(await one.cluster.bumpConfig(), 1);
  await until(() => other.configVersion === 1, "the configuration's number", HEARD_MS[backend]);
});

test(
  "a lease that is given back is taken at once, however seldom nodes beat",
  async (start, backend) => {
    await using server = await start();
    const one = await BenchNode.join(server, "a", seldom);
    await leaderOf([one]);
    await using other = await BenchNode.join(server, "b", seldom);
    await one[Symbol.asyncDispose]();
    await leaderOf([other], HEARD_MS[backend]);
    assert.deepEqual(other.acts, ["lead 2"]);
  },
);

/** The table of nodes names the leader one beat later. */
async function leaderIn({ cluster }: BenchNode): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await cluster.nodes()).leaderNodeId === cluster.nodeId) return;
    await pause(20);
  }
  throw new Error("The nodes do not name their leader");
}

/** Holds back what passes between the leader and its database, one way or both. */
async function cutOff(start: Start, way: readonly Direction[]): Promise<void> {
  await using server = await start();
  await using proxy = await FaultProxy.start(server.port);
  await using cut = await BenchNode.join(server, "cut", { port: proxy.port });
  await leaderOf([cut]);
  await using other = await BenchNode.join(server, "other");
  let both = 0;
  const looking = setInterval(() => {
    if (cut.cluster.isLeader && other.cluster.isLeader) both += 1;
  }, 1);
  proxy.hold(...way);
  const cutAt = performance.now();
  await until(() => !cut.cluster.isLeader, "the fence", 5_000);
  const fencedMs = performance.now() - cutAt;
  assert.ok(fencedMs < settings.leaderLeaseTtlMs, `${fencedMs} ms after the cut, by ${way}`);
  await until(() => other.cluster.isServing, "the other node", 10_000);
  assert.ok(cut.acts.includes("rest"));
  proxy.release();
  await pause(1_000);
  clearInterval(looking);
  assert.equal(both, 0);
  assert.ok(other.cluster.isServing && !cut.cluster.isLeader);
  assert.deepEqual(other.acts, ["lead 2"]);
}

/** Its connections are ended, and then the server is. */
async function endedConnectionsAndARestart(start: Start): Promise<void> {
  await using server = await start();
  await using one = await BenchNode.join(server, "a", { patience: 4 });
  await using other = await BenchNode.join(server, "b", { patience: 4 });
  const leader = await leaderOf([one, other]);
  // A node has one session for the lease and one for its beats, which may come a moment later.
  const theirs = `backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  let sessions = 0;
  for (let tries = 0; sessions < 4 && tries < 250; tries += 1) {
    if (tries > 0) await pause(20);
    const [row] = await server.query(`SELECT count(*) AS n FROM pg_stat_activity WHERE ${theirs}`);
    sessions = Number(row!.n);
  }
  assert.ok(sessions >= 4, `${sessions} sessions`);
  await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${theirs}`);
  await pause(800);
  assert.deepEqual(leader.acts, ["lead 1"]);
  assert.ok(leader.cluster.isServing);

  await server.server.down("SIGKILL");
  await server.server.up();
  const restartedAt = Date.now();
  await pause(2_500);
  const { lease } = await leader.cluster.nodes();
  assert.equal(lease.epoch, 1);
  assert.ok(lease.expiresAt / 1_000 > restartedAt + 3_000, "renewed after the crash");
  assert.ok(leader.cluster.isServing);
  assert.deepEqual(leader.acts, ["lead 1"]);
  assert.deepEqual([...one.acts, ...other.acts], ["lead 1"]);
  assert.ok(!leader.saw("cluster.demoted"));
}

/** The second of two processes under one node ID never leads. */
async function secondOfTheName(start: Start): Promise<void> {
  await using server = await start();
  await using first = await BenchNode.join(server, "same");
  await leaderOf([first]);
  await using second = await BenchNode.join(server, "same");
  await pause(BEYOND_LEASE_MS);
  assert.deepEqual(second.acts, []);
  assert.ok(second.saw("cluster.node_id_in_use"));
  assert.ok(first.cluster.isServing);
  assert.equal((await first.cluster.nodes()).nodes.length, 1);
}

/** Beats hang, and the lease does not. */
async function lockedNodes(start: Start): Promise<void> {
  await using server = await start();
  await using node = await BenchNode.join(server, "a");
  await leaderOf([node]);
  await using admin = server.onlooker(60_000);
  await admin.run("BEGIN");
  await admin.run("LOCK TABLE nodes IN ACCESS EXCLUSIVE MODE");
  await pause(BEYOND_LEASE_MS);
  assert.ok(node.cluster.isServing);
  assert.deepEqual(node.acts, ["lead 1"]);
  await admin.run("ROLLBACK");
}

/** Answers come late, and in time. */
async function slowDatabase(start: Start): Promise<void> {
  await using server = await start();
  await using proxy = await FaultProxy.start(server.port);
  await using node = await BenchNode.join(server, "slow", { port: proxy.port });
  await leaderOf([node]);
  proxy.latencyMs = 200;
  await pause(BEYOND_LEASE_MS);
  assert.ok(node.cluster.isServing);
  assert.deepEqual(node.acts, ["lead 1"]);
}

/** A wall clock is set by an hour, forth and back. */
async function clockSteps(start: Start): Promise<void> {
  await using server = await start();
  let stepMs = 0;
  const clock = { now: () => Date.now() + stepMs, monotonic: () => performance.now() };
  await using node = await BenchNode.join(server, "stepping", { clock });
  await using other = await BenchNode.join(server, "other");
  const leader = await leaderOf([node, other]);
  for (stepMs of [3_600_000, -3_600_000, 0]) {
    await pause(settings.heartbeatMs * 1.6);
    assert.ok(leader.cluster.isServing);
  }
  assert.deepEqual(leader.acts, ["lead 1"]);
}

/** The server is gone for longer than the lease. */
async function lostDatabase(start: Start): Promise<void> {
  await using server = await start();
  await using node = await BenchNode.join(server, "a");
  await leaderOf([node]);
  await server.server.down("SIGINT");
  const stoppedAt = performance.now();
  await until(() => node.acts.includes("rest"), "the end of leading", 10_000);
  const tookMs = performance.now() - stoppedAt;
  assert.ok(tookMs > 1_000 && tookMs < settings.leaderLeaseTtlMs, `${tookMs} ms`);
  assert.ok(!node.cluster.isLeader);
  await server.server.up();
  await leaderOf([node]);
  // Nobody took the lease: it is the same one.
  assert.deepEqual(node.acts, ["lead 1", "rest", "lead 1"]);
}
