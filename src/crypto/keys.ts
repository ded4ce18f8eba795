/**
 * The keys of a store as the operator gives them: base64 of 32 bytes, one active, others retired.
 *
 * Key bytes never stand in a message, a name or a log; the id of a key may stand anywhere.
 */
import { createHash } from "node:crypto";
import { EngineError } from "../errors.ts";

/** AES-256 takes 32 bytes. Source: A `[store]` encryption_key. */
export const KEY_BYTES = 32;
/** Hexadecimal digits of a key's id. */
const KEY_ID_LENGTH = 16;

export interface CellKeys {
  /** Seals and opens. */
  readonly active: Uint8Array;
  /** Only open. */
  readonly retired: readonly Uint8Array[];
}

export interface KeyTexts {
  readonly active: string | undefined;
  /** Separated by commas. */
  readonly retired: string | undefined;
}

/** Returns the id of a key: the first 16 hexadecimal digits of its SHA-256. */
export function keyIdOf(key: Uint8Array): string {
  return createHash("sha256").update(key).digest("hex").slice(0, KEY_ID_LENGTH);
}

/** Returns the ids of all keys, the active one first; none without keys. */
export function keyIdsOf(keys: CellKeys | undefined): readonly string[] {
  return keys === undefined ? [] : [keys.active, ...keys.retired].map(keyIdOf);
}

/**
 * Reads the keys of a store; returns undefined when there is none.
 *
 * @throws {EngineError} `crypto.key_invalid` for a text that is no key, and for retired keys
 * without an active one: what is new would be stored in clear beside what is sealed.
 */
export function readKeys({ active = "", retired = "" }: KeyTexts): CellKeys | undefined {
  const former = retired.split(",").filter((text) => text.trim() !== "");
  if (active.trim() === "") {
    if (former.length === 0) return undefined;
    throw invalid("Cannot use the retired keys of the store: there is no active key");
  }
  return {
    active: readKey(active) ?? fail("the encryption key of the store"),
    retired: former.map((text, index) =>
      readKey(text) ?? fail(`retired key ${index + 1} of the store`)
    ),
  };
}

function readKey(text: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    return bytes.length === KEY_BYTES ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function fail(which: string): never {
  throw invalid(`Cannot use ${which}: it is not base64 of ${KEY_BYTES} bytes`);
}

function invalid(message: string): EngineError {
  return new EngineError("crypto.key_invalid", message, {
    hint: 'A key is what "messagefoundry gen-key" prints',
  });
}
