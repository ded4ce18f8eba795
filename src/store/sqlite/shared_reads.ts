/**
 * What was read since the last turn of `settling.ts` is not read again: under a flood the tables show
 * the same until the next turn, to everybody, and many who look at one page share one read of it.
 */
import type { Row } from "./reader_queries.ts";

/** Different reads that are kept; whoever asks for more is answered by the tables. */
const READS_MAX = 256;
/** Longer answers are not kept. */
const ROWS_MAX = 500;

export class SharedReads {
  #turn: number | undefined;
  readonly #rows = new Map<string, Promise<readonly Row[]>>();

  /**
   * @param turn the last turn; undefined: reads are not shared now.
   * @param read reads the rows, which nobody changes.
   */
  rows(
    turn: number | undefined,
    key: string,
    read: () => Promise<readonly Row[]>,
  ): Promise<readonly Row[]> {
    if (turn !== this.#turn) this.#rows.clear();
    this.#turn = turn;
    if (turn === undefined) return read();
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const found = read();
    if (this.#rows.size < READS_MAX) {
      this.#rows.set(key, found);
      const forget = () => {
        if (this.#rows.get(key) === found) this.#rows.delete(key);
      };
      found.then((rows) => rows.length > ROWS_MAX && forget(), forget);
    }
    return found;
  }
}
