/**
 * Who a route is for. Each route begins with one of these, and one that does not is not served:
 * everything is denied that nobody has allowed.
 *
 * The order of what is asked is the contract's: a body that is no JSON 422, no sign-in at all 503,
 * no session 401, a password that is due 403, a permission 403, too many reads 429, second factor,
 * address and fresh password 403; only then is the input looked at. Source: spec api §0.3, §0.4.
 */
import type { Context, MiddlewareHandler } from "@hono/hono";
import { type Auth, AuthError, type Identity } from "../auth/mod.ts";
import {
  type Actor,
  isPermitted,
  type Permission,
  requirePermission,
  systemIdentity,
} from "../operations/mod.ts";
import type { ApiEnv } from "./env.ts";
import { receiveBody } from "./input.ts";
import { answerTo } from "./refusal.ts";
import { socketTokenOf, tokenOf } from "./token.ts";

/** What a route asks of whoever calls it. */
export interface Access {
  /** Code of the contract. */
  readonly mode: "P" | "O" | "B" | "PHI" | "SU" | "RA";
  readonly permissions: readonly Permission[];
  /** Attempts are counted, for a password or a code may be guessed here. */
  readonly isLimited?: boolean;
  /** There is nothing to answer while nobody signs in. */
  readonly needsAccounts?: boolean;
  /** Open while the password has to be changed. */
  readonly isOpenWhilePasswordIsDue?: boolean;
  /** A WebSocket: pages of our own bring their token in a cookie. */
  readonly isSocket?: boolean;
}

type Rest = Omit<Access, "mode" | "permissions">;

/** For everybody, whoever they are. */
export function allowAnyone(rest: Rest = {}): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "P", permissions: [], ...rest });
}

/** For everybody; whoever has a session is known. */
export function allowKnown(): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "O", permissions: [] });
}

/** For whoever has a session. */
export function allowSignedIn(rest: Rest = {}): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "B", permissions: [], ...rest });
}

/** For whoever has a session and a permission. */
export function allow(permission: Permission, rest: Rest = {}): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "B", permissions: [permission], ...rest });
}

/** The same where messages are shown: how many is limited. */
export function allowPatientData(permission: Permission): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "PHI", permissions: [permission] });
}

/** For whoever has the permission, the second factor where one is due, and a fresh password. */
export function allowSteppedUp(
  permissions: readonly Permission[],
  rest: Rest = {},
): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "SU", permissions, ...rest });
}

/** For whoever has a fresh password: the way to a second factor. */
export function allowReverified(rest: Rest = {}): MiddlewareHandler<ApiEnv> {
  return guarded({ mode: "RA", permissions: [], ...rest });
}

/** The access of a route's first handler; undefined for a handler that allows nobody. */
export function accessOf(handler: unknown): Access | undefined {
  return typeof handler === "function" ? accesses.get(handler) : undefined;
}

const accesses = new WeakMap<object, Access>();

function guarded(access: Access): MiddlewareHandler<ApiEnv> {
  const handler: MiddlewareHandler<ApiEnv> = async (c, next) => {
    await receiveBody(c);
    await admit(c, access);
    await next();
  };
  accesses.set(handler, access);
  return handler;
}

/**
 * Reads variables by name: `c.var` makes an object of all of them, every time.
 *
 * @throws {AuthError}
 */
async function admit(c: Context<ApiEnv>, access: Access): Promise<void> {
  const auth = c.get("auth");
  if (auth === undefined) {
    if (access.needsAccounts) {
      throw new AuthError("auth.disabled", "Nobody signs in here: [auth] enabled is false");
    }
    if (access.mode !== "P") c.set("actor", systemIdentity);
    return;
  }
  switch (access.mode) {
    case "P":
      if (access.isLimited) auth.admitAttempt(c.get("client"));
      return;
    case "O": {
      const identity = await identityIfKnown(auth, tokenOf(c.req.raw));
      if (identity !== undefined) know(c, identity);
      return;
    }
    default:
      await admitSession(c, auth, access);
  }
}

async function admitSession(c: Context<ApiEnv>, auth: Auth, access: Access): Promise<void> {
  const { req } = c;
  const token = access.isSocket ? socketTokenOf(req.raw, c.get("ownOrigin")) : tokenOf(req.raw);
  const identity = await identityOf(auth, token);
  if (identity === undefined) {
    throw new AuthError("auth.not_signed_in", "Sign in first: there is no valid session");
  }
  know(c, identity);
  if (identity.account.mustChangePassword && !access.isOpenWhilePasswordIsDue) {
    throw new AuthError(
      "auth.password_change_required",
      "There is a password change required first",
    );
  }
  const path = c.req.routePath;
  for (const permission of access.permissions) {
    if (isPermitted(c.get("actor"), permission)) continue;
    await auth.noteDenied(identity.account, permission, path);
    requirePermission(c.get("actor"), permission);
  }
  if (access.mode === "PHI") auth.admitRead(identity);
  if (access.mode === "SU" || access.mode === "RA") {
    const client = c.get("client");
    await auth.requireStepUp(identity, { client, path, wantsFactor: access.mode === "SU" });
  }
  if (access.isLimited) auth.admitAttempt(c.get("client"));
}

async function identityOf(auth: Auth, token: string | undefined): Promise<Identity | undefined> {
  return token === undefined ? undefined : await auth.identify(token);
}

/** Undefined too while the store cannot be asked: a route for everybody answers without it. */
async function identityIfKnown(
  auth: Auth,
  token: string | undefined,
): Promise<Identity | undefined> {
  try {
    return await identityOf(auth, token);
  } catch (thrown) {
    if (answerTo(thrown) === undefined) throw thrown;
    return undefined;
  }
}

function know(c: Context<ApiEnv>, identity: Identity): void {
  c.set("identity", identity);
  c.set("actor", actorOf(identity));
}

/** What an account lets its owner do. */
export function actorOf({ account }: Identity): Actor {
  const { id, name, permissions, channelScope } = account;
  const channels = channelScope === null ? undefined : new Set(channelScope);
  return { name, userId: id, permissions, channels };
}
