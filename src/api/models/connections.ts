/** Answers about connections and the configuration. Source: spec api §1.3, §1.6, §4, §6. */
import { z } from "zod";
import { count, flag, model, seconds, text } from "./model.ts";

const direction = z.enum(["in", "out"]);

export const channels = z.array(model("ChannelInfo", {
  id: text,
  name: text,
  enabled: flag,
  running: flag,
  source_type: text,
  destinations: z.array(text),
}));

export const connectionRow = model("ConnectionRow", {
  role: z.enum(["source", "destination"]),
  channel_id: text,
  channel_name: text,
  destination: text.nullable(),
  name: text,
  status: z.enum(["failed", "filtered", "running", "stopping", "stopped", "draining"]),
  direction,
  method: text,
  peer: text.nullable(),
  port: count.nullable(),
  queue_depth: count.nullable(),
  idle_seconds: seconds.nullable(),
  alerts_active: count,
  errored: count.nullable(),
  read: count.nullable(),
  written: count.nullable(),
  backlog_seconds: seconds.nullable(),
  delivered_age_seconds: seconds.nullable(),
  simulated: flag.nullable(),
  paused: flag,
  error: text.nullable(),
});

export const connectionRowList = z.array(connectionRow);

export const controlled = model("ConnectionControlResult", { name: text, running: flag });

export const connectionMetadata = model("ConnectionMetadata", {
  name: text,
  direction,
  method: text,
  running: flag,
  router: text.nullable(),
  metadata: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
  simulated: flag.nullable(),
  error: text.nullable(),
});

export const connectionTest = model("ConnectionTestResult", {
  name: text,
  direction,
  supported: flag,
  success: flag,
  duration_ms: z.number(),
  detail: text.nullable(),
});

export const purgeResult = model("PurgeResult", { cancelled: count });
export const statsReset = model("StatsResetResult", { reset: count });

export const connectionEvents = z.array(model("ConnectionEventInfo", {
  id: count,
  ts: seconds,
  connection: text,
  transport: text.nullable(),
  direction: text,
  kind: text,
  peer_host: text.nullable(),
  message_id: text.nullable(),
  reason: text.nullable(),
}));

export const reloadResult = model("ReloadResult", {
  inbound: count,
  outbound: count,
  routers: count,
  handlers: count,
  running: flag,
  dry_run: flag,
});

export const configProvenance = model("ConfigProvenance", {
  loaded: flag,
  fingerprint: text.nullable(),
  git_head: text.nullable(),
  files: count.nullable(),
  drift: flag,
});

/** Of an act that waits for a second person. */
export const pending = model("PendingApproval", {
  approval_id: text,
  operation: text,
  status: z.literal("pending_approval"),
  detail: text,
});

export const approvals = model("ApprovalList", {
  approvals: z.array(model("ApprovalInfo", {
    id: text,
    operation: text,
    label: text,
    requester: text,
    requested_at: seconds,
    expires_at: seconds.nullable(),
  })),
});

export const approvalDecision = model("ApprovalDecisionResult", {
  operation: text,
  requested_by: text,
  approved_by: text.nullable(),
  rejected_by: text.nullable(),
  result: z.record(z.string(), z.union([text, z.number(), flag, z.null()])).nullable(),
});
