/** Routes over messages: they show patient data, so each is an operation. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import { listMessages, replayMessage, viewMessage, viewOutbound } from "../operations/mod.ts";
import type { MessageDetail, MessageSummary } from "../store/store.ts";
import { actOf, type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { paging, readQuery, text } from "./input.ts";

const listQuery = z.object({
  channel_id: text(256).optional(),
  status: text(64).optional(),
  message_type: text(64).optional(),
  control_id: text(256).optional(),
  ...paging,
});

export function messageRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/messages", async (c) => {
      const { limit, offset, ...by } = readQuery(c.req.raw, listQuery);
      const { total, messages } = await listMessages.perform(actOf(engine, c), {
        filter: {
          channel: by.channel_id,
          status: by.status,
          messageType: by.message_type,
          controlId: by.control_id,
        },
        page: { limit, offset },
      });
      return c.json({ total, limit, offset, messages: messages.map(summaryShape) });
    })
    .get("/messages/:message_id", async (c) => {
      const id = c.req.param("message_id");
      return c.json(detailShape(await viewMessage.perform(actOf(engine, c), { id })));
    })
    .get("/messages/:message_id/outbound", async (c) => {
      const id = c.req.param("message_id");
      const payloads = await viewOutbound.perform(actOf(engine, c), { id });
      return c.json({
        message_id: id,
        payloads: payloads.map(({ destination, status, payload }) => ({
          destination_name: destination,
          status,
          payload,
        })),
      });
    })
    .post("/messages/:message_id/replay", async (c) => {
      const id = c.req.param("message_id");
      const { requeued } = await replayMessage.perform(actOf(engine, c), { id });
      return c.json({ message_id: id, requeued });
    });
}

function summaryShape(message: MessageSummary) {
  return {
    id: message.id,
    channel_id: message.channel,
    received_at: secondsOf(message.receivedAt),
    source_type: message.sourceType,
    control_id: message.controlId,
    message_type: message.messageType,
    status: message.status,
    error: message.error,
    event: message.event,
    summary: message.summary,
    metadata: message.metadata,
    purged_at: message.purgedAt === null ? null : secondsOf(message.purgedAt),
  };
}

function detailShape(message: MessageDetail) {
  return {
    ...summaryShape(message),
    raw: message.raw,
    outbox: message.rows.filter(({ stage }) => stage === "outbound").map((row) => ({
      id: String(row.seq),
      destination_name: row.destination,
      status: row.status,
      attempts: row.attempts,
      next_attempt_at: secondsOf(row.nextAttemptAt),
      last_error: row.lastError,
    })),
    events: message.events.map(({ at, event, destination, detail }) => ({
      ts: secondsOf(at),
      event,
      destination,
      detail,
    })),
  };
}
