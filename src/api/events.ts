/** Routes over connection events: who connected, what broke; never content. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import type { ConnectionEventFilter, ConnectionEventRecord } from "../store/store.ts";
import { requireInScope, scopeOf, withinScope } from "../operations/mod.ts";
import { allow } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { decimal, integer, text } from "./input.ts";
import * as models from "./models/mod.ts";

const common = {
  kind: z.array(text(64)).max(32),
  since: decimal({ min: 0 }).optional(),
  limit: integer({ min: 1, max: 1000 }).default(100),
};
const ofOneQuery = z.object(common);
const allQuery = z.object({ ...common, connection: text(256).optional() });

export function eventRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const list = (c: { readonly var: ApiEnv["Variables"] }, filter: ConnectionEventFilter) => {
    const act = actOf(engine, c);
    return withinScope(act, async () => {
      if (filter.connection !== undefined) requireInScope(act.actor, filter.connection);
      const inbounds = scopeOf(act.actor);
      return (await engine.store.connectionEvents({ ...filter, inbounds })).map(eventShape);
    });
  };
  return new Hono<ApiEnv>()
    .get(
      "/events",
      allow("monitoring:read"),
      takes({ query: allQuery }),
      gives(models.connectionEvents),
      async (c) => {
        const { connection, ...by } = c.req.valid("query");
        return c.json(await list(c, { ...filterOf(by), connection }));
      },
    )
    .get(
      "/connections/:name/events",
      allow("monitoring:read"),
      takes({ query: ofOneQuery }),
      gives(models.connectionEvents),
      async (c) => {
        const by = c.req.valid("query");
        return c.json(await list(c, { ...filterOf(by), connection: c.req.param("name") }));
      },
    );
}

function filterOf({ kind, since, limit }: z.output<typeof ofOneQuery>): ConnectionEventFilter {
  // The store joins kinds by spaces, and no kind has one.
  const kinds = kind.map((name) => name.replaceAll(" ", "_"));
  return { kinds, since: since === undefined ? undefined : microsOf(since), limit };
}

/** No event is later than what the stores can hold, so any later moment is as good. */
function microsOf(seconds: number): number {
  return Math.min(Math.round(seconds * 1e6), Number.MAX_SAFE_INTEGER);
}

function eventShape(event: ConnectionEventRecord) {
  return {
    id: event.id,
    ts: secondsOf(event.at),
    connection: event.connection,
    transport: event.transport,
    direction: event.direction,
    kind: event.event,
    peer_host: event.peer ?? null,
    message_id: null,
    reason: event.reason ?? null,
  };
}
