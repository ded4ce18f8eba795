/** What acts on accounts have in common. */
import { type Auth, AuthError, type By } from "../auth/mod.ts";
import type { Actor, Ground } from "./operation.ts";

/** What acts on accounts need: an engine has it, and so has the console of its machine. */
export interface HasAccounts extends Ground {
  readonly auth: Pick<Auth, "accounts" | "afterNewAdministrator"> | undefined;
}

/** @throws {AuthError} `auth.disabled`. */
export function authOf<A>({ auth }: { readonly auth: A | undefined }): A {
  if (auth !== undefined) return auth;
  throw new AuthError("auth.disabled", "Nobody signs in here: [auth] enabled is false");
}

export function by({ name, userId }: Actor): By {
  return { name, userId };
}
