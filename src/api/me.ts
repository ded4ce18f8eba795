/** Routes over one's own account: password, second factor, sessions, what happened to it. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { ADMINISTRATOR, type Auth, type Identity, recoveryCodesLeft } from "../auth/mod.ts";
import { authOf } from "../operations/mod.ts";
import { allowReverified, allowSignedIn, allowSteppedUp } from "./allow.ts";
import { type ApiContext, type ApiEnv, identityOf, secondsOf } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { integer, text } from "./input.ts";
import * as models from "./models/mod.ts";

const passwordBody = z.object({ current_password: text(1024), new_password: text(1024) });
const reauthBody = z.object({ password: text(1024) });
const codeBody = z.object({ code: text(16) });
const eventsQuery = z.object({ limit: integer({ min: 1, max: 1000 }).default(100) });

const needsAccounts = { needsAccounts: true };

export function ownAccountRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const done = gives(models.simpleMessage);
  return new Hono<ApiEnv>()
    .post(
      "/me/password",
      allowSignedIn({ ...needsAccounts, isLimited: true, isOpenWhilePasswordIsDue: true }),
      takes({ body: passwordBody }),
      done,
      async (c) => {
        const { current_password: current, new_password: next } = c.req.valid("json");
        const { ownPassword } = authOf(engine);
        await ownPassword.change(identityOf(c), { current, next }, c.var.client);
        return c.json({ detail: "password changed; sign in again" });
      },
    )
    .post(
      "/me/reauth",
      allowSignedIn({ ...needsAccounts, isLimited: true }),
      takes({ body: reauthBody }),
      done,
      async (c) => {
        const { password } = c.req.valid("json");
        await authOf(engine).ownPassword.reverify(identityOf(c), password, c.var.client);
        return c.json({ detail: "re-verified" });
      },
    )
    .get(
      "/me/mfa",
      allowSignedIn(needsAccounts),
      gives(models.mfaStatus),
      (c) => c.json(factorShape(authOf(engine), identityOf(c))),
    )
    .post("/me/mfa/enroll", allowReverified(needsAccounts), gives(models.mfaEnroll), async (c) => {
      const { secret, uri } = await authOf(engine).secondFactor.enroll(identityOf(c));
      return c.json({ secret, otpauth_uri: uri });
    })
    .post(
      "/me/mfa/confirm",
      allowReverified({ ...needsAccounts, isLimited: true }),
      takes({ body: codeBody }),
      gives(models.mfaConfirm),
      async (c) => {
        const { code } = c.req.valid("json");
        const { secondFactor } = authOf(engine);
        const codes = await secondFactor.confirm(identityOf(c), code, c.var.client);
        return c.json({ recovery_codes: codes });
      },
    )
    .delete("/me/mfa", allowSteppedUp([], needsAccounts), done, async (c) => {
      await authOf(engine).secondFactor.disable(identityOf(c), c.var.client);
      return c.json({ detail: "second factor removed" });
    })
    .get("/me/sessions", allowSignedIn(needsAccounts), gives(models.sessions), async (c) => {
      const { account, session } = identityOf(c);
      const sessions = await authOf(engine).sessions.of(account.id);
      return c.json({
        sessions: sessions.map(({ id, createdAt, lastUsedAt, expiresAt, client }) => ({
          id,
          created_at: secondsOf(createdAt),
          last_used_at: secondsOf(lastUsedAt),
          expires_at: secondsOf(expiresAt),
          client,
          current: id === session.id,
        })),
      });
    })
    .delete("/me/sessions", allowSignedIn(needsAccounts), done, async (c) => {
      const count = await authOf(engine).endOtherSessions(identityOf(c));
      return c.json({ detail: `${count} other sessions ended` });
    })
    .delete("/me/sessions/:session_id", allowSignedIn(needsAccounts), done, async (c) => {
      await authOf(engine).endOwnSession(identityOf(c), c.req.param("session_id"));
      return c.json({ detail: "session ended" });
    })
    .get(
      "/me/security-events",
      allowSignedIn(needsAccounts),
      takes({ query: eventsQuery }),
      gives(models.securityEvents),
      async (c) => {
        const { limit } = c.req.valid("query");
        const rows = await engine.store.register("auditOfActor", identityOf(c).account.name, limit);
        return c.json({
          events: rows.map(({ at, action, detail }) => ({
            ts: secondsOf(Number(at)),
            action,
            detail,
          })),
        });
      },
    );
}

function factorShape({ settings }: Auth, { account: { totp, roles, provider } }: Identity) {
  return {
    enabled: totp.isEnabled,
    enrolled_at: totp.enrolledAt === null ? null : secondsOf(totp.enrolledAt),
    recovery_codes_remaining: recoveryCodesLeft(totp.recoveryCodes),
    required: settings.requireMfa && provider === "local" && roles.includes(ADMINISTRATOR),
    webauthn_enrolled: false,
  };
}
