/**
 * Recovery codes as they are stored: Argon2id under one salt, so that a guess costs one hash.
 *
 * A code has 74 bits of its own, so less is spent on it than on a password. Source: NIST SP
 * 800-63B §5.1.2.2.
 */
import { timingSafeEqual } from "node:crypto";
import { asRecoveryCode, makeRecoveryCode } from "./one_time_codes.ts";
import type { HashCost, PasswordHasher } from "./password_hash.ts";

const cost: HashCost = { memory: 19_456, passes: 2, lanes: 1 };
const SALT_BYTES = 16;

interface Stored {
  /** Base64. */
  readonly salt: string;
  readonly hashes: readonly string[];
}

/** Makes codes: what is shown once, and what is kept. */
export async function makeRecoveryCodes(
  count: number,
  hasher: PasswordHasher,
): Promise<{ readonly codes: readonly string[]; readonly stored: string }> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const codes = Array.from({ length: count }, makeRecoveryCode);
  const hashes: string[] = [];
  for (const code of codes) hashes.push((await hasher.derive(code, salt, cost)).toBase64());
  const stored: Stored = { salt: salt.toBase64(), hashes };
  return { codes, stored: JSON.stringify(stored) };
}

/** What is left once this code is used; undefined when it is none of them. */
export async function withoutCode(
  stored: string | null,
  typed: string,
  hasher: PasswordHasher,
): Promise<string | undefined> {
  const code = asRecoveryCode(typed);
  const kept = parse(stored);
  if (code === undefined || kept === undefined) return undefined;
  const hash = await hasher.derive(code, Uint8Array.fromBase64(kept.salt), cost);
  const rest = kept.hashes.filter((text) => !timingSafeEqual(Uint8Array.fromBase64(text), hash));
  return rest.length < kept.hashes.length ? JSON.stringify({ ...kept, hashes: rest }) : undefined;
}

export function recoveryCodesLeft(stored: string | null): number {
  return parse(stored)?.hashes.length ?? 0;
}

function parse(stored: string | null): Stored | undefined {
  if (stored === null) return undefined;
  try {
    const { salt, hashes } = JSON.parse(stored) as Stored;
    const isWhole = typeof salt === "string" && Array.isArray(hashes) &&
      hashes.every((hash) => typeof hash === "string" && hash.length === 44);
    return isWhole ? { salt, hashes } : undefined;
  } catch {
    return undefined;
  }
}
