/** A cluster under traffic, struck by faults, then everybody held to account. */
import assert from "node:assert/strict";
import { ClusterSite, type SiteOptions } from "./cluster_site.ts";
import { actsWithoutLease, judgeLease, watchLease } from "./lease_history.ts";
import { judge, Traffic } from "./traffic.ts";

export interface Bench {
  readonly site: ClusterSite;
  readonly traffic: Traffic;
}

export interface UnderTrafficOptions extends SiteOptions {
  /** Nodes. */
  readonly count: number;
  /** Beyond those that the sender itself may have caused, and those that the partner did not accept. */
  readonly duplicatesMax: number;
}

/** Runs `faults` under traffic; nothing may be lost, reordered or led by two. */
export async function underTraffic(
  { count, duplicatesMax, ...options }: UnderTrafficOptions,
  faults: (bench: Bench) => Promise<void>,
): Promise<void> {
  await using site = await ClusterSite.open(options);
  await site.spawnAll(count);
  await watchLease(site);
  const traffic = new Traffic(site);
  traffic.start();
  try {
    await traffic.acknowledges(20);
    await faults({ site, traffic });
    await traffic.acknowledges(20);
  } finally {
    await site.thaw();
    await traffic.stop();
  }
  await site.drained();
  const verdict = judge(traffic, site.partner);
  assert.deepEqual(verdict.lost, [], "acknowledged and lost");
  assert.deepEqual(verdict.inversions, [], "out of order");
  assert.deepEqual(verdict.gapsInState, [], "state that was lost");
  const doubled = verdict.duplicates - verdict.duplicatesOfSender - site.partner.refused;
  assert.ok(doubled <= duplicatesMax, `${doubled} duplicates, at most ${duplicatesMax}`);
  const history = await judgeLease(site);
  assert.deepEqual(history.wrong, []);
  assert.ok(history.entries > 0);
  if (options.ground === undefined) return;
  const acts = [...site.partner.received, ...traffic.acknowledgements];
  assert.deepEqual(
    await actsWithoutLease(site, acts),
    [],
    "sent or acknowledged without the lease",
  );
}

/** Of all nodes so far. */
export function demotionsOf({ processes }: ClusterSite): number {
  return processes.reduce((sum, node) => sum + node.count("cluster.demoted"), 0);
}
