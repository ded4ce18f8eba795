/** The route over the audit log. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { allow } from "./allow.ts";
import { type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { integer } from "./input.ts";
import * as models from "./models/mod.ts";

const query = z.object({ limit: integer({ min: 1, max: 1000 }).default(100) });

export function auditRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      "/audit",
      allow("audit:read", { needsAccounts: true }),
      takes({ query }),
      gives(models.auditList),
      async (c) => {
        const { limit } = c.req.valid("query");
        const rows = await engine.store.register("auditNewest", limit);
        return c.json({
          entries: rows.map(({ at, actor, action, channel_id, detail }) => ({
            ts: secondsOf(Number(at)),
            actor,
            action,
            channel_id,
            detail,
          })),
        });
      },
    );
}
