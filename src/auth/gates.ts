/**
 * What a session has to have proved before a sensitive act: the second factor, the address, the
 * password, in this order. Source: spec api §2.5.
 */
import type { Settings } from "../settings/mod.ts";
import type { Account, Identity } from "./account.ts";
import { AuthError } from "./errors.ts";
import { ADMINISTRATOR } from "./permissions.ts";

type AuthSettings = Settings["auth"];

/** Whoever has a factor, and administrators where one is demanded; a directory has its own. */
export function needsSecondFactor(account: Account, { requireMfa }: AuthSettings): boolean {
  if (account.provider !== "local") return false;
  return account.totp.isEnabled || (requireMfa && account.roles.includes(ADMINISTRATOR));
}

/** @throws {AuthError} `auth.mfa_required`. */
export function requireSecondFactor(
  { account, session }: Identity,
  settings: AuthSettings,
): void {
  if (session.mfaVerifiedAt !== null || !needsSecondFactor(account, settings)) return;
  throw new AuthError("auth.mfa_required", "This needs multi-factor verification first");
}

/** True when the session has proved its password from another address than this one. */
export function isFromNewAddress(
  { session: { verifiedIp } }: Identity,
  client: string | undefined,
  { adminNewIpStepUp }: AuthSettings,
): boolean {
  if (!adminNewIpStepUp || client === undefined || verifiedIp === null) return false;
  return hostOf(client) !== hostOf(verifiedIp);
}

/** This machine has two addresses that are one. */
function hostOf(address: string): string {
  return /^(127(\.\d{1,3}){3}|::1)$/.test(address) ? "loopback" : address;
}

/** @throws {AuthError} `auth.step_up_required`. */
export function requireFreshPassword(
  { session: { reauthAt } }: Identity,
  now: number,
  { stepUpMaxAgeMs }: AuthSettings,
): void {
  const ageUs = reauthAt === null ? Infinity : now - reauthAt;
  if (ageUs >= 0 && ageUs <= stepUpMaxAgeMs * 1000) return;
  throw stepUpRequired();
}

export function stepUpRequired(): AuthError {
  return new AuthError(
    "auth.step_up_required",
    "This needs step-up re-verification: give the password again",
  );
}
