/** The route that tells editors what a coding assistant may see. */
import { Hono } from "@hono/hono";
import { isPermitted, nobody } from "../operations/mod.ts";
import { aiPolicy } from "../settings/mod.ts";
import { allowKnown } from "./allow.ts";
import type { ApiContext, ApiEnv } from "./env.ts";
import { gives } from "./exchange.ts";
import { aiPolicy as aiPolicyModel } from "./models/mod.ts";

export function aiPolicyRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    // Asks nobody who they are: a policy of "off" must reach those who are not signed in.
    .get("/ai/policy", allowKnown(), gives(aiPolicyModel), (c) => {
      const { reason, ...policy } = aiPolicy(engine.settings.ai);
      const { actor } = c.var;
      const permitted = actor === nobody ? null : isPermitted(actor, "ai:assist");
      return c.json({ ...policy, assist_permitted: permitted, reason });
    });
}
