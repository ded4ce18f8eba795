/**
 * Partitions of a real network, as a program at its hub: `--network NAME CASE`. Ends with 0 when the
 * case holds; what does not is said on standard error.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MllpSender } from "../../connectors/mllp_sender.ts";
import { pause, until } from "../../connectors/waiting.ts";
import { type Cases, inTurn } from "../cases.ts";
import type { ClusterSite } from "../cluster_site.ts";
import type { NodeProcess } from "../node_process.ts";
import { type Bench, demotionsOf, underTraffic } from "../under_traffic.ts";
import { endSessions, forgetConnections, vanish } from "./acts.ts";
import { groundOf } from "./network.ts";
import type { Wire } from "./wire.ts";

/** Seconds; what `[store] command_timeout` is here. */
const COMMAND_TIMEOUT = 2;
/** An answer that does not arrive is given up by the database after five seconds. */
const LET_GO_MS = 10_000;
/** A session that nobody says anything on, after fifteen. */
const FORGOTTEN_MS = 25_000;

const cases: Readonly<Record<string, (bench: Bench) => Cases>> = {
  silence: (bench) => ({
    standby: () => cutStandby(bench),
    bothWays: () => cutLeader(bench, (wire) => wire.hold("to_database", "to_node")),
    toDatabase: () => cutLeader(bench, (wire) => wire.hold("to_database")),
    toNode: () => cutLeader(bench, (wire) => wire.hold("to_node")),
  }),
  ends: (bench) => {
    let left: readonly number[] = [];
    return {
      reset: () => cutLeader(bench, (wire) => wire.reject()),
      unplugged: () => cutLeader(bench, (wire) => wire.unplug()),
      vanishedMachine: async () => void (left = await vanishWhileAnswered(bench)),
      forgottenByTheDatabase: () => halfOpen(bench, endSessions),
      forgottenByAFirewall: () => halfOpen(bench, forgetConnections),
      sessionsOfTheVanished: () => letGo(bench, left),
    };
  },
};

/** It says that it cannot reach the lease, and nothing else comes of it. */
async function cutStandby({ site, traffic }: Bench): Promise<void> {
  const leader = await site.leader();
  const standby = site.living.find((node) => node !== leader)!;
  await site.wireOf(standby).hold("to_database", "to_node");
  await until(() => standby.saw("cluster.lease_unreachable"), "the cut", 10_000);
  await traffic.acknowledges(20);
  await site.wireOf(standby).release();
  await until(() => standby.saw("cluster.lease_reached"), "the database", 10_000);
  assert.equal((await standby.readiness(1_000))?.status, 503);
  assert.equal(demotionsOf(site), 0);
}

/**
 * The leader stops while its lease lasts, the other follows when that has ended, and the one that is
 * healed stands by. The other's turn comes next, so that each works as one.
 */
async function cutLeader(
  { site, traffic }: Bench,
  cut: (wire: Wire) => Promise<void>,
): Promise<void> {
  const leader = await site.leader();
  const standby = site.living.find((node) => node !== leader)!;
  const [demotions, promotions, reached] = [
    leader.count("cluster.demoted"),
    standby.count("cluster.promoted"),
    leader.count("cluster.lease_reached"),
  ];
  const cutAt = performance.now();
  await cut(site.wireOf(leader));
  while ((await leader.readiness(1_000))?.status !== 503) {
    assert.ok(performance.now() - cutAt < site.ttlMs, "no fence while the lease lasts");
    await pause(20);
  }
  await until(() => leader.count("cluster.demoted") > demotions, "the demotion", 10_000);
  await assert.rejects(MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader)));
  await until(() => standby.count("cluster.promoted") > promotions, "another leader", 10_000);
  await traffic.acknowledges(20);
  await site.wireOf(leader).release();
  await until(() => leader.count("cluster.lease_reached") > reached, "the database", 10_000);
  assert.deepEqual(await leader.readiness(1_000), { status: 503, role: "standby" });
  assert.equal(await site.leader(), standby);
}

/** The leader stays one, and works again as soon as it has given up what was asked. */
async function halfOpen(
  { site, traffic }: Bench,
  strike: (site: ClusterSite, node: NodeProcess) => Promise<void>,
): Promise<void> {
  const leader = await site.leader();
  const demotions = demotionsOf(site);
  await strike(site, leader);
  await traffic.acknowledges(20, COMMAND_TIMEOUT * 1_000 + 10_000);
  assert.equal(await site.leader(), leader);
  assert.equal(demotionsOf(site), demotions);
  await site.wireOf(leader).release();
}

/**
 * The leader's machine is gone while the database answers it: the store's lock is not kept for it.
 * Returns the ports of its sessions.
 */
async function vanishWhileAnswered(bench: Bench): Promise<readonly number[]> {
  const { site, traffic } = bench;
  const leader = await site.leader();
  const reader = readLong(bench, leader);
  try {
    await reader.stdout.getReader().read();
    const ports = await vanish(site, leader);
    await traffic.acknowledges(20, site.ttlMs + LET_GO_MS);
    await site.refill(2);
    return ports;
  } finally {
    reader.kill("SIGKILL");
    await reader.status;
  }
}

/** The database has let go of sessions that nobody is at the other end of. */
async function letGo({ site }: Bench, ports: readonly number[]): Promise<void> {
  const deadline = performance.now() + FORGOTTEN_MS;
  const count =
    `SELECT count(*)::integer AS n FROM pg_stat_activity WHERE client_port IN (${ports})`;
  while ((await site.query(count))[0]!.n !== 0) {
    assert.ok(performance.now() < deadline, "sessions of a machine that is gone");
    await pause(100);
  }
}

/** Beside the node, on its machine. */
function readLong({ site }: Bench, { name }: NodeProcess): Deno.ChildProcess {
  const number = Number(name.slice(-1));
  const [program, ...args] = [...ground.commandOf(number), Deno.execPath()];
  return new Deno.Command(program!, {
    args: [
      ...[...args, "run", "--no-prompt", "--cached-only", "--frozen"],
      ...[`--allow-net=${ground.netOf(number)}`, "--allow-env"],
      fileURLToPath(new URL("./long_read.ts", import.meta.url)),
      ...[ground.databaseHost, String(site.server.port)],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

const { values: { network }, positionals: [name] } = parseArgs({
  options: { network: { type: "string" } },
  allowPositionals: true,
});
const ground = groundOf(network!);
await underTraffic({
  ...{ count: 2, duplicatesMax: 6, ground, hasAccounts: true },
  commandTimeout: COMMAND_TIMEOUT,
}, (bench) => inTurn(cases[name!]!(bench)));
