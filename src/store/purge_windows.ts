/** What is due of each connection, and where a batch of retention ends: the same for every backend. */
import type { PurgeIntent, PurgeMark } from "./purge.ts";

/** Bodies that one batch takes away, before the one that is too much: freeing pages takes time. */
const BATCH_BYTES = 1024 * 1024;

/** A row as a batch finds it: `seq`, and as `bytes` the size of the body that would go. */
type FoundRow = Readonly<Record<string, unknown>>;

interface DueColumns {
  /** With the connection whose window counts. */
  readonly connection: string;
  /** With the row's age; microseconds since the epoch. */
  readonly at: string;
  /** True for a row that stays, however old it is. */
  readonly isKept?: (row: FoundRow) => boolean;
}

/** What one batch takes of the rows it finds. */
export class DueRows {
  readonly #before: number;
  readonly #limit: number;
  readonly #exceptions: ReadonlyMap<string, number>;
  /** Nothing that is younger is due, of whichever connection. */
  readonly newest: number;

  constructor({ before, limit, exceptions = [] }: PurgeIntent) {
    this.#before = before;
    this.#limit = limit;
    this.#exceptions = new Map(exceptions);
    this.newest = Math.max(before, ...this.#exceptions.values());
  }

  /** Chooses what is due, and says where the next batch begins, when there may be one. */
  choose<R extends FoundRow>(
    found: readonly R[],
    { connection, at, isKept }: DueColumns,
  ): { readonly chosen: readonly R[]; readonly next: PurgeMark | undefined } {
    const chosen: R[] = [];
    let [looked, bytes] = [0, 0];
    for (const row of found) {
      if (bytes >= BATCH_BYTES) break;
      looked += 1;
      if (isKept?.(row) || !this.#isDue(row[connection], row[at])) continue;
      chosen.push(row);
      bytes += Number(row.bytes);
    }
    const last = found[looked - 1];
    const isMore = looked < found.length || found.length === this.#limit;
    const next = isMore && last !== undefined
      ? { at: Number(last[at]), seq: Number(last.seq) }
      : undefined;
    return { chosen, next };
  }

  #isDue(connection: unknown, at: unknown): boolean {
    return Number(at) < (this.#exceptions.get(String(connection)) ?? this.#before);
  }
}
