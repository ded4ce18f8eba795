/** The T-SQL of accounts, sessions, roles and directory maps. */
import type { IdentityChange, IdentityQuery } from "../../registers/identity.ts";

/** A JSON list of texts. */
function listOf(text: string): string {
  return `N'[' + STRING_AGG(CAST(N'"' + STRING_ESCAPE(${text}, 'json') + N'"' AS nvarchar(max)), N',')
               + N']'`;
}

/** JSON lists of an account's role ids, and of the permission lists of its custom roles. */
const ROLES = `
       COALESCE((SELECT ${listOf(`g.role_id`)}
                   FROM mefor.user_roles AS g
                  WHERE g.user_id = u.id), N'[]') AS role_ids,
       COALESCE((SELECT ${listOf(`r.permissions`)}
                   FROM mefor.user_roles AS g
                   JOIN mefor.roles AS r ON r.id = g.role_id
                  WHERE g.user_id = u.id), N'[]') AS custom_permissions`;

const ACCOUNT = `
       u.id, u.username, u.auth_provider, u.display_name, u.email, u.disabled, u.created_at,
       u.password_hash, u.must_change_password, u.unclaimed, u.failed_attempts, u.locked_until,
       u.channel_scope, u.totp_enabled, u.totp_enrolled_at, u.totp_recovery_codes, u.last_totp_step,
       ${ROLES}`;

const SECRETS = `
       u.totp_secret, u.totp_staged`;

export const identitySql: Readonly<Record<IdentityChange | IdentityQuery, string>> = {
  createUser: `
    INSERT INTO mefor.users (id, username, username_key, auth_provider, display_name, email,
           created_at, updated_at, password_hash, password_changed_at, must_change_password,
           unclaimed)
    SELECT @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p7, @p8, @p7, @p9, @p10
     WHERE NOT EXISTS (SELECT 1 FROM mefor.users AS u WHERE u.id = @p1 OR u.username_key = @p3)`,

  setDisplayName: `UPDATE mefor.users SET display_name = @p1, updated_at = @p2 WHERE id = @p3`,

  setEmail: `UPDATE mefor.users SET email = @p1, updated_at = @p2 WHERE id = @p3`,

  setDisabled: `UPDATE mefor.users SET disabled = @p1, updated_at = @p2 WHERE id = @p3`,

  syncDirectoryUser: `
    UPDATE mefor.users
       SET display_name = @p1, email = @p2, updated_at = @p3
     WHERE id = @p4 AND auth_provider = N'ad' AND disabled = 0`,

  deleteUser: `DELETE FROM mefor.users WHERE id = @p1`,

  grantRole: `
    INSERT INTO mefor.user_roles (user_id, role_id)
    SELECT @p1, @p2
     WHERE NOT EXISTS (SELECT 1 FROM mefor.user_roles AS g
                        WHERE g.user_id = @p1 AND g.role_id = @p2)`,

  dropRolesOfUser: `DELETE FROM mefor.user_roles WHERE user_id = @p1`,

  setChannelScope: `UPDATE mefor.users SET channel_scope = @p1, updated_at = @p2 WHERE id = @p3`,

  setPassword: `
    UPDATE mefor.users
       SET password_hash = @p1, password_changed_at = @p2, updated_at = @p2,
           must_change_password = @p3, unclaimed = 0
     WHERE id = @p4 AND auth_provider = N'local'`,

  rehashPassword:
    `UPDATE mefor.users SET password_hash = @p1 WHERE id = @p2 AND password_hash = @p3`,

  requireSamePassword: `
    UPDATE mefor.users
       SET updated_at = updated_at
     WHERE id = @p1 AND password_hash = @p2 AND disabled = 0`,

  noteFailure: `
    UPDATE mefor.users
       SET failed_attempts = @p1, locked_until = @p2
     WHERE id = @p3 AND failed_attempts = @p4`,

  clearFailures: `UPDATE mefor.users SET failed_attempts = 0, locked_until = NULL WHERE id = @p1`,

  retireUnclaimed: `
    UPDATE mefor.users
       SET disabled = 1
     WHERE id = @p1 AND unclaimed = 1 AND disabled = 0`,

  stageTotp: `
    UPDATE mefor.users SET totp_staged = @p1, updated_at = @p2 WHERE id = @p3 AND totp_enabled = 0`,

  enableTotp: `
    UPDATE mefor.users
       SET totp_secret = @p1, totp_staged = NULL, totp_enabled = 1, totp_recovery_codes = @p2,
           totp_enrolled_at = @p3, updated_at = @p3, last_totp_step = @p4
     WHERE id = @p5 AND totp_enabled = 0`,

  clearTotp: `
    UPDATE mefor.users
       SET totp_secret = NULL, totp_staged = NULL, totp_enabled = 0, totp_enrolled_at = NULL,
           totp_recovery_codes = NULL, last_totp_step = NULL, updated_at = @p1
     WHERE id = @p2`,

  useTotpStep: `
    UPDATE mefor.users
       SET last_totp_step = @p1
     WHERE id = @p2 AND totp_enabled = 1 AND (last_totp_step IS NULL OR last_totp_step < @p1)`,

  replaceRecoveryCodes: `
    UPDATE mefor.users
       SET totp_recovery_codes = @p1
     WHERE id = @p2 AND totp_enabled = 1 AND totp_recovery_codes = @p3`,

  openSession: `
    INSERT INTO mefor.sessions (token_hash, user_id, created_at, last_used_at, expires_at, client,
                          verified_ip, reauth_at, mfa_verified_at)
    VALUES (@p1, @p2, @p3, @p3, @p4, @p5, @p6, @p7, @p8)`,

  touchSession: `
    UPDATE mefor.sessions
       SET last_used_at = CASE WHEN last_used_at > @p1 THEN last_used_at ELSE @p1 END
     WHERE token_hash = @p2 AND revoked_at IS NULL`,

  verifySession: `
    UPDATE mefor.sessions
       SET verified_ip = @p1, reauth_at = @p2, mfa_verified_at = COALESCE(@p3, mfa_verified_at)
     WHERE token_hash = @p4 AND revoked_at IS NULL`,

  revokeSession: `
    UPDATE mefor.sessions
       SET revoked_at = @p1
     WHERE token_hash = @p2 AND user_id = @p3 AND revoked_at IS NULL`,

  revokeSessionsOfUser: `
    UPDATE mefor.sessions SET revoked_at = @p1 WHERE user_id = @p2 AND revoked_at IS NULL`,

  revokeOtherSessions: `
    UPDATE mefor.sessions
       SET revoked_at = @p1
     WHERE user_id = @p2 AND token_hash <> @p3 AND revoked_at IS NULL`,

  revokeOldestSessions: `
    UPDATE mefor.sessions
       SET revoked_at = @p1
     WHERE token_hash IN (SELECT token_hash
                            FROM mefor.sessions
                           WHERE user_id = @p2 AND revoked_at IS NULL AND expires_at > @p1
                             AND token_hash <> @p4
                           ORDER BY created_at DESC, token_hash
                           OFFSET @p3 ROWS)`,

  revokeSessionsOfRole: `
    UPDATE mefor.sessions
       SET revoked_at = @p1
     WHERE revoked_at IS NULL
       AND user_id IN (SELECT user_id FROM mefor.user_roles WHERE role_id = @p2)`,

  reapSessions: `DELETE FROM mefor.sessions WHERE expires_at < @p1 OR revoked_at < @p1`,

  createRole: `
    INSERT INTO mefor.roles (id, display_name, description, permissions, created_at)
    VALUES (@p1, @p2, @p3, @p4, @p5)`,

  updateRole:
    `UPDATE mefor.roles SET display_name = @p1, description = @p2, permissions = @p3 WHERE id = @p4`,

  deleteRole: `DELETE FROM mefor.roles WHERE id = @p1`,

  dropRoleFromUsers: `DELETE FROM mefor.user_roles WHERE role_id = @p1`,

  dropRoleFromGroups: `DELETE FROM mefor.ad_group_role_map WHERE role_id = @p1`,

  clearGroupRoles: `DELETE FROM mefor.ad_group_role_map`,

  mapGroupRole: `
    INSERT INTO mefor.ad_group_role_map (ad_group, role_id)
    SELECT @p1, @p2
     WHERE NOT EXISTS (SELECT 1 FROM mefor.ad_group_role_map AS o
                        WHERE o.ad_group = @p1 AND o.role_id = @p2)`,

  clearGroupScopes: `DELETE FROM mefor.ad_group_scope_map`,

  mapGroupScope: `
    INSERT INTO mefor.ad_group_scope_map (ad_group, channel_id)
    SELECT @p1, @p2
     WHERE NOT EXISTS (SELECT 1 FROM mefor.ad_group_scope_map AS o
                        WHERE o.ad_group = @p1 AND o.channel_id = @p2)`,

  requireAdministrator: `
    UPDATE mefor.users
       SET updated_at = updated_at
     WHERE id = (SELECT TOP (1) u.id
                   FROM mefor.user_roles AS g
                   JOIN mefor.users AS u ON u.id = g.user_id
                  WHERE g.role_id = N'administrator' AND u.disabled = 0)`,

  userByName: `SELECT ${ACCOUNT}, ${SECRETS} FROM mefor.users AS u WHERE u.username_key = @p1`,

  userById: `SELECT ${ACCOUNT}, ${SECRETS} FROM mefor.users AS u WHERE u.id = @p1`,

  users: `SELECT ${ACCOUNT} FROM mefor.users AS u ORDER BY u.username_key`,

  countUsers: `SELECT COUNT_BIG(*) AS total FROM mefor.users`,

  session: `
    SELECT s.token_hash, s.created_at AS session_created_at, s.last_used_at, s.expires_at,
           s.verified_ip, s.reauth_at, s.mfa_verified_at, ${ACCOUNT}
      FROM mefor.sessions AS s
      JOIN mefor.users AS u ON u.id = s.user_id
     WHERE s.token_hash = @p1 AND s.revoked_at IS NULL`,

  sessionsOfUser: `
    SELECT token_hash, created_at, last_used_at, expires_at, client
      FROM mefor.sessions
     WHERE user_id = @p1 AND revoked_at IS NULL AND expires_at > @p2
     ORDER BY last_used_at DESC, token_hash`,

  customRoles: `
    SELECT id, display_name, description, permissions FROM mefor.roles ORDER BY display_name, id`,

  otherAdministrators: `
    SELECT COUNT_BIG(*) AS total
      FROM mefor.user_roles AS g
      JOIN mefor.users AS u ON u.id = g.user_id
     WHERE g.role_id = N'administrator' AND u.disabled = 0 AND u.id <> @p1`,

  unclaimedUsers: `SELECT ${ACCOUNT} FROM mefor.users AS u WHERE u.unclaimed = 1`,

  groupRoles: `SELECT ad_group, role_id FROM mefor.ad_group_role_map ORDER BY ad_group, role_id`,

  groupScopes:
    `SELECT ad_group, channel_id FROM mefor.ad_group_scope_map ORDER BY ad_group, channel_id`,
};
