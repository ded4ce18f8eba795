/** Answers about the engine itself. Source: spec api §1.2, §1.4, §1.6. */
import { z } from "zod";
import { count, counts, flag, model, seconds, text } from "./model.ts";

export const health = model("Health", { status: z.literal("ok"), version: text.nullable() });

export const aiPolicy = model("AiPolicy", {
  mode: z.enum(["off", "byo", "managed_claude", "managed_claude_baa"]),
  data_scope: z.enum(["code_only", "synthetic", "deidentified", "phi"]),
  environment: text.nullable(),
  data_class: z.enum(["synthetic", "phi"]).nullable(),
  production: flag,
  assist_permitted: flag.nullable(),
  reason: text.nullable(),
});

export const securityPosture = model("SecurityPosture", {
  data_class: z.enum(["synthetic", "phi"]).nullable(),
  production: flag,
  environment: text.nullable(),
  backend: text,
  encryption_enabled: flag,
  key_source: text,
  key_id: text.nullable(),
  require_encryption: flag,
  allow_unencrypted_phi: flag,
  plaintext_columns: z.array(text),
});

export const stats = model("StatsResponse", {
  outbox_by_status: counts,
  in_pipeline: count,
  empty_claims: count,
  empty_claims_idle_poll: count,
  empty_claims_wake_fanout: count,
  executor_queue_depth: count.nullable(),
  executor_busy: count.nullable(),
  /** Ours: what the store did, and threads given up. */
  diagnostics: z.strictObject({
    commits: count,
    statements: count,
    intents: count,
    fsyncs: count,
    checkpoints: count,
    sandbox: z.strictObject({ leaked_threads: count }),
  }),
});

export const systemStatus = model("SystemStatus", {
  engine: z.strictObject({
    version: text,
    uptime_seconds: seconds,
    pid: count,
    channels_total: count,
    channels_running: count,
    channels_stopped: count,
    outbox_by_status: counts,
  }),
  db: z.strictObject({
    path: text,
    size_bytes: count,
    disk_free_bytes: count.nullable(),
    journal_mode: text,
    messages: count,
    events: count,
    audit: count,
    synchronous: text.nullable(),
  }),
  logs: z.null(),
  update: z.null(),
  pool: z.null(),
});

export const integrityResult = model("IntegrityResult", { ok: flag, detail: text });

const role = z.enum(["primary", "standby", "single-node"]);

export const readiness = model("Readiness", { status: z.enum(["ready", "standby"]), role });

export const clusterStatus = model("ClusterStatus", {
  node_id: text,
  clustered: flag,
  is_leader: flag,
  role,
  config_version: count,
});

export const clusterNodes = model("ClusterNodeList", {
  nodes: z.array(model("ClusterNode", {
    node_id: text,
    host: text,
    pid: count,
    status: z.enum(["active", "left"]),
    started_at: seconds.nullable(),
    last_seen: seconds.nullable(),
    is_leader: flag,
  })),
  leader_node_id: text.nullable(),
  lease_owner: text.nullable(),
  lease_expires_at: seconds.nullable(),
});

export const drStatus = model("DrStatus", {
  enabled: flag,
  active: flag,
  threshold: text,
  activation_mode: text,
});

export const serviceStatus = model("ServiceStatusInfo", {
  enabled: flag,
  state: z.enum(["disabled", "running", "stopped", "not_installed", "unknown", "unavailable"]),
  service_name: text,
});

export const alertInstance = model("AlertInstanceInfo", {
  id: count,
  event_type: text,
  connection: text,
  severity: z.enum(["info", "warning", "critical"]),
  status: z.enum(["open", "acknowledged", "resolved"]),
  first_seen: seconds,
  last_seen: seconds,
  count,
  reason: text.nullable(),
  acked_by: text.nullable(),
  acked_at: seconds.nullable(),
  resolved_at: seconds.nullable(),
});

export const alertInstances = model("AlertInstanceList", { alerts: z.array(alertInstance) });

export const alertsConfig = model("AlertsConfig", {
  webhook_configured: flag,
  webhook_timeout: seconds,
  webhook_allowed_hosts: z.array(text),
  email_configured: flag,
  email_smtp_port: count,
  email_use_tls: flag,
  email_recipient_count: count,
  smtp_allowed_hosts: z.array(text),
  realert_seconds: seconds,
  rules: z.array(model("AlertRule", {
    event_type: text,
    connection: text,
    min_depth: count.nullable(),
    min_oldest_seconds: seconds.nullable(),
    severity: z.enum(["info", "warning", "critical"]).nullable(),
    transports: z.array(text).nullable(),
    cooldown_seconds: seconds.nullable(),
  })),
});
