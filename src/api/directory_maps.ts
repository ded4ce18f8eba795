/** Routes over what groups of a directory mean here; every sign-in with the directory reads the maps. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { authOf, setGroupRoles, setGroupScopes } from "../operations/mod.ts";
import { allow, allowSteppedUp } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { text } from "./input.ts";
import * as models from "./models/mod.ts";

/** More groups than this one map does not take. */
const ENTRIES_MAX = 2_000;

const rolesBody = z.object({
  entries: z.array(z.object({ ad_group: text(512), role: text(64) })).max(ENTRIES_MAX),
});
const scopesBody = z.object({
  entries: z.array(z.object({ ad_group: text(512), channel: text(256).min(1) }))
    .max(ENTRIES_MAX),
});

const needsAccounts = { needsAccounts: true };

export function directoryMapRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const read = allow("users:manage", needsAccounts);
  const manage = allowSteppedUp(["users:manage"], needsAccounts);
  const done = gives(models.simpleMessage);
  return new Hono<ApiEnv>()
    .get("/ad-group-map", read, gives(models.groupMap), async (c) => {
      const entries = await authOf(engine).roles.groupRoles();
      return c.json({ entries: entries.map(({ group, role }) => ({ ad_group: group, role })) });
    })
    .put("/ad-group-map", manage, takes({ body: rolesBody }), done, async (c) => {
      const { entries } = c.req.valid("json");
      await setGroupRoles.perform(
        actOf(engine, c),
        entries.map(({ ad_group: group, role }) => ({ group, role })),
      );
      return c.json({ detail: "group map replaced" });
    })
    .get("/ad-group-scope-map", read, gives(models.groupScopeMap), async (c) => {
      const entries = await authOf(engine).roles.groupScopes();
      return c.json({
        entries: entries.map(({ group, channel }) => ({ ad_group: group, channel })),
      });
    })
    .put("/ad-group-scope-map", manage, takes({ body: scopesBody }), done, async (c) => {
      const { entries } = c.req.valid("json");
      await setGroupScopes.perform(
        actOf(engine, c),
        entries.map(({ ad_group: group, channel }) => ({ group, channel })),
      );
      return c.json({ detail: "group scope map replaced" });
    });
}
