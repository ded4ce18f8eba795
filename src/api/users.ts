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
import { takeJson, text } from "./input.ts";

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
  disabled: z.boolean().optional(),
});
const rolesBody = z.object({ roles: roleList });
const scopeBody = z.object({ channels: z.array(text(256)).max(512).nullable() });

const needsAccounts = { needsAccounts: true };

export function userRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const manage = allowSteppedUp(["users:manage"], needsAccounts);
  return new Hono<ApiEnv>()
    .get("/users", allow("users:read", needsAccounts), async (c) => {
      const accounts = await authOf(engine).accounts.list();
      return c.json(accounts.map(userSummary));
    })
    .post("/users", manage, async (c) => {
      const { username, password, display_name, email, roles } = takeJson(c, createBody);
      const account = await createUser.perform(actOf(engine, c), {
        username,
        password,
        displayName: display_name ?? null,
        email: email ?? null,
        roles,
      });
      return c.json(userSummary(account), 201);
    })
    .patch("/users/:user_id", manage, async (c) => {
      const { display_name: displayName, email, disabled: isDisabled } = takeJson(c, editBody);
      const id = c.req.param("user_id");
      const edit = { displayName, email, isDisabled };
      await updateUser.perform(actOf(engine, c), { id, edit });
      return c.json({ detail: "user updated" });
    })
    .delete("/users/:user_id", manage, async (c) => {
      await deleteUser.perform(actOf(engine, c), { id: c.req.param("user_id") });
      return c.json({ detail: "user deleted" });
    })
    .delete("/users/:user_id/sessions", manage, async (c) => {
      const id = c.req.param("user_id");
      const count = await endUserSessions.perform(actOf(engine, c), { id });
      return c.json({ detail: `${count} sessions ended` });
    })
    .put("/users/:user_id/roles", manage, async (c) => {
      const { roles } = takeJson(c, rolesBody);
      await setUserRoles.perform(actOf(engine, c), { id: c.req.param("user_id"), roles });
      return c.json({ detail: "roles replaced" });
    })
    .post("/users/:user_id/reset-password", manage, async (c) => {
      const id = c.req.param("user_id");
      const password = await resetUserPassword.perform(actOf(engine, c), { id });
      return c.json({ temp_password: password, must_change_password: true });
    })
    .post("/users/:user_id/reset-mfa", manage, async (c) => {
      await resetUserFactor.perform(actOf(engine, c), { id: c.req.param("user_id") });
      return c.json({ detail: "second factor removed" });
    })
    .get(
      "/users/:user_id/channel-scope",
      allow("users:manage", needsAccounts),
      async (c) => {
        const { channelScope } = await authOf(engine).accounts.get(c.req.param("user_id"));
        return c.json({ channels: channelScope });
      },
    )
    .put("/users/:user_id/channel-scope", manage, async (c) => {
      const { channels } = takeJson(c, scopeBody);
      await setChannelScope.perform(actOf(engine, c), { id: c.req.param("user_id"), channels });
      return c.json({ detail: "channel scope replaced" });
    });
}
