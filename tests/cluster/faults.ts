/** What can befall a cluster, each as one act on a site under traffic. Source: spec §7.9. */
import { pause } from "../connectors/waiting.ts";
import type { ClusterSite, Equipment } from "./cluster_site.ts";
import type { Direction } from "./fault_proxy.ts";
import { endSessions, forgetConnections, vanish } from "./network/acts.ts";
import type { NodeProcess } from "./node_process.ts";

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
  /** Cut off from the database one way, the other, or both; connections stay half open. */
  async cut_leader({ site, chance }: FaultContext) {
    await cut(site, await site.leader(), chance);
  },
  async cut_standby({ site, chance }: FaultContext) {
    const leader = await site.leader();
    const standby = site.living.find((node) => node !== leader && !node.isFrozen);
    if (standby !== undefined) await cut(site, standby, chance);
  },
  /** Whatever the leader says to the database is answered by a reset. */
  async reset_leader({ site, chance }: FaultContext) {
    const wire = site.wireOf(await site.leader());
    await wire.reject();
    await pause(200 + chance * site.ttlMs * 2);
    await wire.release();
  },
  async unplug_leader({ site, chance }: FaultContext) {
    const wire = site.wireOf(await site.leader());
    await wire.unplug();
    await pause(200 + chance * site.ttlMs * 2);
    await wire.release();
  },
  async vanish_leader({ site }: FaultContext) {
    await vanish(site, await site.leader());
  },
  /** Its connections are half open until it gives them up. */
  async end_sessions_unheard({ site, chance }: FaultContext) {
    const leader = await site.leader();
    await endSessions(site, leader);
    await pause(chance * site.ttlMs * 2);
    await site.wireOf(leader).release();
  },
  /** The same at both ends. */
  async forget_connections({ site, chance }: FaultContext) {
    const leader = await site.leader();
    await forgetConnections(site, leader);
    await pause(chance * site.ttlMs * 2);
    await site.wireOf(leader).release();
  },
  /** By an hour ahead, behind or right; it stays so. */
  async set_clock_of_leader({ site, chance }: FaultContext) {
    await setClock(site, await site.leader(), chance);
  },
  async set_clock_of_standby({ site, chance }: FaultContext) {
    const leader = await site.leader();
    const standby = site.living.find((node) => node !== leader);
    if (standby !== undefined) await setClock(site, standby, chance);
  },
  /** Every answer of the database takes up to a second longer. */
  async slow_database({ site, chance }: FaultContext) {
    const proxies = [...site.proxies.values()];
    for (const proxy of proxies) proxy.latencyMs = 20 + chance * 480;
    await pause(site.ttlMs);
    for (const proxy of proxies) proxy.latencyMs = 0;
  },
  /** What the leader renews has ended already, as after a step of the database's clock. */
  async step_database_clock({ site }: FaultContext) {
    await site.query(`
      CREATE OR REPLACE FUNCTION ended() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.leader_epoch = OLD.leader_epoch AND NEW.lease_expires_at > 0 THEN
          NEW.lease_expires_at := 1;
        END IF;
          RETURN NEW;
        END $$;
      CREATE TRIGGER a_step BEFORE UPDATE ON leader_lease
         FOR EACH ROW EXECUTE FUNCTION ended()`);
    await pause(site.ttlMs * 1.5);
    await site.query("DROP TRIGGER a_step ON leader_lease");
  },
  /** The database refuses every change of the queue for want of room. */
  async fill_disk({ site, chance }: FaultContext) {
    await site.query(`
      CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
      CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON queue
         FOR EACH STATEMENT EXECUTE FUNCTION refuse()`);
    await pause(200 + chance * site.ttlMs);
    await site.query("DROP TRIGGER full_disk ON queue");
  },
  /** All that runs is gone, and starts again at once. */
  async kill_all({ site }: FaultContext) {
    await Promise.all(site.living.map((node) => node.kill()));
  },
} as const;

/** What a site must have for a fault: any one of it. */
const needs: Readonly<Partial<Record<FaultName, readonly Equipment[]>>> = {
  cut_leader: ["proxies", "wires"],
  cut_standby: ["proxies", "wires"],
  slow_database: ["proxies"],
  reset_leader: ["wires"],
  unplug_leader: ["wires"],
  vanish_leader: ["wires"],
  end_sessions_unheard: ["wires"],
  forget_connections: ["wires"],
  set_clock_of_leader: ["clocks"],
  set_clock_of_standby: ["clocks"],
};

/** What can befall this site. */
export function faultsOf({ equipment }: ClusterSite): readonly FaultName[] {
  const names = Object.keys(faults) as FaultName[];
  return names.filter((name) => needs[name]?.some((one) => equipment.includes(one)) ?? true);
}

const HOUR = 3_600;

async function setClock(site: ClusterSite, node: NodeProcess, chance: number): Promise<void> {
  await site.clockOf(node).set([HOUR, -HOUR, 0][Math.floor(chance * 1_000) % 3]!);
  await pause(chance * site.ttlMs);
}

/** For up to twice the lease. */
async function cut(site: ClusterSite, node: NodeProcess, chance: number): Promise<void> {
  const ways: readonly Direction[][] = [["to_database"], ["to_node"], ["to_database", "to_node"]];
  const line = site.lineOf(node);
  await line.hold(...ways[Math.floor(chance * 1_000) % ways.length]!);
  await pause(200 + chance * site.ttlMs * 2);
  await line.release();
}
