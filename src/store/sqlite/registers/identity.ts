/** SQLite text of accounts, sessions, roles and directory maps. */
import type { IdentityChange, IdentityQuery } from "../../registers/identity.ts";

/** JSON lists of an account's role ids, and of the permission lists of its custom roles. */
const ROLES = `
       (SELECT json_group_array(g.role_id) FROM user_roles g WHERE g.user_id = u.id) AS role_ids,
       (SELECT json_group_array(r.permissions)
          FROM user_roles g
          JOIN roles r ON r.id = g.role_id
         WHERE g.user_id = u.id) AS custom_permissions`;

const ACCOUNT = `
       u.id, u.username, u.auth_provider, u.display_name, u.email, u.disabled, u.created_at,
       u.password_hash, u.must_change_password, u.unclaimed, u.failed_attempts, u.locked_until,
       u.channel_scope, u.totp_enabled, u.totp_enrolled_at, u.totp_recovery_codes, u.last_totp_step,
       ${ROLES}`;

const SECRETS = `
       u.totp_secret, u.totp_staged`;

export const identitySql: Readonly<Record<IdentityChange | IdentityQuery, string>> = {
  createUser: `
    INSERT INTO users (id, username, username_key, auth_provider, display_name, email, created_at,
                       updated_at, password_hash, password_changed_at, must_change_password,
                       unclaimed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?7, ?9, ?10)
    ON CONFLICT DO NOTHING`,

  setDisplayName: `UPDATE users SET display_name = ?1, updated_at = ?2 WHERE id = ?3`,

  setEmail: `UPDATE users SET email = ?1, updated_at = ?2 WHERE id = ?3`,

  setDisabled: `UPDATE users SET disabled = ?1, updated_at = ?2 WHERE id = ?3`,

  syncDirectoryUser: `
    UPDATE users
       SET display_name = ?1, email = ?2, updated_at = ?3
     WHERE id = ?4 AND auth_provider = 'ad' AND disabled = 0`,

  deleteUser: `DELETE FROM users WHERE id = ?1`,

  grantRole: `INSERT INTO user_roles (user_id, role_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING`,

  dropRolesOfUser: `DELETE FROM user_roles WHERE user_id = ?1`,

  setChannelScope: `UPDATE users SET channel_scope = ?1, updated_at = ?2 WHERE id = ?3`,

  setPassword: `
    UPDATE users
       SET password_hash = ?1, password_changed_at = ?2, updated_at = ?2,
           must_change_password = ?3, unclaimed = 0
     WHERE id = ?4 AND auth_provider = 'local'`,

  rehashPassword: `UPDATE users SET password_hash = ?1 WHERE id = ?2 AND password_hash = ?3`,

  requireSamePassword: `
    UPDATE users
       SET updated_at = updated_at
     WHERE id = ?1 AND password_hash = ?2 AND disabled = 0`,

  noteFailure: `
    UPDATE users
       SET failed_attempts = ?1, locked_until = ?2
     WHERE id = ?3 AND failed_attempts = ?4`,

  clearFailures: `UPDATE users SET failed_attempts = 0, locked_until = NULL WHERE id = ?1`,

  retireUnclaimed: `
    UPDATE users
       SET disabled = 1
     WHERE id = ?1 AND unclaimed = 1 AND disabled = 0`,

  stageTotp: `
    UPDATE users SET totp_staged = ?1, updated_at = ?2 WHERE id = ?3 AND totp_enabled = 0`,

  enableTotp: `
    UPDATE users
       SET totp_secret = ?1, totp_staged = NULL, totp_enabled = 1, totp_recovery_codes = ?2,
           totp_enrolled_at = ?3, updated_at = ?3, last_totp_step = ?4
     WHERE id = ?5 AND totp_enabled = 0`,

  clearTotp: `
    UPDATE users
       SET totp_secret = NULL, totp_staged = NULL, totp_enabled = 0, totp_enrolled_at = NULL,
           totp_recovery_codes = NULL, last_totp_step = NULL, updated_at = ?1
     WHERE id = ?2`,

  useTotpStep: `
    UPDATE users
       SET last_totp_step = ?1
     WHERE id = ?2 AND totp_enabled = 1 AND (last_totp_step IS NULL OR last_totp_step < ?1)`,

  replaceRecoveryCodes: `
    UPDATE users
       SET totp_recovery_codes = ?1
     WHERE id = ?2 AND totp_enabled = 1 AND totp_recovery_codes = ?3`,

  openSession: `
    INSERT INTO sessions (token_hash, user_id, created_at, last_used_at, expires_at, client,
                          verified_ip, reauth_at, mfa_verified_at)
    VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8)`,

  touchSession: `
    UPDATE sessions
       SET last_used_at = max(last_used_at, ?1)
     WHERE token_hash = ?2 AND revoked_at IS NULL`,

  verifySession: `
    UPDATE sessions
       SET verified_ip = ?1, reauth_at = ?2, mfa_verified_at = coalesce(?3, mfa_verified_at)
     WHERE token_hash = ?4 AND revoked_at IS NULL`,

  revokeSession: `
    UPDATE sessions
       SET revoked_at = ?1
     WHERE token_hash = ?2 AND user_id = ?3 AND revoked_at IS NULL`,

  revokeSessionsOfUser: `
    UPDATE sessions SET revoked_at = ?1 WHERE user_id = ?2 AND revoked_at IS NULL`,

  revokeOtherSessions: `
    UPDATE sessions
       SET revoked_at = ?1
     WHERE user_id = ?2 AND token_hash <> ?3 AND revoked_at IS NULL`,

  revokeOldestSessions: `
    UPDATE sessions
       SET revoked_at = ?1
     WHERE token_hash IN (SELECT token_hash
                            FROM sessions
                           WHERE user_id = ?2 AND revoked_at IS NULL AND expires_at > ?1
                             AND token_hash <> ?4
                           ORDER BY created_at DESC, token_hash
                           LIMIT -1 OFFSET ?3)`,

  revokeSessionsOfRole: `
    UPDATE sessions
       SET revoked_at = ?1
     WHERE revoked_at IS NULL
       AND user_id IN (SELECT user_id FROM user_roles WHERE role_id = ?2)`,

  reapSessions: `DELETE FROM sessions WHERE expires_at < ?1 OR revoked_at < ?1`,

  createRole: `
    INSERT INTO roles (id, display_name, description, permissions, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5)`,

  updateRole:
    `UPDATE roles SET display_name = ?1, description = ?2, permissions = ?3 WHERE id = ?4`,

  deleteRole: `DELETE FROM roles WHERE id = ?1`,

  dropRoleFromUsers: `DELETE FROM user_roles WHERE role_id = ?1`,

  dropRoleFromGroups: `DELETE FROM ad_group_role_map WHERE role_id = ?1`,

  clearGroupRoles: `DELETE FROM ad_group_role_map`,

  mapGroupRole: `
    INSERT INTO ad_group_role_map (ad_group, role_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING`,

  clearGroupScopes: `DELETE FROM ad_group_scope_map`,

  mapGroupScope: `
    INSERT INTO ad_group_scope_map (ad_group, channel_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING`,

  requireAdministrator: `
    UPDATE users
       SET updated_at = updated_at
     WHERE id = (SELECT u.id
                   FROM user_roles g
                   JOIN users u ON u.id = g.user_id
                  WHERE g.role_id = 'administrator' AND u.disabled = 0
                  LIMIT 1)`,

  userByName: `SELECT ${ACCOUNT}, ${SECRETS} FROM users u WHERE u.username_key = ?1`,

  userById: `SELECT ${ACCOUNT}, ${SECRETS} FROM users u WHERE u.id = ?1`,

  users: `SELECT ${ACCOUNT} FROM users u ORDER BY u.username_key`,

  countUsers: `SELECT count(*) AS total FROM users`,

  session: `
    SELECT s.token_hash, s.created_at AS session_created_at, s.last_used_at, s.expires_at,
           s.verified_ip, s.reauth_at, s.mfa_verified_at, ${ACCOUNT}
      FROM sessions s
      JOIN users u ON u.id = s.user_id
     WHERE s.token_hash = ?1 AND s.revoked_at IS NULL`,

  sessionsOfUser: `
    SELECT token_hash, created_at, last_used_at, expires_at, client
      FROM sessions
     WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2
     ORDER BY last_used_at DESC, token_hash`,

  customRoles: `
    SELECT id, display_name, description, permissions FROM roles ORDER BY display_name, id`,

  otherAdministrators: `
    SELECT count(*) AS total
      FROM user_roles g
      JOIN users u ON u.id = g.user_id
     WHERE g.role_id = 'administrator' AND u.disabled = 0 AND u.id <> ?1`,

  unclaimedUsers: `SELECT ${ACCOUNT} FROM users u WHERE u.unclaimed = 1`,

  groupRoles: `SELECT ad_group, role_id FROM ad_group_role_map ORDER BY ad_group, role_id`,

  groupScopes: `SELECT ad_group, channel_id FROM ad_group_scope_map ORDER BY ad_group, channel_id`,
};
