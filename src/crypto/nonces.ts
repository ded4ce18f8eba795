/**
 * Nonces for AES-GCM: 8 random bytes, redrawn now and then, and a counter of 4 bytes.
 *
 * Wholly random ones are safe for 2^32 uses of a key, which is a week of a busy engine. These are
 * unique within a process by construction; between processes they rest on 64 random bits drawn
 * once in 2^20 uses. A machine that is cloned while it runs shares the rest of one draw at most.
 * Source: NIST SP 800-38D §8.2.1.
 */
import { randomFillSync } from "node:crypto";

export const NONCE_BYTES = 12;
const PREFIX_BYTES = 8;
/** Uses of one random prefix. */
export const NONCES_PER_PREFIX = 2 ** 20;

export class Nonces {
  readonly #fillRandom: (bytes: Uint8Array) => void;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  /** Goes on over a redrawn prefix, so that even a prefix drawn twice repeats no nonce soon. */
  #count = 0;

  /** `fillRandom` is for tests. */
  constructor(fillRandom: (bytes: Uint8Array) => void = (bytes) => void randomFillSync(bytes)) {
    this.#fillRandom = fillRandom;
  }

  /** Writes the next nonce to the first 12 bytes of `target`. */
  writeNext(target: Uint8Array): void {
    if (this.#count % NONCES_PER_PREFIX === 0) this.#fillRandom(this.#prefix);
    target.set(this.#prefix);
    const count = this.#count;
    target[PREFIX_BYTES] = count >>> 24;
    target[PREFIX_BYTES + 1] = count >>> 16;
    target[PREFIX_BYTES + 2] = count >>> 8;
    target[PREFIX_BYTES + 3] = count;
    this.#count = (count + 1) % 2 ** 32;
  }
}
