/** What acts on accounts have in common. */
import { type Auth, AuthError, type By } from "../auth/mod.ts";
import type { Engine } from "../engine.ts";
import type { Actor } from "./operation.ts";

/** @throws {AuthError} `auth.disabled`. */
export function authOf({ auth }: Pick<Engine, "auth">): Auth {
  if (auth !== undefined) return auth;
  throw new AuthError("auth.disabled", "Nobody signs in here: [auth] enabled is false");
}

export function by({ name, userId }: Actor): By {
  return { name, userId };
}
