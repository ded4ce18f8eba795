/** An account as the store holds it, and who somebody is while a session lasts. */
import type { RegisterRow } from "../store/registers/mod.ts";
import { ADMINISTRATOR, type Permission, permissionsOf } from "./permissions.ts";

export interface Account {
  readonly id: string;
  readonly name: string;
  readonly provider: "local" | "ad";
  readonly displayName: string | null;
  readonly email: string | null;
  readonly isDisabled: boolean;
  /** Microseconds since the epoch, as every time here. */
  readonly createdAt: number;
  readonly passwordHash: string | null;
  readonly mustChangePassword: boolean;
  /** The first administrator, and nobody has taken it over yet. */
  readonly isUnclaimed: boolean;
  readonly failedAttempts: number;
  readonly lockedUntil: number | null;
  /** Ids of built-in and custom roles, sorted. */
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
  /** Inbounds it may see; null: all. */
  readonly channelScope: readonly string[] | null;
  readonly totp: {
    readonly isEnabled: boolean;
    readonly enrolledAt: number | null;
    readonly recoveryCodes: string | null;
  };
}

/** With the secrets, which no list of accounts is given. */
export interface AccountWithSecrets extends Account {
  readonly totpSecret: string | null;
  readonly totpStaged: string | null;
}

export interface Session {
  /** Hex SHA-256 of the token: the session's id. */
  readonly id: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  /** Where it last proved its password from. */
  readonly verifiedIp: string | null;
  readonly reauthAt: number | null;
  readonly mfaVerifiedAt: number | null;
}

/** Whoever a valid token names. */
export interface Identity {
  readonly account: Account;
  readonly session: Session;
}

/** Two names that differ in case are one account. */
export function nameKey(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

/** Who the audit log names without an account. Source: docs/reference/audit.md. */
const actorsWithoutAccount: ReadonlySet<string> = new Set([
  "anonymous",
  "bootstrap",
  "console",
  "local",
  "system",
]);

/** Whether rows of an account with this name would read as somebody else's in the audit log. */
export function isReservedName(name: string): boolean {
  const key = nameKey(name);
  return actorsWithoutAccount.has(key) || key.startsWith("console:");
}

export function accountOf(row: RegisterRow): Account {
  const roles = stringsOf(row.role_ids).toSorted();
  const custom = stringsOf(row.custom_permissions).flatMap(stringsOf);
  return {
    id: String(row.id),
    name: String(row.username),
    provider: row.auth_provider === "ad" ? "ad" : "local",
    displayName: textOf(row.display_name),
    email: textOf(row.email),
    isDisabled: row.disabled !== 0,
    createdAt: Number(row.created_at),
    passwordHash: textOf(row.password_hash),
    mustChangePassword: row.must_change_password !== 0,
    isUnclaimed: row.unclaimed === 1,
    failedAttempts: Number(row.failed_attempts),
    lockedUntil: numberOf(row.locked_until),
    roles,
    permissions: permissionsOf(roles, custom),
    channelScope: scopeOf(row.channel_scope, roles),
    totp: {
      isEnabled: row.totp_enabled === 1,
      enrolledAt: numberOf(row.totp_enrolled_at),
      recoveryCodes: textOf(row.totp_recovery_codes),
    },
  };
}

export function accountWithSecretsOf(row: RegisterRow): AccountWithSecrets {
  return {
    ...accountOf(row),
    totpSecret: textOf(row.totp_secret),
    totpStaged: textOf(row.totp_staged),
  };
}

export function sessionOf(row: RegisterRow): Session {
  return {
    id: String(row.token_hash),
    createdAt: Number(row.session_created_at),
    lastUsedAt: Number(row.last_used_at),
    expiresAt: Number(row.expires_at),
    verifiedIp: textOf(row.verified_ip),
    reauthAt: numberOf(row.reauth_at),
    mfaVerifiedAt: numberOf(row.mfa_verified_at),
  };
}

/** Administrators see every channel; a stored value that is no list of names shows none. */
function scopeOf(value: unknown, roles: readonly string[]): readonly string[] | null {
  if (value === null || value === undefined || roles.includes(ADMINISTRATOR)) return null;
  return stringsOf(value);
}

/** The strings of a JSON list; nothing of anything else. */
export function stringsOf(value: unknown): readonly string[] {
  if (typeof value !== "string") return [];
  try {
    const list: unknown = JSON.parse(value);
    return Array.isArray(list) && list.every((entry) => typeof entry === "string") ? list : [];
  } catch {
    return [];
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
