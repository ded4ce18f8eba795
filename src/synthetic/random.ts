/**
 * Chance that can be repeated: a seeded stream of numbers, the same on every machine.
 *
 * Generator: sfc32 (PractRand's small fast counter), seeded through FNV-1a and a Weyl sequence.
 * Not for secrets.
 */

/** What starts a stream; equal seeds give equal streams, `7` and `"7"` among them. */
export type Seed = number | string;

/** Hashes text to 32 bits. Source: FNV-1a, offset 2166136261, prime 16777619. */
export function hashSeed(seed: Seed): number {
  const text = String(seed);
  let hash = 2166136261;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  }
  return hash >>> 0;
}

/** A repeatable stream of choices. */
export class Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: Seed) {
    this.#seed = String(seed);
    const hash = hashSeed(seed);
    this.#a = hash;
    this.#b = (hash ^ 0x9e3779b9) >>> 0;
    this.#c = Math.imul(hash, 0x85ebca6b) >>> 0;
    for (let round = 0; round < 12; round++) this.#next();
  }

  /** Returns a stream of its own, which what is drawn here before or after cannot shift. */
  fork(label: string): Random {
    return new Random(`${this.#seed}/${label}`);
  }

  /** Returns a whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor((this.#next() / 0x1_0000_0000) * (most - least + 1));
  }

  /** Returns true in `percent` of a hundred draws. */
  chance(percent: number): boolean {
    return this.int(1, 100) <= percent;
  }

  /**
   * Returns one of `choices`.
   *
   * @throws {RangeError} when there is nothing to choose from.
   */
  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError("Cannot pick from an empty list");
    return choices[this.int(0, choices.length - 1)] as T;
  }

  /** Returns `count` different choices in their own order, all of them when there are fewer. */
  some<T>(choices: readonly T[], count: number): T[] {
    const chosen: T[] = [];
    let wanted = Math.min(count, choices.length);
    for (let index = 0; index < choices.length && wanted > 0; index++) {
      if (this.int(1, choices.length - index) <= wanted) {
        chosen.push(choices[index] as T);
        wanted--;
      }
    }
    return chosen;
  }

  /** Returns `length` decimal digits, the first never 0. */
  digits(length: number): string {
    let text = String(this.int(1, 9));
    while (text.length < length) text += String(this.int(0, 9));
    return text;
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
