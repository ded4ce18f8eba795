/**
 * Cells sealed with AES-256-GCM:
 *
 *     mfenc:v1:<key id>:<base64( nonce[12] || ciphertext || tag[16] )>
 *
 * Source: spec pipeline-store-cluster §4.1. Synchronous: the store's writer has a thread of its
 * own, and readers open a page at a time.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { CELL_PREFIX, type CellCipher, isDamaged, keylessCells, openClear } from "./cells.ts";
import { type CellKeys, keyIdOf } from "./keys.ts";
import { NONCE_BYTES, Nonces } from "./nonces.ts";

const ALGORITHM = "aes-256-gcm";
const TAG_BYTES = 16;
const OPTIONS = { authTagLength: TAG_BYTES };
const VERSION = "v1:";
const KEY_ID_AT = CELL_PREFIX.length + VERSION.length;
/** Of keys that had no id yet; read, never written. */
const LEGACY_KEY_ID = "0";

/** Room for a message of common size. */
const SCRATCH_BYTES = 16_384;
/** Of one UTF-16 unit. */
const UTF8_BYTES_MAX = 3;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What every sealed cell begins with, whichever key sealed it. */
export const SEALED_PREFIX = `${CELL_PREFIX}${VERSION}`;

/** Returns what the cells begin with that a key sealed. */
export function prefixOfKey(keyId: string): string {
  return `${SEALED_PREFIX}${keyId}:`;
}

/** Returns the cipher of a store with these keys, or of one without. */
export function cellCipherOf(keys: CellKeys | undefined): CellCipher {
  return keys === undefined ? keylessCells : new SealedCells(keys);
}

export class SealedCells implements CellCipher {
  readonly keyId: string;
  readonly #active: Uint8Array;
  /** Every key by its id, the active one first. */
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #nonces = new Nonces();
  readonly #prefix: string;
  /** Of the cell being sealed: what it holds in clear, and sealed. */
  #plain = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #sealed = new Uint8Array(SCRATCH_BYTES);

  constructor({ active, retired }: CellKeys) {
    this.keyId = keyIdOf(active);
    this.#active = active;
    this.#keys = new Map([active, ...retired].map((key) => [keyIdOf(key), key]));
    this.#prefix = prefixOfKey(this.keyId);
  }

  changes(text: string): boolean {
    return text !== "";
  }

  seal(text: string): string {
    if (text === "") return "";
    this.#makeRoom(text.length);
    const [plain, sealed] = [this.#plain, this.#sealed];
    const length = plain.write(text, "utf8");
    this.#nonces.writeNext(sealed);
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#active, nonce, OPTIONS);
    sealed.set(cipher.update(plain.subarray(0, length)), NONCE_BYTES);
    cipher.final();
    sealed.set(cipher.getAuthTag(), NONCE_BYTES + length);
    const base64 = sealed.subarray(0, NONCE_BYTES + length + TAG_BYTES).toBase64();
    // Joined it is one flat text; a sum of two is flattened later, into a copy of both.
    return [this.#prefix, base64].join("");
  }

  /** Memory of a cell's own would be garbage, at the rate of the traffic: it is used again. */
  #makeRoom(characters: number): void {
    const bytes = characters * UTF8_BYTES_MAX;
    if (bytes <= this.#plain.length) return;
    this.#plain = Buffer.allocUnsafeSlow(bytes);
    this.#sealed = new Uint8Array(NONCE_BYTES + bytes + TAG_BYTES);
  }

  open(cell: string): string | undefined {
    // Taken for clear text, a sealed cell that lost its prefix would go to a partner.
    if (!cell.startsWith(CELL_PREFIX)) return isDamaged(cell) ? undefined : cell;
    if (!cell.startsWith(VERSION, CELL_PREFIX.length)) return openClear(cell);
    const keyIdEnd = cell.indexOf(":", KEY_ID_AT);
    const keyId = cell.slice(KEY_ID_AT, Math.max(keyIdEnd, KEY_ID_AT));
    if (!isKeyId(keyId)) return undefined;
    const sealed = bytesOf(cell.slice(keyIdEnd + 1));
    if (sealed === undefined) return undefined;
    const named = this.#keys.get(keyId);
    const plain = named && decrypt(named, sealed);
    if (plain !== undefined) return plain;
    for (const key of this.#keys.values()) {
      const plain = key === named ? undefined : decrypt(key, sealed);
      if (plain !== undefined) return plain;
    }
    return undefined;
  }
}

function isKeyId(text: string): boolean {
  return text === LEGACY_KEY_ID || /^[0-9a-f]{16}$/.test(text);
}

function bytesOf(base64: string): Uint8Array | undefined {
  // The runtime's decoder skips white space, of which a sealed cell has none.
  if (/\s/.test(base64)) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
    return bytes.length < NONCE_BYTES + TAG_BYTES ? undefined : bytes;
  } catch {
    return undefined;
  }
}

function decrypt(key: Uint8Array, sealed: Uint8Array): string | undefined {
  const tagAt = sealed.length - TAG_BYTES;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(tagAt));
  const plain = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
  try {
    // Throws unless the tag fits; nothing is read from `plain` before.
    decipher.final();
  } catch {
    return undefined;
  }
  return utf8.decode(plain);
}
