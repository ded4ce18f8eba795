/** Routes over accounts, for administrators. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import {
  authOf,
  createUser,
  deleteUser,
  endUserSessions,
  resetUserFactor,
  resetUserPassword,
  setChannelScope,
  setUserRoles,
  updateUser,
} from "../operations/mod.ts";
import { allow, allowSteppedUp } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv } from "./env.ts";
import { userSummary } from "./identity_shapes.ts";
import { gives, takes } from "./exchange.ts";
import { text } from "./input.ts";
import * as models from "./models/mod.ts";

const roleList = z.array(text(64)).max(64);
const createBody = z.object({
  username: text(256).min(1),
  password: text(1024),
  display_name: text(256).nullish(),
  email: text(256).nullish(),
  roles: roleList.default([]),
});
const editBody = z.object({
  display_name: text(256).nullable().optional(),
  email: text(256).nullable().optional(),
  /** Null is no state to clear to: it keeps. */
  disabled: z.boolean().nullish(),
});
const rolesBody = z.object({ roles: roleList });
const scopeBody = z.object({ channels: z.array(text(256)).max(512).nullable() });

const needsAccounts = { needsAccounts: true };

export function userRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const manage = allowSteppedUp(["users:manage"], needsAccounts);
  const done = gives(models.simpleMessage);
  return new Hono<ApiEnv>()
    .get("/users", allow("users:read", needsAccounts), gives(models.users), async (c) => {
      const accounts = await authOf(engine).accounts.list();
      return c.json(accounts.map(userSummary));
    })
    .post(
      "/users",
      manage,
      takes({ body: createBody }),
      gives(models.user, { status: 201 }),
      async (c) => {
        const { username, password, display_name, email, roles } = c.req.valid("json");
        const account = await createUser.perform(actOf(engine, c), {
          username,
          password,
          displayName: display_name ?? null,
          email: email ?? null,
          roles,
        });
        return c.json(userSummary(account), 201);
      },
    )
    .patch("/users/:user_id", manage, takes({ body: editBody }), done, async (c) => {
      const { display_name: displayName, email, disabled } = c.req.valid("json");
      const id = c.req.param("user_id");
      const edit = { displayName, email, isDisabled: disabled ?? undefined };
      await updateUser.perform(actOf(engine, c), { id, edit });
      return c.json({ detail: "user updated" });
    })
    .delete("/users/:user_id", manage, done, async (c) => {
      await deleteUser.perform(actOf(engine, c), { id: c.req.param("user_id") });
      return c.json({ detail: "user deleted" });
    })
    .delete("/users/:user_id/sessions", manage, done, async (c) => {
      const id = c.req.param("user_id");
      const count = await endUserSessions.perform(actOf(engine, c), { id });
      return c.json({ detail: `${count} sessions ended` });
    })
    .put("/users/:user_id/roles", manage, takes({ body: rolesBody }), done, async (c) => {
      const { roles } = c.req.valid("json");
      await setUserRoles.perform(actOf(engine, c), { id: c.req.param("user_id"), roles });
      return c.json({ detail: "roles replaced" });
    })
    .post("/users/:user_id/reset-password", manage, gives(models.passwordReset), async (c) => {
      const id = c.req.param("user_id");
      const password = await resetUserPassword.perform(actOf(engine, c), { id });
      return c.json({ temp_password: password, must_change_password: true });
    })
    .post("/users/:user_id/reset-mfa", manage, done, async (c) => {
      await resetUserFactor.perform(actOf(engine, c), { id: c.req.param("user_id") });
      return c.json({ detail: "second factor removed" });
    })
    .get(
      "/users/:user_id/channel-scope",
      allow("users:manage", needsAccounts),
      gives(models.channelScope),
      async (c) => {
        const { channelScope } = await authOf(engine).accounts.get(c.req.param("user_id"));
        return c.json({ channels: channelScope });
      },
    )
    .put("/users/:user_id/channel-scope", manage, takes({ body: scopeBody }), done, async (c) => {
      const { channels } = c.req.valid("json");
      await setChannelScope.perform(actOf(engine, c), { id: c.req.param("user_id"), channels });
      return c.json({ detail: "channel scope replaced" });
    });
}
