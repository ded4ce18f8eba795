/**
 * A cipher that seals no more often than it was granted.
 *
 * A key of AES-GCM may be used so and so often, so uses are counted, over restarts and crashes. They
 * are entered in the store in blocks, before the first of a block is made: what the store says is
 * never less than what was done. Source: NIST SP 800-38D §8.3; spec pipeline-store-cluster §4.1.
 */
import type { CellCipher } from "../crypto/cells.ts";

/** Uses entered at a time: half a minute of a busy engine. What a crash leaves of them is lost. */
export const USE_BLOCK = 2 ** 18;
/** Uses of a key after which it should be changed; 2^32 are the limit. */
export const USES_WARNED = 2 ** 31;
/** Uses kept for cells that are sealed while a batch is under way. */
const USE_MARGIN = 2 ** 14;

export interface UseBudget {
  readonly block: number;
  readonly margin: number;
}

const defaultBudget: UseBudget = { block: USE_BLOCK, margin: USE_MARGIN };

export class CountedCells implements CellCipher {
  readonly keyId: string | undefined;
  readonly #cipher: CellCipher;
  readonly #budget: UseBudget;
  #left = 0;

  /** `budget` is for tests. */
  constructor(cipher: CellCipher, budget = defaultBudget) {
    this.keyId = cipher.keyId;
    this.#cipher = cipher;
    this.#budget = budget;
  }

  /** Uses that are granted and not made. */
  get left(): number {
    return this.#left;
  }

  /** Uses to be granted before so many cells are sealed; 0 when there are enough. */
  wanted(cells: number): number {
    const { block, margin } = this.#budget;
    if (this.keyId === undefined || cells + margin <= this.#left) return 0;
    return Math.max(block, cells + margin);
  }

  grant(uses: number): void {
    this.#left += uses;
  }

  changes(text: string): boolean {
    return this.#cipher.changes(text);
  }

  seal(text: string): string {
    if (this.keyId !== undefined && text !== "") {
      if (this.#left === 0) throw new RangeError("Cannot seal: no use of the key is left");
      this.#left -= 1;
    }
    return this.#cipher.seal(text);
  }

  open(cell: string): string | undefined {
    return this.#cipher.open(cell);
  }
}
