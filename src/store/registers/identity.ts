/**
 * Accounts, sessions, roles and directory maps as registers. Times are microseconds since the epoch.
 *
 * A statement that says "only if" changes nothing otherwise; its caller expects one row.
 */

export const identityChanges = [
  /** id, username, key, provider, display name, email, now, hash, must change, unclaimed. Only if the key is free. */
  "createUser",
  /** display name, now, id. */
  "setDisplayName",
  /** email, now, id. */
  "setEmail",
  /** disabled, now, id. */
  "setDisabled",
  /** display name, email, now, id. Only if the account is a directory's, and enabled. */
  "syncDirectoryUser",
  "deleteUser",
  /** id, role. */
  "grantRole",
  /** id: all its roles. */
  "dropRolesOfUser",
  /** channels as JSON or null, now, id. */
  "setChannelScope",
  /** hash, now, must change, id. Only of a local account, which is claimed then. */
  "setPassword",
  /** hash, id, the hash it had. Only if it still has that one: the same password, hashed anew. */
  "rehashPassword",
  /** id, hash. Changes nothing. Only if the account is enabled and still has that password. */
  "requireSamePassword",
  /** failures, locked until or null, id, the failures it had. Only if it still has them. */
  "noteFailure",
  /** id: failures and lock are over. */
  "clearFailures",
  /** id: an unclaimed account is disabled. Only if it is unclaimed and enabled. */
  "retireUnclaimed",

  /** secret (sealed), now, id. Only without an enabled one. */
  "stageTotp",
  /** secret (sealed), recovery codes as JSON, now, step, id. Only without an enabled one. */
  "enableTotp",
  /** now, id: secret, staged secret, recovery codes and step are gone. */
  "clearTotp",
  /** step, id. Only if it is newer than every step used. */
  "useTotpStep",
  /** codes as JSON, id, the codes it had. Only if it still has them. */
  "replaceRecoveryCodes",

  /** hash, user, now, expires, client, verified address, reauth at, mfa at. */
  "openSession",
  /** last used, hash. Never back. */
  "touchSession",
  /** verified address, reauth at, mfa at or null to keep, hash. Only of a live session. */
  "verifySession",
  /** now, hash, user. Only of a live session. */
  "revokeSession",
  /** now, user. */
  "revokeSessionsOfUser",
  /** now, user, hash of the one that stays. */
  "revokeOtherSessions",
  /** now, user, how many of the newest stay, hash of one that stays besides. */
  "revokeOldestSessions",
  /** now, role: sessions of everybody who holds it. */
  "revokeSessionsOfRole",
  /** Sessions that expired or were ended before this time. */
  "reapSessions",

  /** id, display name, description, permissions as JSON, now. */
  "createRole",
  /** display name, description, permissions as JSON, id. */
  "updateRole",
  "deleteRole",
  /** role: nobody holds it any more. */
  "dropRoleFromUsers",
  "dropRoleFromGroups",

  "clearGroupRoles",
  /** group, role. */
  "mapGroupRole",
  "clearGroupScopes",
  /** group, channel. */
  "mapGroupScope",

  /** Changes nothing. Only if an enabled administrator is left: expected last, it undoes the rest. */
  "requireAdministrator",
] as const;

export type IdentityChange = (typeof identityChanges)[number];

export const identityQueries = [
  /** key of the name. */
  "userByName",
  /** id. */
  "userById",
  /** By name. */
  "users",
  "countUsers",
  /** hash: a session that was not ended, with its account. */
  "session",
  /** user, now: live sessions, used last first. */
  "sessionsOfUser",
  /** By name. */
  "customRoles",
  /** id: enabled administrators besides this one. */
  "otherAdministrators",
  "unclaimedUsers",
  "groupRoles",
  "groupScopes",
] as const;

export type IdentityQuery = (typeof identityQueries)[number];

export const identitySealedValues: Partial<Record<IdentityChange, readonly number[]>> = {
  stageTotp: [0],
  enableTotp: [0],
};

export const identitySealedColumns: Partial<Record<IdentityQuery, readonly string[]>> = {
  userByName: ["totp_secret", "totp_staged"],
  userById: ["totp_secret", "totp_staged"],
};
