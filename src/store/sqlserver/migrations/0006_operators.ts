/**
 * 0006 operators: accounts, sessions, roles, the audit log, approvals, alerts.
 *
 * The audit log has no foreign key and outlives whom it names. Its key is a cell of the store, so a
 * new store key re-seals it and the chain goes on.
 */
import { NAME, TEXT, WORD } from "../words.ts";

export const sql = `
CREATE TABLE mefor.users (
  id                    ${WORD} NOT NULL PRIMARY KEY CLUSTERED,
  username              ${NAME} NOT NULL,
  -- The name in lower case: two names that differ in case are one account.
  username_key          ${NAME} NOT NULL,
  auth_provider         ${WORD} NOT NULL,
  display_name          ${TEXT},
  email                 ${TEXT},
  disabled              int NOT NULL DEFAULT 0,
  created_at            bigint NOT NULL,
  updated_at            bigint NOT NULL,
  -- Argon2id, encoded; NULL for accounts of a directory.
  password_hash         ${TEXT},
  password_changed_at   bigint,
  must_change_password  int NOT NULL DEFAULT 0,
  -- The first administrator, until somebody has taken it over.
  unclaimed             int NOT NULL DEFAULT 0,
  failed_attempts       int NOT NULL DEFAULT 0,
  locked_until          bigint,
  -- JSON list of inbounds; NULL: all.
  channel_scope         ${TEXT},
  totp_secret           ${TEXT},
  totp_staged           ${TEXT},
  totp_enabled          int NOT NULL DEFAULT 0,
  totp_enrolled_at      bigint,
  -- JSON: the salt of all, and the hashes of those that are left.
  totp_recovery_codes   ${TEXT},
  last_totp_step        bigint
)
GO
CREATE UNIQUE INDEX users_name ON mefor.users (username_key)
GO
CREATE TABLE mefor.user_roles (
  user_id  ${WORD} NOT NULL,
  role_id  ${NAME} NOT NULL,
  PRIMARY KEY NONCLUSTERED (user_id, role_id)
)
GO
CREATE INDEX user_roles_role ON mefor.user_roles (role_id)
GO
-- Roles of the installation's own; the six built-in ones are code.
CREATE TABLE mefor.roles (
  id            ${NAME} NOT NULL PRIMARY KEY CLUSTERED,
  display_name  ${TEXT} NOT NULL,
  description   ${TEXT},
  -- JSON list.
  permissions   ${TEXT} NOT NULL,
  created_at    bigint NOT NULL
)
GO
CREATE TABLE mefor.ad_group_role_map (
  ad_group  ${NAME} NOT NULL,
  role_id   ${NAME} NOT NULL,
  PRIMARY KEY NONCLUSTERED (ad_group, role_id)
)
GO
CREATE TABLE mefor.ad_group_scope_map (
  ad_group    ${NAME} NOT NULL,
  -- An inbound, or '*'.
  channel_id  ${NAME} NOT NULL,
  PRIMARY KEY NONCLUSTERED (ad_group, channel_id)
)
GO
CREATE TABLE mefor.sessions (
  -- Hex SHA-256 of the token, which is stored nowhere.
  token_hash       ${WORD} NOT NULL PRIMARY KEY CLUSTERED,
  user_id          ${WORD} NOT NULL,
  created_at       bigint NOT NULL,
  last_used_at     bigint NOT NULL,
  expires_at       bigint NOT NULL,
  revoked_at       bigint,
  client           ${TEXT},
  -- The address the session last proved its password from.
  verified_ip      ${TEXT},
  reauth_at        bigint,
  mfa_verified_at  bigint
)
GO
CREATE INDEX sessions_user ON mefor.sessions (user_id, created_at)
GO
CREATE INDEX sessions_expiry ON mefor.sessions (expires_at)
GO
CREATE TABLE mefor.audit_log (
  id          bigint NOT NULL PRIMARY KEY CLUSTERED,
  [at]        bigint NOT NULL,
  actor       nvarchar(800) COLLATE Latin1_General_100_BIN2 NOT NULL,
  action      ${NAME} NOT NULL,
  channel_id  ${TEXT},
  detail      ${TEXT},
  -- Whether the hash is keyed.
  keyed       int NOT NULL,
  row_hash    ${WORD} NOT NULL
)
GO
CREATE INDEX audit_log_actor ON mefor.audit_log (actor, id)
GO
CREATE TABLE mefor.audit_key (
  id     int NOT NULL PRIMARY KEY CLUSTERED CHECK (id = 1),
  -- Hex; sealed with the store's key.
  [key]  ${TEXT} NOT NULL
)
GO
CREATE TABLE mefor.pending_approvals (
  id            ${WORD} NOT NULL PRIMARY KEY CLUSTERED,
  operation     ${TEXT} NOT NULL,
  -- JSON.
  params        ${TEXT} NOT NULL,
  requester     ${TEXT} NOT NULL,
  requested_at  bigint NOT NULL,
  status        ${WORD} NOT NULL,
  approver      ${TEXT},
  decided_at    bigint,
  expires_at    bigint
)
GO
CREATE INDEX pending_approvals_open ON mefor.pending_approvals (requested_at)
  WHERE status = N'pending'
GO
CREATE TABLE mefor.alert_instance (
  id           bigint NOT NULL PRIMARY KEY CLUSTERED,
  event_type   ${NAME} NOT NULL,
  connection   ${NAME} NOT NULL,
  severity     ${WORD} NOT NULL,
  status       ${WORD} NOT NULL,
  first_seen   bigint NOT NULL,
  last_seen    bigint NOT NULL,
  [count]      bigint NOT NULL,
  reason       ${TEXT},
  acked_by     ${TEXT},
  acked_at     bigint,
  resolved_at  bigint
)
GO
CREATE UNIQUE INDEX alert_instance_live ON mefor.alert_instance (event_type, connection)
  WHERE status <> N'resolved'
GO
CREATE INDEX alert_instance_resolved ON mefor.alert_instance (resolved_at)
  WHERE status = N'resolved'
`;
