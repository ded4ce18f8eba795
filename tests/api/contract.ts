/**
 * The routes that existing clients rely on, as data. Source: spec api §1.1.
 *
 * A line is `method path | for | mark | status answer`: what it asks of whoever calls it (§0.4; `+L`:
 * attempts are counted), `S`, `b` or `x` for how much it is needed, the answer when all goes well
 * (`contract_answers.ts`), `held` when a second person may have to agree (202).
 */
export interface ContractRoute {
  readonly method: string;
  /** With `{name}` for its parts. */
  readonly path: string;
  readonly mode: "P" | "O" | "B" | "PHI" | "SU" | "RA";
  readonly permissions: readonly string[];
  readonly isLimited: boolean;
  readonly mark: "S" | "b" | "x";
  readonly status: number;
  readonly answer: string;
  readonly canBeHeld: boolean;
}

const table = `
GET /health | O | S | 200 Health
GET /ai/policy | O | S | 200 AiPolicy
GET /security/posture | B monitoring:read | b | 200 SecurityPosture
GET /channels | B monitoring:read | b | 200 ChannelInfo[]
GET /connections | B monitoring:read | S | 200 ConnectionRow[]
POST /connections/{name}/start | B connections:control | b | 200 ConnectionControl
POST /connections/{name}/stop | B connections:control | b | 200 ConnectionControl
POST /connections/{name}/restart | B connections:control | b | 200 ConnectionControl
GET /connections/{name}/metadata | B monitoring:read | b | 200 ConnectionMetadata
POST /connections/{name}/test | B connections:test | b | 200 ConnectionTestResult
POST /connections/{name}/purge | SU messages:purge | b | 200 PurgeResult held
GET /connections/{name}/events | B monitoring:read | b | 200 ConnectionEventInfo[]
POST /statistics/reset | B monitoring:diagnose | b | 200 StatsResetResult
GET /events | B monitoring:read | b | 200 ConnectionEventInfo[]
GET /alerts/active | B monitoring:diagnose | b | 200 AlertInstanceList
POST /alerts/{alert_id}/ack | B monitoring:diagnose | b | 200 AlertInstanceInfo
POST /alerts/{alert_id}/resolve | B monitoring:diagnose | b | 200 AlertInstanceInfo
GET /alerts/rules | B monitoring:read | b | 200 AlertsConfig
GET /dead-letters | PHI messages:read | S | 200 DeadLetterList
POST /dead-letters/replay | SU messages:replay | b | 200 BulkReplay held
GET /approvals | B approvals:approve | b | 200 ApprovalList
POST /approvals/{approval_id}/approve | B approvals:approve | b | 200 ApprovalDecisionResult
POST /approvals/{approval_id}/reject | B approvals:approve | b | 200 ApprovalDecisionResult
POST /config/reload | SU config:deploy | S | 200 ReloadResult held
GET /config/provenance | B monitoring:read | b | 200 ConfigProvenance
GET /messages | PHI messages:read | S | 200 MessageList
GET /messages/search | SU messages:read | b | 200 MessageSearchResults
GET /messages/{message_id} | PHI messages:view_raw | S | 200 MessageDetail
GET /messages/{message_id}/responses | PHI messages:read | b | 200 MessageResponses
GET /messages/{message_id}/outbound | PHI messages:view_raw | b | 200 OutboundPayloads
POST /messages/{message_id}/replay | SU messages:replay | b | 200 ReplayResult
GET /stats | B monitoring:read | b | 200 StatsResponse
GET /metrics | B monitoring:read | b | 200 text
GET /status | B monitoring:read | b | 200 SystemStatus
POST /status/integrity-check | B monitoring:diagnose | b | 200 IntegrityResult
GET /cluster/status | B monitoring:read | S | 200 ClusterStatus
GET /cluster/nodes | B monitoring:read | S | 200 ClusterNodeList
GET /dr/status | B monitoring:read | x | 200 DrStatus
POST /dr/activate | B dr:operate | x | 200 DrActionResult
POST /dr/release | B dr:operate | x | 200 DrActionResult
GET /service/status | B monitoring:read | x | 200 ServiceStatusInfo
GET /ws/stats | B monitoring:read | b | 101 frames
GET /auth/providers | P | b | 200 ProvidersInfo
POST /auth/login | P +L | S | 200 LoginResponse
POST /auth/negotiate | P +L | S | 200 LoginResponse
POST /auth/logout | B | b | 200 SimpleMessage
GET /auth/me | B | b | 200 CurrentUser
POST /auth/mfa-verify | B +L | b | 200 SimpleMessage
POST /me/password | B +L | S | 200 SimpleMessage
POST /me/reauth | B +L | b | 200 SimpleMessage
GET /me/mfa | B | b | 200 MfaStatus
POST /me/mfa/enroll | RA | b | 200 MfaEnroll
POST /me/mfa/confirm | RA +L | b | 200 MfaConfirm
DELETE /me/mfa | SU | b | 200 SimpleMessage
GET /me/sessions | B | b | 200 SessionList
DELETE /me/sessions | B | b | 200 SimpleMessage
DELETE /me/sessions/{session_id} | B | b | 200 SimpleMessage
GET /me/security-events | B | S | 200 SecurityEventsList
GET /roles | B users:read | b | 200 RoleInfo[]
GET /roles/custom | B users:read | b | 200 CustomRoleInfo[]
POST /roles/custom | SU users:manage | b | 201 CustomRoleInfo
PUT /roles/custom/{role_id} | SU users:manage | b | 200 CustomRoleInfo
DELETE /roles/custom/{role_id} | SU users:manage | b | 200 SimpleMessage
GET /users | B users:read | b | 200 UserSummary[]
POST /users | SU users:manage | b | 201 UserSummary
PATCH /users/{user_id} | SU users:manage | b | 200 SimpleMessage
DELETE /users/{user_id} | SU users:manage | b | 200 SimpleMessage
DELETE /users/{user_id}/sessions | SU users:manage | b | 200 SimpleMessage
PUT /users/{user_id}/roles | SU users:manage | b | 200 SimpleMessage
POST /users/{user_id}/reset-password | SU users:manage | b | 200 PasswordReset
POST /users/{user_id}/reset-mfa | SU users:manage | b | 200 SimpleMessage
GET /users/{user_id}/channel-scope | B users:manage | b | 200 ChannelScope
PUT /users/{user_id}/channel-scope | SU users:manage | b | 200 SimpleMessage
GET /ad-group-map | B users:manage | b | 200 AdGroupMap
PUT /ad-group-map | SU users:manage | S | 200 SimpleMessage
GET /ad-group-scope-map | B users:manage | b | 200 AdGroupScopeMap
PUT /ad-group-scope-map | SU users:manage | b | 200 SimpleMessage
GET /audit | B audit:read | b | 200 AuditList
`;

/** Answered 503 while nobody signs in. Source: spec api §0.4. */
export const NEEDS_ACCOUNTS = /^\/(auth\/(?!me$)|me\/|users|roles|ad-group-|audit)/;

/** Open while the password has to be changed. Source: spec api §2.4. */
export const OPEN_WHILE_PASSWORD_IS_DUE = [
  "POST /auth/logout",
  "GET /auth/me",
  "POST /me/password",
];

export const contractRoutes: readonly ContractRoute[] = table.trim().split("\n").map((line) => {
  const [route = "", asks = "", mark = "", success = ""] = line.split(" | ");
  const [method = "", path = ""] = route.split(" ");
  const [mode, ...words] = asks.split(" ");
  const [status, answer = "", held] = success.split(" ");
  return {
    method,
    path,
    mode: mode as ContractRoute["mode"],
    permissions: words.filter((word) => word !== "+L"),
    isLimited: words.includes("+L"),
    mark: mark as ContractRoute["mark"],
    status: Number(status),
    answer,
    canBeHeld: held === "held",
  };
});
