/** Routes over roles: the built-in ones, and those of the installation's own. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { builtInRoles, type CustomRole } from "../auth/mod.ts";
import { authOf, createRole, deleteRole, updateRole } from "../operations/mod.ts";
import { allow, allowSteppedUp } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { text } from "./input.ts";
import * as models from "./models/mod.ts";

const roleBody = z.object({
  display_name: text(256).min(1),
  description: text(256).nullish(),
  permissions: z.array(text(64)).max(64),
});

const needsAccounts = { needsAccounts: true };

export function roleRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const manage = allowSteppedUp(["users:manage"], needsAccounts);
  return new Hono<ApiEnv>()
    .get("/roles", allow("users:read", needsAccounts), gives(models.roles), async (c) => {
      const custom = await authOf(engine).roles.custom();
      return c.json([
        ...builtInRoles.map((role) => roleInfo(role, true)),
        ...custom.map((role) => roleInfo(role, false)),
      ]);
    })
    .get(
      "/roles/custom",
      allow("users:read", needsAccounts),
      gives(models.customRoles),
      async (c) => {
        return c.json((await authOf(engine).roles.custom()).map(customRoleInfo));
      },
    )
    .post(
      "/roles/custom",
      manage,
      takes({ body: roleBody }),
      gives(models.customRole, { status: 201 }),
      async (c) => {
        const draft = draftOf(c.req.valid("json"));
        return c.json(customRoleInfo(await createRole.perform(actOf(engine, c), draft)), 201);
      },
    )
    .put(
      "/roles/custom/:role_id",
      manage,
      takes({ body: roleBody }),
      gives(models.customRole),
      async (c) => {
        const draft = draftOf(c.req.valid("json"));
        const id = c.req.param("role_id");
        return c.json(customRoleInfo(await updateRole.perform(actOf(engine, c), { id, draft })));
      },
    )
    .delete("/roles/custom/:role_id", manage, gives(models.simpleMessage), async (c) => {
      await deleteRole.perform(actOf(engine, c), { id: c.req.param("role_id") });
      return c.json({ detail: "role deleted" });
    });
}

function draftOf({ display_name, description, permissions }: z.output<typeof roleBody>) {
  return { displayName: display_name, description: description ?? null, permissions };
}

function customRoleInfo({ id, displayName, description, permissions }: CustomRole) {
  return { id, display_name: displayName, description, permissions };
}

function roleInfo(role: CustomRole, builtin: boolean) {
  return { ...customRoleInfo(role), builtin };
}
