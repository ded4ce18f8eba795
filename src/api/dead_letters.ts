/** Routes over deliveries that were given up. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { listDeadLetters, replayDeadLetters, type Summarized } from "../operations/mod.ts";
import type { DeadLetter } from "../store/store.ts";
import { allowPatientData, allowSteppedUp } from "./allow.ts";
import { heldShape } from "./approvals.ts";
import { actOf, type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { paging, text } from "./input.ts";
import * as models from "./models/mod.ts";

const listQuery = z.object({
  channel_id: text(256).optional(),
  destination_name: text(256).optional(),
  ...paging,
});

const replayBody = z.object({
  channel_id: text(256).nullish(),
  destination_name: text(256).nullish(),
});

export function deadLetterRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      "/dead-letters",
      allowPatientData("messages:read"),
      takes({ query: listQuery }),
      gives(models.deadLetters),
      async (c) => {
        const { limit, offset, ...by } = c.req.valid("query");
        const { total, deadLetters } = await listDeadLetters.perform(actOf(engine, c), {
          filter: { channel: by.channel_id, destination: by.destination_name },
          page: { limit, offset },
        });
        return c.json({ total, limit, offset, dead_letters: deadLetters.map(deadLetterShape) });
      },
    )
    .post(
      "/dead-letters/replay",
      allowSteppedUp(["messages:replay"]),
      takes({ body: replayBody }),
      gives(models.bulkReplayResult, { canBeHeld: true }),
      async (c) => {
        const body = c.req.valid("json");
        const done = await replayDeadLetters.request(actOf(engine, c), {
          channel: body.channel_id ?? undefined,
          destination: body.destination_name ?? undefined,
        });
        if (done.held) return c.json(heldShape(done.held), 202);
        return c.json({ requeued: done.output.requeued });
      },
    );
}

function deadLetterShape(dead: Summarized<DeadLetter>) {
  return {
    outbox_id: String(dead.seq),
    message_id: dead.messageId,
    channel_id: dead.channel,
    destination_name: dead.destination,
    attempts: dead.attempts,
    last_error: dead.lastError,
    failed_at: secondsOf(dead.failedAt),
    control_id: dead.controlId,
    message_type: dead.messageType,
    received_at: secondsOf(dead.receivedAt),
    summary: dead.summary,
  };
}
