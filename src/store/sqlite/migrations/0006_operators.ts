/**
 * 0006 operators: accounts, sessions, roles, the audit log, approvals, alerts.
 *
 * The audit log has no foreign key and outlives whom it names. Its key is a cell of the store, so a
 * new store key re-seals it and the chain goes on.
 */
export const sql = `
CREATE TABLE users (
  id                    TEXT NOT NULL PRIMARY KEY,
  username              TEXT NOT NULL,
  -- The name in lower case: two names that differ in case are one account.
  username_key          TEXT NOT NULL UNIQUE,
  auth_provider         TEXT NOT NULL,
  display_name          TEXT,
  email                 TEXT,
  disabled              INTEGER NOT NULL DEFAULT 0,
  created_at            INTEGER NOT NULL,
  updated_at            INTEGER NOT NULL,
  -- Argon2id, encoded; NULL for accounts of a directory.
  password_hash         TEXT,
  password_changed_at   INTEGER,
  must_change_password  INTEGER NOT NULL DEFAULT 0,
  -- The first administrator, until somebody has taken it over.
  unclaimed             INTEGER NOT NULL DEFAULT 0,
  failed_attempts       INTEGER NOT NULL DEFAULT 0,
  locked_until          INTEGER,
  -- JSON list of inbounds; NULL: all.
  channel_scope         TEXT,
  totp_secret           TEXT,
  totp_staged           TEXT,
  totp_enabled          INTEGER NOT NULL DEFAULT 0,
  totp_enrolled_at      INTEGER,
  -- JSON: the salt of all, and the hashes of those that are left.
  totp_recovery_codes   TEXT,
  last_totp_step        INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE user_roles (
  user_id  TEXT NOT NULL,
  role_id  TEXT NOT NULL,
  PRIMARY KEY (user_id, role_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_roles_role ON user_roles (role_id);

-- Roles of the installation's own; the six built-in ones are code.
CREATE TABLE roles (
  id            TEXT NOT NULL PRIMARY KEY,
  display_name  TEXT NOT NULL,
  description   TEXT,
  -- JSON list.
  permissions   TEXT NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ad_group_role_map (
  ad_group  TEXT NOT NULL,
  role_id   TEXT NOT NULL,
  PRIMARY KEY (ad_group, role_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE ad_group_scope_map (
  ad_group    TEXT NOT NULL,
  -- An inbound, or '*'.
  channel_id  TEXT NOT NULL,
  PRIMARY KEY (ad_group, channel_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  -- Hex SHA-256 of the token, which is stored nowhere.
  token_hash       TEXT NOT NULL PRIMARY KEY,
  user_id          TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  last_used_at     INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  revoked_at       INTEGER,
  client           TEXT,
  -- The address the session last proved its password from.
  verified_ip      TEXT,
  reauth_at        INTEGER,
  mfa_verified_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE audit_log (
  id          INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  action      TEXT NOT NULL,
  channel_id  TEXT,
  detail      TEXT,
  -- Whether the hash is keyed.
  keyed       INTEGER NOT NULL,
  row_hash    TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE TABLE audit_key (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  -- Hex; sealed with the store's key.
  key  TEXT NOT NULL
) STRICT;

CREATE TABLE pending_approvals (
  id            TEXT NOT NULL PRIMARY KEY,
  operation     TEXT NOT NULL,
  -- JSON.
  params        TEXT NOT NULL,
  requester     TEXT NOT NULL,
  requested_at  INTEGER NOT NULL,
  status        TEXT NOT NULL,
  approver      TEXT,
  decided_at    INTEGER,
  expires_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_approvals_open ON pending_approvals (requested_at) WHERE status = 'pending';

CREATE TABLE alert_instance (
  id           INTEGER PRIMARY KEY,
  event_type   TEXT NOT NULL,
  connection   TEXT NOT NULL,
  severity     TEXT NOT NULL,
  status       TEXT NOT NULL,
  first_seen   INTEGER NOT NULL,
  last_seen    INTEGER NOT NULL,
  count        INTEGER NOT NULL,
  reason       TEXT,
  acked_by     TEXT,
  acked_at     INTEGER,
  resolved_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX alert_instance_live ON alert_instance (event_type, connection)
 WHERE status <> 'resolved';
CREATE INDEX alert_instance_resolved ON alert_instance (resolved_at) WHERE status = 'resolved';
`;
