/** Routes over connections: what they do, and what may be done to them. */
import { type Context, Hono } from "@hono/hono";
import { z } from "zod";
import {
  type Act,
  type Actor,
  type Control,
  type Controlled,
  findInScope,
  isInScope,
  type Operation,
  OperationError,
  purgeConnection,
  resetStatistics,
  restartConnection,
  startConnection,
  stopConnection,
  testConnection,
  withinScope,
} from "../operations/mod.ts";
import { allow, allowSteppedUp } from "./allow.ts";
import { heldShape } from "./approvals.ts";
import {
  connectionRows,
  inboundError,
  inboundStatus,
  isSimulated,
  outboundError,
  outboundStatus,
} from "./connection_rows.ts";
import { actOf, type ApiContext, type ApiEnv } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { text } from "./input.ts";
import * as models from "./models/mod.ts";
import { shownSettings } from "./shown_settings.ts";

const purgeQuery = z.object({ scope: z.enum(["all", "top"]).default("all") });

const resetBody = z.object({
  all: z.boolean().default(false),
  targets: z.array(
    z.object({
      role: z.enum(["source", "destination"]),
      channel_id: text(256).min(1),
      destination: text(256).nullish(),
    }).refine(({ role, destination }) => role === "source" || Boolean(destination), {
      message: "A destination needs its name",
      path: ["destination"],
    }),
  ).default([]),
});

export function connectionRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const control = async (
    c: Context<ApiEnv, "/connections/:name">,
    operation: Operation<Control, Controlled>,
  ) => {
    const done = await operation.perform(actOf(engine, c), { name: c.req.param("name") });
    if (done.error) throw new OperationError("connection.start_failed", done.error.message);
    return c.json({ name: done.name, running: done.running });
  };
  const operate = allow("connections:control");
  const controlled = gives(models.controlled);
  return new Hono<ApiEnv>()
    .get(
      "/channels",
      allow("monitoring:read"),
      gives(models.channels),
      (c) => c.json(channels({ engine }, c.var.actor)),
    )
    .get(
      "/connections",
      allow("monitoring:read"),
      gives(models.connectionRowList),
      async (c) => c.json(await connectionRows(engine, c.var.actor)),
    )
    .get(
      "/connections/:name/metadata",
      allow("monitoring:read"),
      gives(models.connectionMetadata),
      async (c) => {
        const act = actOf(engine, c);
        return c.json(await withinScope(act, () => metadata(act, c.req.param("name"))));
      },
    )
    .post("/connections/:name/start", operate, controlled, (c) => control(c, startConnection))
    .post("/connections/:name/stop", operate, controlled, (c) => control(c, stopConnection))
    .post("/connections/:name/restart", operate, controlled, (c) => control(c, restartConnection))
    .post(
      "/connections/:name/test",
      allow("connections:test"),
      gives(models.connectionTest),
      async (c) => {
        const name = c.req.param("name");
        const { direction, durationMs, detail, supported, success } = await testConnection.perform(
          actOf(engine, c),
          { name },
        );
        return c.json({
          name,
          direction: direction === "inbound" ? "in" : "out",
          supported,
          success,
          duration_ms: durationMs,
          detail: detail ?? null,
        });
      },
    )
    .post(
      "/connections/:name/purge",
      allowSteppedUp(["messages:purge"]),
      takes({ query: purgeQuery }),
      gives(models.purgeResult, { canBeHeld: true }),
      async (c) => {
        const { scope } = c.req.valid("query");
        const name = c.req.param("name");
        const done = await purgeConnection.request(actOf(engine, c), { name, scope });
        if (done.held) return c.json(heldShape(done.held), 202);
        return c.json({ cancelled: done.output.cancelled });
      },
    )
    .post(
      "/statistics/reset",
      allow("monitoring:diagnose"),
      takes({ body: resetBody }),
      gives(models.statsReset),
      async (c) => {
        const { all, targets } = c.req.valid("json");
        const { reset } = await resetStatistics.perform(actOf(engine, c), {
          all,
          targets: targets.map(({ role, channel_id, destination }) => ({
            role,
            channel: channel_id,
            destination: destination ?? undefined,
          })),
        });
        return c.json({ reset });
      },
    );
}

function channels({ engine }: ApiContext, actor: Actor) {
  const seen = [...engine.pipeline.inbounds.values()].filter(({ name }) => isInScope(actor, name));
  return seen.map((inbound) => ({
    id: inbound.name,
    name: inbound.name,
    enabled: true,
    running: inbound.state === "running",
    source_type: inbound.definition.type,
    destinations: [],
  }));
}

/** @throws {OperationError} `connection.not_found`, `channel.denied`. */
function metadata({ engine, actor }: Act, name: string) {
  const found = findInScope(engine, name, actor);
  if (found.direction === "inbound") {
    const { inbound } = found;
    const { type, router, metadata, declaredSettings } = inbound.definition;
    return {
      name,
      direction: "in",
      method: type,
      running: inboundStatus(inbound) === "running",
      router,
      metadata,
      settings: shownSettings(declaredSettings),
      simulated: null,
      error: inboundError(inbound),
    };
  }
  const { outbound } = found;
  const { type, metadata, declaredSettings } = outbound.definition;
  return {
    name,
    direction: "out",
    method: type,
    // A standby delivers nothing, whatever its outbounds are set to.
    running: (engine.cluster?.isServing ?? true) && outboundStatus(outbound) === "running",
    router: null,
    metadata,
    settings: shownSettings(declaredSettings),
    simulated: isSimulated(engine, outbound),
    error: outboundError(outbound),
  };
}
