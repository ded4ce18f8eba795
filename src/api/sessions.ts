/** Routes that open and close a session, and say whose it is. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { authOf } from "../operations/mod.ts";
import { allowAnyone, allowSignedIn } from "./allow.ts";
import { type ApiContext, type ApiEnv, identityOf } from "./env.ts";
import { currentUser, systemUser } from "./identity_shapes.ts";
import { gives, takes } from "./exchange.ts";
import { text } from "./input.ts";
import * as models from "./models/mod.ts";
import { Refusal } from "./refusal.ts";

const loginBody = z.object({
  username: text(256),
  password: text(1024),
  provider: text(16).default("local"),
});
const codeBody = z.object({ code: text(64) });

export function sessionRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const attempt = allowAnyone({ needsAccounts: true, isLimited: true });
  return new Hono<ApiEnv>()
    .get("/auth/providers", allowAnyone({ needsAccounts: true }), gives(models.providers), (c) =>
      // Single sign-on is not built.
      c.json({ local: true, ad: authOf(engine).hasDirectory, kerberos: false }))
    .post("/auth/login", attempt, takes({ body: loginBody }), gives(models.login), async (c) => {
      const { username, password, provider } = c.req.valid("json");
      if (provider !== "local" && provider !== "ad") {
        throw new Refusal(400, "There is no such provider");
      }
      const auth = authOf(engine);
      const { client } = c.var;
      const signedIn = provider === "ad"
        ? await auth.signInWithDirectory({ username, password }, client)
        : await auth.signIn({ username, password }, client);
      return c.json({
        token: signedIn.token,
        token_type: "bearer",
        must_change_password: signedIn.account.mustChangePassword,
        mfa_required: signedIn.mfaRequired,
        user: currentUser(signedIn.account),
      });
    })
    .post("/auth/negotiate", attempt, gives(models.login), async (c) => {
      if (!isNegotiation(c.req.header("authorization"))) {
        throw new Refusal(400, "The Authorization header holds no SPNEGO token");
      }
      return await authOf(engine).refuseNegotiation(c.var.client);
    })
    .post(
      "/auth/logout",
      allowSignedIn({ needsAccounts: true, isOpenWhilePasswordIsDue: true }),
      gives(models.simpleMessage),
      async (c) => {
        await authOf(engine).signOut(identityOf(c));
        return c.json({ detail: "logged out" });
      },
    )
    .get(
      "/auth/me",
      allowSignedIn({ isOpenWhilePasswordIsDue: true }),
      gives(models.currentUser),
      (c) => {
        const { identity } = c.var;
        return c.json(identity === undefined ? systemUser() : currentUser(identity.account));
      },
    )
    .post(
      "/auth/mfa-verify",
      allowSignedIn({ needsAccounts: true, isLimited: true }),
      takes({ body: codeBody }),
      gives(models.simpleMessage),
      async (c) => {
        const { code } = c.req.valid("json");
        await authOf(engine).secondFactor.verify(identityOf(c), code, c.var.client);
        return c.json({ detail: "verified" });
      },
    );
}

/** Whether a header can be the begin of a single sign-on at all. */
function isNegotiation(header: string | undefined): boolean {
  const token = /^Negotiate ([A-Za-z0-9+/]+={0,2})$/.exec(header ?? "")?.[1];
  if (token === undefined) return false;
  try {
    return Uint8Array.fromBase64(token).length > 0;
  } catch {
    return false;
  }
}
