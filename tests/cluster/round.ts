/** One round of the proof: faults one after the other under traffic, then everybody testifies. */
import { Random } from "../../src/synthetic/random.ts";
import { pause } from "../connectors/waiting.ts";
import { ClusterSite } from "./cluster_site.ts";
import { type FaultName, faults, faultsOf } from "./faults.ts";
import type { Ground } from "./ground.ts";
import { actsWithoutLease, judgeLease, watchLease } from "./lease_history.ts";
import { judge, Traffic } from "./traffic.ts";

export interface RoundOptions {
  readonly seed: string;
  /** Faults of the round. */
  readonly faults: number;
  readonly nodes: number;
  /** Machines of a network; a round takes them, or loopback. */
  readonly machines: Ground | undefined;
  /** Clocks of nodes can be moved; a round moves them, or leaves them alone. */
  readonly canMoveClocks: boolean;
}

export interface RoundResult {
  readonly struck: readonly FaultName[];
  readonly acknowledged: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly leaseChanges: number;
  readonly longestGapMs: number;
  /** Broken promises, each with its number. */
  readonly violations: readonly string[];
}

/** Between two faults traffic flows, so that each meets a cluster that works. */
const BETWEEN = 15;
const RECOVER_MS = 40_000;
/** Seconds; after it a connection that is half open is given up. */
const COMMAND_TIMEOUT = 5;

export async function runRound(
  { seed, faults: count, nodes, machines, canMoveClocks }: RoundOptions,
): Promise<RoundResult> {
  const random = new Random(seed);
  const ground = random.pick([undefined, machines]);
  await using site = await ClusterSite.open({
    hasProxies: ground === undefined,
    hasClocks: random.pick([true, false]) && canMoveClocks,
    ...(ground && { ground, hasAccounts: true, commandTimeout: COMMAND_TIMEOUT }),
  });
  await site.spawnAll(nodes);
  if (ground !== undefined) await site.signIn();
  await watchLease(site);
  const traffic = new Traffic(site);
  const watch = new NodesWatch(site);
  const struck: FaultName[] = [];
  const violations: string[] = [];
  traffic.start();
  try {
    for (let fault = 0; fault < count; fault++) {
      await traffic.acknowledges(BETWEEN, RECOVER_MS);
      const name = random.pick(faultsOf(site));
      struck.push(name);
      await faults[name]({ site, chance: random.int(0, 999) / 1_000 });
      await site.refill(nodes);
    }
    await traffic.acknowledges(BETWEEN, RECOVER_MS);
  } catch (thrown) {
    violations.push(`I64 after ${struck.join(", ")}: ${thrown}`);
  } finally {
    await site.thaw();
    await traffic.stop();
    await watch.stop();
  }
  violations.push(...watch.violations);
  try {
    await site.drained(RECOVER_MS);
  } catch (thrown) {
    violations.push(`I66 ${thrown}`);
  }
  const verdict = judge(traffic, site.partner);
  if (verdict.lost.length > 0) violations.push(`I64 lost ${verdict.lost.join(", ")}`);
  if (verdict.inversions.length > 0) violations.push(`I25 inverted ${verdict.inversions}`);
  if (verdict.gapsInState.length > 0) violations.push(`I57 state lost ${verdict.gapsInState}`);
  // One row on the wire for each fault of the leader, and what the sender itself sent again.
  const allowed = verdict.duplicatesOfSender + struck.length;
  if (verdict.duplicates > allowed) {
    violations.push(`I35 ${verdict.duplicates} duplicates, at most ${allowed}`);
  }
  const history = await judgeLease(site);
  violations.push(...history.wrong.map((one) => `I60 ${one}`));
  // Whoever believes a database whose clock errs may lead beside another until the next renewal.
  if (ground !== undefined && !struck.includes("step_database_clock")) {
    const acts = [...site.partner.received, ...traffic.acknowledgements];
    violations.push(...(await actsWithoutLease(site, acts)).map((one) => `I61 ${one}`));
  }
  return {
    struck,
    acknowledged: traffic.acknowledged.length,
    delivered: site.partner.received.length,
    duplicates: verdict.duplicates,
    leaseChanges: history.changes,
    longestGapMs: Math.round(traffic.longestGapMs),
    violations,
  };
}

/** Asks for the list of nodes all the time: it names one leader at most, and none that is silent. */
class NodesWatch {
  readonly violations: string[] = [];
  readonly #site: ClusterSite;
  #stopping = false;
  readonly #running: Promise<void>;

  constructor(site: ClusterSite) {
    this.#site = site;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stopping; turn++) {
      await pause(200);
      const { living } = this.#site;
      const node = living[turn % Math.max(1, living.length)];
      const answer = await node?.get("/cluster/nodes", 1_000).catch(() => undefined);
      if (answer?.status !== 200) continue;
      const nodes = answer.json.nodes as { node_id: string; is_leader: boolean; status: string }[];
      const leaders = nodes.filter(({ is_leader }) => is_leader);
      const isWrong = leaders.length > 1 ||
        leaders.some(({ status, node_id }) =>
          status !== "active" || node_id !== answer.json.leader_node_id
        );
      if (isWrong) this.violations.push(`I68 ${JSON.stringify(answer.json)}`);
    }
  }
}
