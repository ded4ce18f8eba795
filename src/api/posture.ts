/** Routes for a security reviewer, and for whoever doubts the disk. */
import { Hono } from "@hono/hono";
import { checkIntegrity, viewPosture } from "../operations/mod.ts";
import { allow } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv } from "./env.ts";
import { gives } from "./exchange.ts";
import * as models from "./models/mod.ts";

export function postureRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      "/security/posture",
      allow("monitoring:read"),
      gives(models.securityPosture),
      async (c) => {
        const posture = await viewPosture.perform(actOf(engine, c), undefined);
        return c.json({
          data_class: posture.dataClass ?? null,
          production: posture.production,
          environment: posture.environment ?? null,
          backend: posture.backend,
          encryption_enabled: posture.keyId !== undefined,
          key_source: posture.keySource,
          key_id: posture.keyId ?? null,
          require_encryption: posture.requireEncryption,
          allow_unencrypted_phi: posture.allowUnencryptedPhi,
          plaintext_columns: [],
        });
      },
    )
    .post(
      "/status/integrity-check",
      allow("monitoring:diagnose"),
      gives(models.integrityResult),
      async (c) => {
        const { ok, detail } = await checkIntegrity.perform(actOf(engine, c), undefined);
        return c.json({ ok, detail });
      },
    );
}
