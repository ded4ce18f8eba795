/**
 * The shapes of answers that existing clients rely on, and a check that holds an answer against one.
 * Source: spec api §1.2 to §1.8.
 *
 * A shape is a kind (`text`, `int`, `number`, `flag`, `anything`; with `?` when null is allowed), a
 * list of one shape, an object with every key, or an object whose one key `*` stands for any.
 */
export type Shape = string | readonly [Shape] | { readonly [key: string]: Shape };

const summary = {
  id: "text",
  channel_id: "text",
  received_at: "number",
  source_type: "text",
  control_id: "text?",
  message_type: "text?",
  status: "text",
  error: "text?",
  event: "text?",
  summary: "text?",
  metadata: "anything",
} as const;

const currentUser = {
  user_id: "text",
  username: "text",
  auth_provider: "text",
  roles: ["text"],
  permissions: ["text"],
} as const;

const customRole = {
  id: "text",
  display_name: "text",
  description: "text?",
  permissions: ["text"],
} as const;

const pageOf = (rows: { readonly [key: string]: Shape }) => ({
  total: "int",
  limit: "int",
  offset: "int",
  ...rows,
});

const alert = {
  id: "int",
  event_type: "text",
  connection: "text",
  severity: "text",
  status: "text",
  first_seen: "number",
  last_seen: "number",
  count: "int",
  reason: "text?",
  acked_by: "text?",
  acked_at: "number?",
  resolved_at: "number?",
} as const;

export const contractAnswers: Readonly<Record<string, Shape>> = {
  Health: { status: "text", version: "text?" },
  AiPolicy: {
    mode: "text",
    data_scope: "text",
    environment: "text?",
    data_class: "text?",
    production: "flag",
    assist_permitted: "flag?",
    reason: "text?",
  },
  SecurityPosture: {
    data_class: "text?",
    production: "flag",
    environment: "text?",
    backend: "text",
    encryption_enabled: "flag",
    key_source: "text",
    key_id: "text?",
    require_encryption: "flag",
    allow_unencrypted_phi: "flag",
    plaintext_columns: ["text"],
  },
  "ChannelInfo[]": [{
    id: "text",
    name: "text",
    enabled: "flag",
    running: "flag",
    source_type: "text",
    destinations: ["text"],
  }],
  "ConnectionRow[]": [{
    role: "text",
    channel_id: "text",
    channel_name: "text",
    destination: "text?",
    name: "text",
    status: "text",
    direction: "text",
    method: "text",
    peer: "text?",
    port: "int?",
    queue_depth: "int?",
    idle_seconds: "number?",
    alerts_active: "int",
    errored: "int?",
    read: "int?",
    written: "int?",
    backlog_seconds: "number?",
    delivered_age_seconds: "number?",
    simulated: "flag?",
    paused: "flag",
    error: "text?",
  }],
  ConnectionControl: { name: "text", running: "flag" },
  ConnectionMetadata: {
    name: "text",
    direction: "text",
    method: "text",
    running: "flag",
    router: "text?",
    metadata: { "*": "anything" },
    settings: { "*": "anything" },
    simulated: "flag?",
    error: "text?",
  },
  ConnectionTestResult: {
    name: "text",
    direction: "text",
    supported: "flag",
    success: "flag",
    duration_ms: "number",
    detail: "text?",
  },
  PurgeResult: { cancelled: "int" },
  "ConnectionEventInfo[]": [{
    id: "int",
    ts: "number",
    connection: "text",
    transport: "text?",
    direction: "text",
    kind: "text",
    peer_host: "text?",
    message_id: "text?",
    reason: "text?",
  }],
  StatsResetResult: { reset: "int" },
  AlertInstanceList: { alerts: [alert] },
  AlertInstanceInfo: alert,
  AlertsConfig: {
    webhook_configured: "flag",
    webhook_timeout: "number",
    webhook_allowed_hosts: ["text"],
    email_configured: "flag",
    email_smtp_port: "int",
    email_use_tls: "flag",
    email_recipient_count: "int",
    smtp_allowed_hosts: ["text"],
    realert_seconds: "number",
    rules: [{
      event_type: "text",
      connection: "text",
      min_depth: "int?",
      min_oldest_seconds: "number?",
      severity: "text?",
      transports: ["text"],
      cooldown_seconds: "number?",
    }],
  },
  DeadLetterList: pageOf({
    dead_letters: [{
      outbox_id: "text",
      message_id: "text",
      channel_id: "text",
      destination_name: "text",
      attempts: "int",
      last_error: "text?",
      failed_at: "number",
      control_id: "text?",
      message_type: "text?",
      received_at: "number",
      summary: "text?",
    }],
  }),
  BulkReplay: { requeued: "int" },
  Pending: { approval_id: "text", operation: "text", status: "text", detail: "text" },
  ApprovalList: {
    approvals: [{
      id: "text",
      operation: "text",
      label: "text",
      requester: "text",
      requested_at: "number",
      expires_at: "number?",
    }],
  },
  ApprovalDecisionResult: {
    operation: "text",
    requested_by: "text",
    approved_by: "text?",
    rejected_by: "text?",
    result: "anything",
  },
  ReloadResult: {
    inbound: "int",
    outbound: "int",
    routers: "int",
    handlers: "int",
    running: "flag",
    dry_run: "flag",
  },
  ConfigProvenance: {
    loaded: "flag",
    fingerprint: "text?",
    git_head: "text?",
    files: "int?",
    drift: "flag",
  },
  MessageList: pageOf({ messages: [summary] }),
  MessageSearchResults: {
    messages: [summary],
    scanned: "int",
    matched: "int",
    truncated: "flag",
    limit: "int",
    scan_limit: "int",
  },
  MessageDetail: {
    ...summary,
    raw: "text",
    outbox: [{
      id: "text",
      destination_name: "text",
      status: "text",
      attempts: "int",
      next_attempt_at: "number?",
      last_error: "text?",
    }],
    events: [{ ts: "number", event: "text", destination: "text?", detail: "text?" }],
  },
  MessageResponses: {
    message_id: "text",
    responses: [{
      destination_name: "text",
      response_seq: "int",
      outcome: "text",
      detail: "text?",
      captured_at: "number",
      body: "text?",
    }],
  },
  OutboundPayloads: {
    message_id: "text",
    payloads: [{ destination_name: "text", status: "text", payload: "text" }],
  },
  ReplayResult: { message_id: "text", requeued: "int" },
  StatsResponse: {
    outbox_by_status: { "*": "int" },
    in_pipeline: "int",
    empty_claims: "int",
    empty_claims_idle_poll: "int",
    empty_claims_wake_fanout: "int",
    executor_queue_depth: "int?",
    executor_busy: "int?",
  },
  SystemStatus: {
    engine: {
      version: "text",
      uptime_seconds: "number",
      pid: "int",
      channels_total: "int",
      channels_running: "int",
      channels_stopped: "int",
      outbox_by_status: { "*": "int" },
    },
    db: {
      path: "text",
      size_bytes: "int",
      disk_free_bytes: "int",
      journal_mode: "text",
      messages: "int",
      events: "int",
      audit: "int",
      synchronous: "text?",
    },
    logs: "anything",
    update: "anything",
    pool: "anything",
  },
  IntegrityResult: { ok: "flag", detail: "text" },
  ClusterStatus: {
    node_id: "text",
    clustered: "flag",
    is_leader: "flag",
    role: "text",
    config_version: "int",
  },
  ClusterNodeList: {
    nodes: [{
      node_id: "text",
      host: "text",
      pid: "int",
      status: "text",
      started_at: "number?",
      last_seen: "number?",
      is_leader: "flag",
    }],
    leader_node_id: "text?",
    lease_owner: "text?",
    lease_expires_at: "number?",
  },
  DrStatus: { enabled: "flag", active: "flag", threshold: "text", activation_mode: "text" },
  ServiceStatusInfo: { enabled: "flag", state: "text", service_name: "text" },
  ProvidersInfo: { local: "flag", ad: "flag", kerberos: "flag" },
  LoginResponse: {
    token: "text",
    token_type: "text",
    must_change_password: "flag",
    mfa_required: "flag",
    user: currentUser,
  },
  CurrentUser: currentUser,
  SimpleMessage: { detail: "text" },
  MfaStatus: {
    enabled: "flag",
    enrolled_at: "number?",
    recovery_codes_remaining: "int",
    required: "flag",
    webauthn_enrolled: "flag",
  },
  MfaEnroll: { secret: "text", otpauth_uri: "text" },
  MfaConfirm: { recovery_codes: ["text"] },
  SessionList: {
    sessions: [{
      id: "text",
      created_at: "number",
      last_used_at: "number",
      expires_at: "number",
      client: "text?",
      current: "flag",
    }],
  },
  SecurityEventsList: { events: [{ ts: "number", action: "text", detail: "text?" }] },
  "RoleInfo[]": [{ ...customRole, builtin: "flag" }],
  "CustomRoleInfo[]": [customRole],
  CustomRoleInfo: customRole,
  "UserSummary[]": [{
    id: "text",
    username: "text",
    auth_provider: "text",
    display_name: "text?",
    email: "text?",
    disabled: "flag",
    roles: ["text"],
    channel_scope: "anything",
  }],
  PasswordReset: { temp_password: "text", must_change_password: "flag" },
  ChannelScope: { channels: "anything" },
  AdGroupMap: { entries: [{ ad_group: "text", role: "text" }] },
  AdGroupScopeMap: { entries: [{ ad_group: "text", channel: "text" }] },
  AuditList: {
    entries: [{
      ts: "number",
      actor: "text",
      action: "text",
      channel_id: "text?",
      detail: "text?",
    }],
  },
};

/** The shape of an answer by its name; of a list's entry where only the list is written down. */
export function contractAnswer(name: string): Shape {
  const shape = contractAnswers[name] ?? (contractAnswers[`${name}[]`] as [Shape] | undefined)?.[0];
  if (shape === undefined) throw new Error(`The contract has no answer "${name}"`);
  return shape;
}

/**
 * Holds a value against a shape; returns what differs, each with its place: `.rules[0].min_depth`.
 * What an empty list would hold, `emptyLists()` tells.
 */
export function differences(value: unknown, shape: Shape, at = ""): readonly string[] {
  if (typeof shape === "string") return isKind(value, shape) ? [] : [`${at} is no ${shape}`];
  if (isList(shape)) {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((entry, index) => differences(entry, shape[0], `${at}[${index}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [`${at} is no object`];
  }
  const fields = value as Record<string, unknown>;
  const any = shape["*"];
  if (any !== undefined) {
    return Object.entries(fields).flatMap(([key, of]) => differences(of, any, `${at}.${key}`));
  }
  const extra = Object.keys(fields).filter((key) => !(key in shape));
  const missing = Object.keys(shape).filter((key) => !(key in fields));
  return [
    ...missing.map((key) => `${at}.${key} is missing`),
    ...extra.map((key) => `${at}.${key} is more`),
    ...Object.entries(shape).filter(([key]) => key in fields)
      .flatMap(([key, of]) => differences(fields[key], of, `${at}.${key}`)),
  ];
}

/** Places of empty lists: what an entry looks like is not shown there. */
export function emptyLists(value: unknown, shape: Shape, at = ""): readonly string[] {
  if (typeof shape === "string" || typeof value !== "object" || value === null) return [];
  if (isList(shape)) {
    const entries = value as readonly unknown[];
    if (entries.length === 0) return [at];
    return entries.slice(0, 1).flatMap((entry) => emptyLists(entry, shape[0], `${at}[]`));
  }
  return Object.entries(shape)
    .flatMap(([key, of]) =>
      emptyLists((value as Record<string, unknown>)[key], of, `${at}.${key}`)
    );
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isKind(value: unknown, kind: string): boolean {
  if (kind.endsWith("?")) return value === null || isKind(value, kind.slice(0, -1));
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "flag":
      return typeof value === "boolean";
    case "int":
      return Number.isInteger(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "anything":
      return value !== undefined;
    default:
      throw new Error(`There is no kind "${kind}"`);
  }
}
