/**
 * One text made of numbers and texts, and the way back: how the requests of a batch cross.
 *
 * A single text crosses at a third of what a list of them costs. It begins with the length of its
 * head, `12;`, then come the head, a number or the length of a text for each part, `7,=4,`, and all
 * the texts, one after the other.
 */

export class BatchWriter {
  #head = "";
  #texts = "";

  /** Adds a finite number, or a text. */
  add(part: number | string): void {
    if (typeof part === "number") {
      this.#head += part + ",";
    } else {
      this.#head += "=" + part.length + ",";
      this.#texts += part;
    }
  }

  finish(): string {
    return this.#head.length + ";" + this.#head + this.#texts;
  }
}

const COMMA = 0x2c;
const EQUALS = 0x3d;
const ZERO = 0x30;
/** Up to so many digits, and their comma, a sum is exact. */
const DIGITS_MAX = 15 + 1;

/** Gives the parts back in order. */
export class BatchReader {
  readonly #batch: string;
  readonly #headEnd: number;
  /** Where the next part stands in the head, and the next text behind it. */
  #at: number;
  #textAt: number;

  constructor(batch: string) {
    const semicolon = batch.indexOf(";");
    this.#batch = batch;
    this.#at = semicolon + 1;
    this.#headEnd = this.#at + Number(batch.slice(0, semicolon));
    this.#textAt = this.#headEnd;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#headEnd;
  }

  next(): number | string {
    if (this.#batch.charCodeAt(this.#at) !== EQUALS) return this.#number();
    this.#at++;
    const start = this.#textAt;
    this.#textAt += this.#number();
    return this.#batch.slice(start, this.#textAt);
  }

  #number(): number {
    const start = this.#at;
    let value = 0;
    for (let code = this.#batch.charCodeAt(this.#at++); code !== COMMA;) {
      if (!(code >= ZERO && code <= ZERO + 9)) return this.#fraction(start);
      value = value * 10 + (code - ZERO);
      code = this.#batch.charCodeAt(this.#at++);
    }
    return this.#at - start > DIGITS_MAX ? this.#fraction(start) : value;
  }

  /** Anything that is not a few digits alone. */
  #fraction(start: number): number {
    const end = this.#batch.indexOf(",", start);
    this.#at = end + 1;
    return Number(this.#batch.slice(start, end));
  }
}
