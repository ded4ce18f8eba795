/**
 * The second factor: codes of an authenticator, and recovery codes for when it is lost.
 *
 * Source: RFC 4226 §5.3 (HOTP), RFC 6238 §4 (TOTP, SHA-1, six digits, thirty seconds).
 */
import { createHmac, timingSafeEqual } from "node:crypto";

export const STEP_SECONDS = 30;
const DIGITS = 6;
const SECRET_BYTES = 20;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Without signs that look like one another. */
const RECOVERY_SIGNS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
const RECOVERY_GROUPS = 3;
const RECOVERY_GROUP_CHARS = 5;

/** A new secret in base32 without padding. */
export function makeSecret(): string {
  return toBase32(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

/** What an authenticator reads from a picture. */
export function otpauthUri(username: string, secret: string): string {
  const label = `MessageFoundry:${encodeURIComponent(username)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=MessageFoundry` +
    `&algorithm=SHA1&digits=${DIGITS}&period=${STEP_SECONDS}`;
}

/** The code of one counter value. */
export function hotp(secret: Uint8Array, counter: number): string {
  const message = new Uint8Array(8);
  new DataView(message.buffer).setBigUint64(0, BigInt(counter));
  const digest = createHmac("sha1", secret).update(message).digest();
  const at = digest[19]! & 0xf;
  const bits = digest.readUInt32BE(at) & 0x7fffffff;
  return String(bits % 10 ** DIGITS).padStart(DIGITS, "0");
}

/** The step of a time, milliseconds since the epoch. */
export function stepOf(now: number): number {
  return Math.floor(now / 1000 / STEP_SECONDS);
}

/**
 * The step whose code this is: the current one, the one before or the one after. All three are
 * compared. A code of the step to come uses that step up: counted as the current one, the same code
 * would be good once more when its own step begins (RFC 6238 §5.2).
 */
export function matchedStep(secret: string, code: string, now: number): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const key = fromBase32(secret);
  const current = stepOf(now);
  let matched: number | undefined;
  for (const step of [current - 1, current, current + 1]) {
    const isSame = timingSafeEqual(encoder.encode(hotp(key, step)), encoder.encode(code));
    if (isSame) matched = step;
  }
  return matched;
}

const encoder = new TextEncoder();

/** `K7QF2-9DMNA-3XZP4`: 74 bits. */
export function makeRecoveryCode(): string {
  const signs: string[] = [];
  while (signs.length < RECOVERY_GROUPS * RECOVERY_GROUP_CHARS) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    // Past the last whole run of signs the first ones would come more often.
    const limit = 256 - 256 % RECOVERY_SIGNS.length;
    if (byte! < limit) signs.push(RECOVERY_SIGNS[byte! % RECOVERY_SIGNS.length]!);
  }
  const groups = Array.from(
    { length: RECOVERY_GROUPS },
    (_, at) => signs.slice(at * RECOVERY_GROUP_CHARS, (at + 1) * RECOVERY_GROUP_CHARS).join(""),
  );
  return groups.join("-");
}

/** As it was given out, from what somebody typed; undefined for what cannot be one. */
export function asRecoveryCode(typed: string): string | undefined {
  const signs = typed.toUpperCase().replace(/[\s-]/g, "");
  if (signs.length !== RECOVERY_GROUPS * RECOVERY_GROUP_CHARS) return undefined;
  if ([...signs].some((sign) => !RECOVERY_SIGNS.includes(sign))) return undefined;
  return signs.replace(/(.{5})(?=.)/g, "$1-");
}

export function toBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8 | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[held >> bits & 31]!;
    }
  }
  return bits === 0 ? text : text + BASE32[held << (5 - bits) & 31]!;
}

export function fromBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const sign of text.toUpperCase()) {
    const value = BASE32.indexOf(sign);
    if (value < 0) continue;
    held = (held << 5 | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(held >> bits & 255);
    }
  }
  return Uint8Array.from(bytes);
}
