/** Routes over messages: they show patient data, so each is an operation. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import {
  listMessages,
  type MessageSearch,
  replayMessage,
  searchMessages,
  type Summarized,
  viewMessage,
  viewOutbound,
  viewResponses,
} from "../operations/mod.ts";
import type { MessageDetail, MessageSummary, StoredResponse } from "../store/store.ts";
import { allowPatientData, allowSteppedUp } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { integer, paging, text } from "./input.ts";
import * as models from "./models/mod.ts";
import { Refusal } from "./refusal.ts";

const filters = {
  channel_id: text(256).optional(),
  status: text(64).optional(),
  message_type: text(64).optional(),
  control_id: text(256).optional(),
};

const listQuery = z.object({ ...filters, ...paging });

const searchQuery = z.object({
  ...filters,
  content: text(512).optional(),
  field_path: text(32).optional(),
  field_value: text(512).optional(),
  target: z.enum(["raw", "summary", "both"]).default("both"),
  limit: integer({ min: 1, max: 500 }).default(50),
  scan_limit: integer({ min: 1, max: 10_000 }).default(2_000),
});

export function messageRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      "/messages",
      allowPatientData("messages:read"),
      takes({ query: listQuery }),
      gives(models.messageList),
      async (c) => {
        const { limit, offset, ...by } = c.req.valid("query");
        const { total, messages } = await listMessages.perform(actOf(engine, c), {
          filter: filterOf(by),
          page: { limit, offset },
        });
        return c.json({ total, limit, offset, messages: messages.map(summaryShape) });
      },
    )
    // Before the route of one message, which would take "search" for an id.
    .get(
      "/messages/search",
      allowSteppedUp(["messages:read"]),
      takes({ query: searchQuery }),
      gives(models.searchResults),
      async (c) => {
        const { limit, scan_limit, target, ...by } = c.req.valid("query");
        const found = await searchMessages.perform(actOf(engine, c), {
          filter: filterOf(by),
          needle: needleOf(by),
          target,
          limit,
          scanLimit: scan_limit,
        });
        return c.json({
          messages: found.messages.map(summaryShape),
          scanned: found.scanned,
          matched: found.matched,
          truncated: found.isTruncated,
          limit,
          scan_limit,
        });
      },
    )
    .get(
      "/messages/:message_id",
      allowPatientData("messages:view_raw"),
      gives(models.messageDetail),
      async (c) => {
        const id = c.req.param("message_id");
        return c.json(detailShape(await viewMessage.perform(actOf(engine, c), { id })));
      },
    )
    .get(
      "/messages/:message_id/outbound",
      allowPatientData("messages:view_raw"),
      gives(models.outboundPayloads),
      async (c) => {
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
      },
    )
    .get(
      "/messages/:message_id/responses",
      allowPatientData("messages:read"),
      gives(models.messageResponses),
      async (c) => {
        const id = c.req.param("message_id");
        const responses = await viewResponses.perform(actOf(engine, c), { id });
        return c.json({ message_id: id, responses: responses.map(responseShape) });
      },
    )
    .post(
      "/messages/:message_id/replay",
      allowSteppedUp(["messages:replay"]),
      gives(models.replayResult),
      async (c) => {
        const id = c.req.param("message_id");
        const { requeued } = await replayMessage.perform(actOf(engine, c), { id });
        return c.json({ message_id: id, requeued });
      },
    );
}

function filterOf(by: z.output<z.ZodObject<typeof filters>>) {
  return {
    channel: by.channel_id,
    status: by.status,
    messageType: by.message_type,
    controlId: by.control_id,
  };
}

/** @throws {Refusal} 400 unless there is exactly one needle. */
function needleOf(
  { content, field_path, field_value }: {
    content?: string;
    field_path?: string;
    field_value?: string;
  },
): MessageSearch["needle"] {
  if (content !== undefined && content !== "" && field_path === undefined) return { content };
  if (field_path !== undefined && content === undefined) {
    return { path: field_path, value: field_value };
  }
  throw new Refusal(400, "Name one thing to look for: content, or field_path");
}

function summaryShape(message: Summarized<MessageSummary>) {
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

function responseShape(response: StoredResponse) {
  return {
    destination_name: response.destination,
    response_seq: response.responseSeq,
    outcome: response.outcome,
    detail: response.detail,
    captured_at: secondsOf(response.capturedAt),
    body: response.body,
  };
}

function detailShape(message: Summarized<MessageDetail>) {
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
