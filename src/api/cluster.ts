/**
 * Routes about this node and the others, and about machinery this engine does not have, where clients
 * get the answers they know of an instance without it. Source: spec api §1.6.
 */
import { Hono } from "@hono/hono";
import type { Engine } from "../engine.ts";
import { allow, allowAnyone } from "./allow.ts";
import { type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives } from "./exchange.ts";
import * as models from "./models/mod.ts";
import { Refusal } from "./refusal.ts";

export function clusterRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    // For load balancers: asks nobody, and not even the database. Messages go where it says 200.
    .get("/ready", allowAnyone(), gives(models.readiness), (c) => {
      const role = roleOf(engine);
      const isReady = engine.cluster?.isServing ?? true;
      return c.json({ status: isReady ? "ready" : "standby", role }, isReady ? 200 : 503);
    })
    .get(
      "/cluster/status",
      allow("monitoring:read"),
      gives(models.clusterStatus),
      (c) => c.json(statusOf(engine)),
    )
    .get(
      "/cluster/nodes",
      allow("monitoring:read"),
      gives(models.clusterNodes),
      async (c) => c.json(await nodesOf(engine)),
    )
    .get("/dr/status", allow("monitoring:read"), gives(models.drStatus), (c) =>
      c.json({
        enabled: false,
        active: false,
        threshold: "",
        activation_mode: "manual",
      }))
    .post("/dr/activate", allow("dr:operate"), gives(models.simpleMessage, { status: 503 }), () => {
      throw notThis();
    })
    .post("/dr/release", allow("dr:operate"), gives(models.simpleMessage, { status: 503 }), () => {
      throw notThis();
    })
    .get(
      "/service/status",
      allow("monitoring:read"),
      gives(models.serviceStatus),
      (c) => c.json({ enabled: false, state: "disabled", service_name: "" }),
    );
}

function roleOf({ cluster }: Engine): "primary" | "standby" | "single-node" {
  return cluster === undefined ? "single-node" : cluster.status.role;
}

function statusOf(engine: Engine) {
  const { cluster } = engine;
  const status = cluster?.status;
  return {
    node_id: status?.nodeId ?? nodeIdOf(engine),
    clustered: cluster !== undefined,
    is_leader: status?.isLeader ?? true,
    role: roleOf(engine),
    config_version: status?.configVersion ?? 0,
  };
}

async function nodesOf(engine: Engine) {
  const { cluster } = engine;
  if (cluster === undefined) return aloneNodes(engine);
  const { nodes, leaderNodeId, lease } = await cluster.nodes();
  return {
    nodes: nodes.map(({ nodeId, host, pid, status, startedAt, lastSeen }) => ({
      ...{ node_id: nodeId, host, pid, status },
      started_at: secondsOf(startedAt),
      last_seen: secondsOf(lastSeen),
      is_leader: nodeId === leaderNodeId,
    })),
    leader_node_id: leaderNodeId ?? null,
    lease_owner: lease.owner ?? null,
    lease_expires_at: lease.owner === undefined ? null : secondsOf(lease.expiresAt),
  };
}

function aloneNodes(engine: Engine) {
  const id = nodeIdOf(engine);
  return {
    nodes: [{
      node_id: id,
      host: engine.settings.api.host,
      pid: Deno.pid,
      status: "active",
      started_at: null,
      last_seen: null,
      is_leader: true,
    }],
    leader_node_id: id,
    lease_owner: id,
    lease_expires_at: null,
  };
}

/** The system's name would need a permission of its own; the process is name enough. */
function nodeIdOf({ settings: { cluster } }: Engine): string {
  return cluster.nodeId ?? `node:${Deno.pid}`;
}

function notThis(): Refusal {
  return new Refusal(503, "This is no disaster recovery site");
}
