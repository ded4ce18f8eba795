/**
 * Message ids: 32 hex digits that sort by time of making (UUIDv7 without dashes, RFC 9562 §5.7), so
 * that the index over them grows at its end.
 */

const RANDOM_BYTES = 4096;

export class MessageIds {
  readonly #random = new Uint8Array(RANDOM_BYTES);
  #used = RANDOM_BYTES;
  #lastMs = 0;
  #sequence = 0;

  /** `nowMs` milliseconds since the epoch; a clock that steps back does not break the order. */
  next(nowMs: number): string {
    const ms = Math.floor(nowMs);
    if (ms > this.#lastMs) {
      this.#lastMs = ms;
      this.#sequence = 0;
    } else if (this.#sequence < 0xfff) {
      this.#sequence += 1;
    } else {
      // More than a millisecond can number: the next one lends its numbers.
      this.#lastMs += 1;
      this.#sequence = 0;
    }
    const sequence = (this.#sequence | 0x7000).toString(16);
    return this.#lastMs.toString(16).padStart(12, "0") + sequence + this.#tail();
  }

  #tail(): string {
    if (this.#used + 8 > RANDOM_BYTES) {
      crypto.getRandomValues(this.#random);
      this.#used = 0;
    }
    let hex = "";
    for (let index = 0; index < 8; index += 1) {
      let byte = this.#random[this.#used + index]!;
      if (index === 0) byte = (byte & 0x3f) | 0x80;
      hex += HEX[byte]!;
    }
    this.#used += 8;
    return hex;
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
