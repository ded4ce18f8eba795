/** Routes over the configuration that runs: which one it is, and another in its place. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import type { Engine } from "../engine.ts";
import { reloadConfig } from "../operations/mod.ts";
import { allow, allowSteppedUp } from "./allow.ts";
import { heldShape } from "./approvals.ts";
import { actOf, type ApiContext, type ApiEnv } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { text } from "./input.ts";
import * as models from "./models/mod.ts";

const reloadBody = z.object({
  config_dir: text(4096).nullish(),
  dry_run: z.boolean().default(false),
});

export function configRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .post(
      "/config/reload",
      allowSteppedUp(["config:deploy"]),
      takes({ body: reloadBody }),
      gives(models.reloadResult, { canBeHeld: true }),
      async (c) => {
        const { config_dir, dry_run } = c.req.valid("json");
        const done = await reloadConfig.request(actOf(engine, c), {
          dir: config_dir ?? undefined,
          dryRun: dry_run,
        });
        if (done.held) return c.json(heldShape(done.held), 202);
        const { inbound, outbound, routers, handlers, dryRun } = done.output;
        // An engine without a running graph does not answer.
        return c.json({ inbound, outbound, routers, handlers, running: true, dry_run: dryRun });
      },
    )
    .get(
      "/config/provenance",
      allow("monitoring:read"),
      gives(models.configProvenance),
      async (c) => c.json(await provenance(engine)),
    );
}

async function provenance(engine: Engine) {
  const { fingerprint, files, gitHead } = engine.graph;
  return {
    loaded: true,
    fingerprint,
    git_head: gitHead ?? null,
    files,
    drift: await engine.hasDrifted(),
  };
}
