/** What befalls connections between a node and its database, on a network of the test's own. */
import assert from "node:assert/strict";
import type { ClusterSite } from "../cluster_site.ts";
import type { NodeProcess } from "../node_process.ts";

/** The database has ended the node's sessions, and its word of it is lost: half open, at the node. */
export async function endSessions(site: ClusterSite, node: NodeProcess): Promise<void> {
  const wire = site.wireOf(node);
  await wire.hold("to_database", "to_node");
  const ports = await site.portsOf(node);
  if (ports.length > 0) {
    const ended = await site.query(`
      SELECT pg_terminate_backend(pid, 5000) AS is_over FROM pg_stat_activity
       WHERE client_port IN (${ports})`);
    assert.ok(ended.every(({ is_over }) => is_over));
  }
  await wire.loseEnds();
}

/** Both ends hold their connections, and nothing of them passes; new ones do. */
export async function forgetConnections(site: ClusterSite, node: NodeProcess): Promise<void> {
  const ports = await site.portsOf(node);
  if (ports.length > 0) await site.wireOf(node).forget(ports);
}

/**
 * The node's machine is gone from one moment to the next, and another takes its place that knows
 * nothing of its connections: half open, at the database. Returns the ports of its sessions.
 */
export async function vanish(site: ClusterSite, node: NodeProcess): Promise<readonly number[]> {
  const ports = await site.portsOf(node);
  await site.wireOf(node).hold("to_database", "to_node");
  await node.kill();
  if (ports.length > 0) await site.wireOf(node).forget(ports);
  return ports;
}
