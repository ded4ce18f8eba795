/**
 * How much of the queue memory may hold: one budget over all lanes, a smaller one a lane.
 *
 * Rows are the authority; memory only saves reading them back. A row that does not fit is
 * spilled: it stays in the store and its lane reads it from there, in order.
 */

/** What one lane may hold, so that a stuck partner cannot take the memory of the others. */
export const LANE_ROWS_MAX = 512;
export const LANE_BYTES_MAX = 4 * 1024 * 1024;

/** Rough cost of a held row beside its text: the object, its key strings, map entries. */
const ROW_OVERHEAD_BYTES = 512;

export class MemoryBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = 64 * 1024 * 1024) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/**
 * Book-keeping of one lane: what memory holds, what only the store holds.
 *
 * A lane is hot while `spilled` is 0: memory then holds all its open rows, and new rows may join.
 * Once a row spilled, all later rows spill too until the store's side is drained, so memory is
 * always a prefix of the lane.
 */
export class LaneMemory {
  readonly #budget: MemoryBudget;
  #rows = 0;
  #bytes = 0;
  /** Open rows that only the store holds. */
  spilled = 0;
  /** Rows out of the books while the store is asked for them. Nothing is decided by them. */
  inQuestion = 0;
  /** Grows with each reset; answers to intents of an earlier generation are stale. */
  generation = 0;

  constructor(budget: MemoryBudget, spilled: number) {
    this.#budget = budget;
    this.spilled = spilled;
  }

  get isHot(): boolean {
    return this.spilled === 0;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Open rows of the lane, wherever they are. */
  get depth(): number {
    return this.#rows + this.spilled;
  }

  /** The same for whoever looks from outside: a lane that counts does not look empty. */
  get openRows(): number {
    return this.depth + this.inQuestion;
  }

  /** Reserves room for a new row, or counts it as spilled. */
  admit(textLength: number): boolean {
    if (this.isHot && this.#fits(textLength)) return true;
    this.spilled += 1;
    return false;
  }

  /** Takes rows read back from the store; they are held even over budget, for they must run. */
  adopt(textLength: number): void {
    const bytes = textLength + ROW_OVERHEAD_BYTES;
    if (!this.#budget.take(bytes)) this.#budget.give(-bytes);
    this.#rows += 1;
    this.#bytes += bytes;
  }

  /** A held row is gone: resolved, or its write failed. */
  drop(textLength: number): void {
    const bytes = textLength + ROW_OVERHEAD_BYTES;
    this.#budget.give(bytes);
    this.#rows -= 1;
    this.#bytes -= bytes;
  }

  /** Forgets everything held; the caller asks the store how many rows are open. */
  reset(): void {
    this.#budget.give(this.#bytes);
    this.#rows = 0;
    this.#bytes = 0;
    this.spilled = 0;
    this.generation += 1;
  }

  #fits(textLength: number): boolean {
    const bytes = textLength + ROW_OVERHEAD_BYTES;
    if (this.#rows >= LANE_ROWS_MAX || this.#bytes + bytes > LANE_BYTES_MAX) return false;
    if (!this.#budget.take(bytes)) return false;
    this.#rows += 1;
    this.#bytes += bytes;
    return true;
  }
}
