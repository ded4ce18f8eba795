/** What can befall a cluster, each as one act on a site under traffic. Source: spec §7.9. */
import { pause } from "../connectors/waiting.ts";
import type { ClusterSite } from "./cluster_site.ts";

export type FaultName = keyof typeof faults;

export interface FaultContext {
  readonly site: ClusterSite;
  /** 0 to below 1; drawn by the round. */
  readonly chance: number;
}

export const faults = {
  /** The process is gone from one instruction to the next. */
  async kill_leader({ site }: FaultContext) {
    await (await site.leader()).kill();
  },
  async stop_leader({ site }: FaultContext) {
    await (await site.leader()).stop();
  },
  async kill_standby({ site }: FaultContext) {
    const leader = await site.leader();
    await site.living.find((node) => node !== leader && !node.isFrozen)?.kill();
  },
  /** From a moment to twice the lease; the node goes on as if nothing had been. */
  async freeze_leader({ site, chance }: FaultContext) {
    const leader = await site.leader();
    leader.signal("SIGSTOP");
    await pause(300 + chance * site.ttlMs * 2);
    leader.signal("SIGCONT");
  },
  /** The machine of the database fails and comes back. */
  async kill_database({ site, chance }: FaultContext) {
    await site.server.down("SIGKILL");
    await pause(chance * site.ttlMs);
    await site.server.up();
  },
  async restart_database({ site, chance }: FaultContext) {
    await site.server.down("SIGINT");
    await pause(chance * site.ttlMs * 1.5);
    await site.server.up();
  },
  async end_sessions({ site }: FaultContext) {
    await site.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    );
  },
  /** Every statement of the stores hangs, those over the cluster's own connections do not. */
  async lock_queue({ site, chance }: FaultContext) {
    await site.query(`
      BEGIN; LOCK TABLE messages, queue IN ACCESS EXCLUSIVE MODE;
      SELECT pg_sleep(${(0.2 + (chance * site.ttlMs) / 1_000).toFixed(2)}); COMMIT`);
  },
  /** The nodes' table hangs, and the lease does not. */
  async lock_nodes({ site, chance }: FaultContext) {
    await site.query(`
      BEGIN; LOCK TABLE nodes IN ACCESS EXCLUSIVE MODE;
      SELECT pg_sleep(${(0.2 + (chance * site.ttlMs) / 1_000).toFixed(2)}); COMMIT`);
  },
  /** All that runs is gone, and starts again at once. */
  async kill_all({ site }: FaultContext) {
    await Promise.all(site.living.map((node) => node.kill()));
  },
} as const;

export const faultNames = Object.keys(faults) as FaultName[];
