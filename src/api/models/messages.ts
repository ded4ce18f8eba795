/** Answers about messages: they hold patient data. Source: spec api §1.5. */
import { z } from "zod";
import { count, flag, model, seconds, text } from "./model.ts";

const summaryShape = {
  id: text,
  channel_id: text,
  received_at: seconds,
  source_type: text,
  control_id: text.nullable(),
  message_type: text.nullable(),
  status: z.enum(["received", "routed", "processed", "error", "filtered", "unrouted"]),
  error: text.nullable(),
  event: text.nullable(),
  summary: text.nullable(),
  metadata: z.unknown().nullable(),
  /** Ours: when retention emptied the message. */
  purged_at: seconds.nullable(),
};

const rowStatus = z.enum(["pending", "inflight", "done", "dead", "cancelled"]);

export const messageSummary = model("MessageSummary", summaryShape);

export const messageList = model("MessageList", {
  total: count,
  limit: count,
  offset: count,
  messages: z.array(messageSummary),
});

export const searchResults = model("MessageSearchResults", {
  messages: z.array(messageSummary),
  scanned: count,
  matched: count,
  truncated: flag,
  limit: count,
  scan_limit: count,
});

export const messageDetail = model("MessageDetail", {
  ...summaryShape,
  raw: text,
  outbox: z.array(model("OutboxRow", {
    id: text,
    destination_name: text,
    status: rowStatus,
    attempts: count,
    next_attempt_at: seconds.nullable(),
    last_error: text.nullable(),
  })),
  events: z.array(model("MessageEvent", {
    ts: seconds,
    event: text,
    destination: text.nullable(),
    detail: text.nullable(),
  })),
});

export const messageResponses = model("MessageResponses", {
  message_id: text,
  responses: z.array(model("MessageResponse", {
    destination_name: text,
    response_seq: count,
    outcome: z.enum(["accepted", "rejected", "unparseable", "no_reply"]),
    detail: text.nullable(),
    captured_at: seconds,
    body: text.nullable(),
  })),
});

export const outboundPayloads = model("OutboundPayloads", {
  message_id: text,
  payloads: z.array(model("OutboundPayload", {
    destination_name: text,
    status: rowStatus,
    payload: text,
  })),
});

export const replayResult = model("ReplayResult", { message_id: text, requeued: count });
export const bulkReplayResult = model("BulkReplayResult", { requeued: count });

export const deadLetters = model("DeadLetterList", {
  total: count,
  limit: count,
  offset: count,
  dead_letters: z.array(model("DeadLetterRow", {
    outbox_id: text,
    message_id: text,
    channel_id: text,
    destination_name: text,
    attempts: count,
    last_error: text.nullable(),
    failed_at: seconds,
    control_id: text.nullable(),
    message_type: text.nullable(),
    received_at: seconds,
    summary: text.nullable(),
  })),
});
