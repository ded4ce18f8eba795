/**
 * Argon2id, bounded: how passwords become what is stored, and how one is checked against it.
 *
 * The runtime derives on threads of its own, so the engine's thread never waits for a hash; two run
 * at once, the rest wait, and past a bound they are refused, for each takes 64 MiB. Encoded as
 * `$argon2id$v=19$m=65536,t=3,p=4$salt$hash`. Source: RFC 9106; spec api §2.2.
 */
import { timingSafeEqual } from "node:crypto";
import { AuthError } from "./errors.ts";

export interface HashCost {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

/** Of passwords. */
export const passwordCost: HashCost = { memory: 65_536, passes: 3, lanes: 4 };
const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** What any stored hash may ask for: a row that was changed must not take the machine's memory. */
const MEMORY_MAX = 262_144;
const PASSES_MAX = 16;

const RUNNING_MAX = 2;
const WAITING_MAX = 32;

interface Encoded {
  readonly cost: HashCost;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly hash: Uint8Array<ArrayBuffer>;
}

export class PasswordHasher {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** Of no password; what is spent on accounts that are not there. */
  #dummy: string | undefined;

  /** @throws {AuthError} `auth.busy`. */
  async hash(password: string): Promise<string> {
    const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
    return encode({ cost: passwordCost, salt, hash: await this.derive(password, salt) });
  }

  /** @throws {AuthError} `auth.busy`. */
  async verify(password: string, encoded: string): Promise<boolean> {
    const stored = decode(encoded);
    if (stored === undefined) {
      await this.spend(password);
      return false;
    }
    const hash = await this.derive(password, stored.salt, stored.cost);
    return timingSafeEqual(hash, stored.hash);
  }

  /** Takes as long as `verify()` and tells nothing. @throws {AuthError} `auth.busy`. */
  async spend(password: string): Promise<void> {
    const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
    this.#dummy ??= encode({ cost: passwordCost, salt, hash: new Uint8Array(HASH_BYTES) });
    await this.verify(password, this.#dummy);
  }

  /** Whether a hash was made with less than is asked for today. */
  isWeak(encoded: string): boolean {
    const stored = decode(encoded);
    return stored === undefined || stored.cost.memory < passwordCost.memory ||
      stored.cost.passes < passwordCost.passes || stored.salt.length < SALT_BYTES;
  }

  /** The bare hash of a text under a salt. @throws {AuthError} `auth.busy`. */
  async derive(
    text: string,
    salt: Uint8Array<ArrayBuffer>,
    cost: HashCost = passwordCost,
  ): Promise<Uint8Array<ArrayBuffer>> {
    await this.#enter();
    try {
      const { subtle } = crypto as unknown as { readonly subtle: Argon2 };
      const secret = new TextEncoder().encode(text.normalize("NFKC"));
      const key = await subtle.importKey("raw-secret", secret, "Argon2id", false, ["deriveBits"]);
      const { memory, passes, lanes: parallelism } = cost;
      const algorithm = { name: "Argon2id", nonce: salt, memory, passes, parallelism };
      return new Uint8Array(await subtle.deriveBits(algorithm, key, HASH_BYTES * 8));
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> {
    if (this.#running < RUNNING_MAX) {
      this.#running += 1;
      return Promise.resolve();
    }
    if (this.#waiting.length >= WAITING_MAX) return Promise.reject(tooBusy());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The place goes to whoever waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

export function tooBusy(): AuthError {
  return new AuthError("auth.busy", "Too many sign-ins are being checked; try again in a moment");
}

/** What the runtime has and its types do not name yet. */
interface Argon2 {
  importKey(
    format: "raw-secret",
    key: Uint8Array,
    name: "Argon2id",
    extractable: false,
    usages: readonly ["deriveBits"],
  ): Promise<unknown>;
  deriveBits(
    algorithm: Readonly<Record<string, unknown>>,
    key: unknown,
    bits: number,
  ): Promise<ArrayBuffer>;
}

function encode({ cost: { memory, passes, lanes }, salt, hash }: Encoded): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${lanes}$${base64(salt)}$${base64(hash)}`;
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}

function decode(text: string): Encoded | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/
      .exec(text);
  if (match === null) return undefined;
  const [memory, passes, lanes] = match.slice(1, 4).map(Number) as [number, number, number];
  if (memory < 8 * lanes || memory > MEMORY_MAX || passes < 1 || passes > PASSES_MAX || lanes < 1) {
    return undefined;
  }
  const salt = bytesOf(match[4]!);
  const hash = bytesOf(match[5]!);
  if (salt === undefined || salt.length < 8 || hash?.length !== HASH_BYTES) return undefined;
  return { cost: { memory, passes, lanes }, salt, hash };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}
