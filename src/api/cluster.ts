/**
 * Routes about the other nodes, and about machinery this engine does not have: clients ask on start,
 * and get the answers they know of an instance that stands alone. Source: spec api §1.6.
 */
import { Hono } from "@hono/hono";
import type { Engine } from "../engine.ts";
import { allow } from "./allow.ts";
import type { ApiContext, ApiEnv } from "./env.ts";
import { gives } from "./exchange.ts";
import * as models from "./models/mod.ts";
import { Refusal } from "./refusal.ts";

export function clusterRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/cluster/status", allow("monitoring:read"), gives(models.clusterStatus), (c) =>
      c.json({
        node_id: nodeIdOf(engine),
        clustered: false,
        is_leader: true,
        role: "single-node",
        config_version: 0,
      }))
    .get("/cluster/nodes", allow("monitoring:read"), gives(models.clusterNodes), (c) => {
      const id = nodeIdOf(engine);
      return c.json({
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
      });
    })
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

/** The system's name would need a permission of its own; the process is name enough. */
function nodeIdOf({ settings: { cluster } }: Engine): string {
  return cluster.nodeId ?? `node:${Deno.pid}`;
}

function notThis(): Refusal {
  return new Refusal(503, "This is no disaster recovery site");
}
