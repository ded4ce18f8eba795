/** Lets a plain read through for whoever holds a permission. */
import type { MiddlewareHandler } from "@hono/hono";
import { type Permission, requirePermission } from "../operations/mod.ts";
import type { ApiEnv } from "./env.ts";

export function allow(permission: Permission): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    requirePermission(c.var.actor, permission);
    await next();
  };
}
