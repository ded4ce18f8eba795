/**
 * Message ids: 32 hex digits that sort by time of making (UUIDv7 without dashes, RFC 9562 §5.7), so
 * that the index over them grows at its end.
 */

const TAILS = 512;
const TAIL_BYTES = 8;
const TAIL_DIGITS = TAIL_BYTES * 2;
const SEQUENCE_MAX = 0xfff;

export class MessageIds {
  readonly #random = new Uint8Array(TAILS * TAIL_BYTES);
  /** `#random` in hex, made at once; what is left begins at `#tailAt`. */
  #tails = "";
  #tailAt = 0;
  #ms = -1;
  /** `#ms` as the first twelve digits. */
  #time = "";
  #sequence = 0;

  /** `nowMs` milliseconds since the epoch; a clock that steps back does not break the order. */
  next(nowMs: number): string {
    const ms = Math.floor(nowMs);
    if (ms > this.#ms) this.#moveTo(ms);
    else if (this.#sequence === SEQUENCE_MAX) this.#moveTo(this.#ms + 1);
    else this.#sequence += 1;
    const sequence = HEX[0x70 | this.#sequence >> 8]! + HEX[this.#sequence & 0xff]!;
    return this.#time + sequence + this.#tail();
  }

  #moveTo(ms: number): void {
    this.#ms = ms;
    this.#time = ms.toString(16).padStart(12, "0");
    this.#sequence = 0;
  }

  #tail(): string {
    if (this.#tailAt === this.#tails.length) this.#refill();
    const at = this.#tailAt;
    this.#tailAt = at + TAIL_DIGITS;
    return this.#tails.slice(at, at + TAIL_DIGITS);
  }

  #refill(): void {
    crypto.getRandomValues(this.#random);
    // The variant: the two highest bits of each tail.
    for (let at = 0; at < this.#random.length; at += TAIL_BYTES) {
      this.#random[at] = this.#random[at]! & 0x3f | 0x80;
    }
    this.#tails = this.#random.toHex();
    this.#tailAt = 0;
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
