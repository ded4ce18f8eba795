/**
 * 0006 operators: accounts, sessions, roles, the audit log, approvals, alerts.
 *
 * The audit log has no foreign key and outlives whom it names. Its key is a cell of the store, so a
 * new store key re-seals it and the chain goes on.
 */
export const sql = `
CREATE TABLE users (
  id                    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  username              TEXT COLLATE "C" NOT NULL,
  -- The name in lower case: two names that differ in case are one account.
  username_key          TEXT COLLATE "C" NOT NULL UNIQUE,
  auth_provider         TEXT COLLATE "C" NOT NULL,
  display_name          TEXT,
  email                 TEXT,
  disabled              INTEGER NOT NULL DEFAULT 0,
  created_at            BIGINT NOT NULL,
  updated_at            BIGINT NOT NULL,
  -- Argon2id, encoded; NULL for accounts of a directory.
  password_hash         TEXT,
  password_changed_at   BIGINT,
  must_change_password  INTEGER NOT NULL DEFAULT 0,
  -- The first administrator, until somebody has taken it over.
  unclaimed             INTEGER NOT NULL DEFAULT 0,
  failed_attempts       INTEGER NOT NULL DEFAULT 0,
  locked_until          BIGINT,
  -- JSON list of inbounds; NULL: all.
  channel_scope         TEXT,
  totp_secret           TEXT,
  totp_staged           TEXT,
  totp_enabled          INTEGER NOT NULL DEFAULT 0,
  totp_enrolled_at      BIGINT,
  -- JSON: the salt of all, and the hashes of those that are left.
  totp_recovery_codes   TEXT,
  last_totp_step        BIGINT
);

CREATE TABLE user_roles (
  user_id  TEXT COLLATE "C" NOT NULL,
  role_id  TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role ON user_roles (role_id);

-- Roles of the installation's own; the six built-in ones are code.
CREATE TABLE roles (
  id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  display_name  TEXT COLLATE "C" NOT NULL,
  description   TEXT,
  -- JSON list.
  permissions   TEXT COLLATE "C" NOT NULL,
  created_at    BIGINT NOT NULL
);

CREATE TABLE ad_group_role_map (
  ad_group  TEXT COLLATE "C" NOT NULL,
  role_id   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (ad_group, role_id)
);
CREATE TABLE ad_group_scope_map (
  ad_group    TEXT COLLATE "C" NOT NULL,
  -- An inbound, or '*'.
  channel_id  TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (ad_group, channel_id)
);

CREATE TABLE sessions (
  -- Hex SHA-256 of the token, which is stored nowhere.
  token_hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  user_id          TEXT COLLATE "C" NOT NULL,
  created_at       BIGINT NOT NULL,
  last_used_at     BIGINT NOT NULL,
  expires_at       BIGINT NOT NULL,
  revoked_at       BIGINT,
  client           TEXT,
  -- The address the session last proved its password from.
  verified_ip      TEXT,
  reauth_at        BIGINT,
  mfa_verified_at  BIGINT
);
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE audit_log (
  id          BIGINT PRIMARY KEY,
  at          BIGINT NOT NULL,
  actor       TEXT COLLATE "C" NOT NULL,
  action      TEXT COLLATE "C" NOT NULL,
  channel_id  TEXT,
  detail      TEXT,
  -- Whether the hash is keyed.
  keyed       INTEGER NOT NULL,
  row_hash    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE TABLE audit_key (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  -- Hex; sealed with the store's key.
  key  TEXT COLLATE "C" NOT NULL
);

CREATE TABLE pending_approvals (
  id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  operation     TEXT COLLATE "C" NOT NULL,
  -- JSON.
  params        TEXT COLLATE "C" NOT NULL,
  requester     TEXT COLLATE "C" NOT NULL,
  requested_at  BIGINT NOT NULL,
  status        TEXT COLLATE "C" NOT NULL,
  approver      TEXT,
  decided_at    BIGINT,
  expires_at    BIGINT
);
CREATE INDEX pending_approvals_open ON pending_approvals (requested_at) WHERE status = 'pending';

CREATE TABLE alert_instance (
  id           BIGINT PRIMARY KEY,
  event_type   TEXT COLLATE "C" NOT NULL,
  connection   TEXT COLLATE "C" NOT NULL,
  severity     TEXT COLLATE "C" NOT NULL,
  status       TEXT COLLATE "C" NOT NULL,
  first_seen   BIGINT NOT NULL,
  last_seen    BIGINT NOT NULL,
  count        BIGINT NOT NULL,
  reason       TEXT,
  acked_by     TEXT,
  acked_at     BIGINT,
  resolved_at  BIGINT
);
CREATE UNIQUE INDEX alert_instance_live ON alert_instance (event_type, connection)
 WHERE status <> 'resolved';
CREATE INDEX alert_instance_resolved ON alert_instance (resolved_at) WHERE status = 'resolved';
`;
