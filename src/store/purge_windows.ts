/** What is due of each connection, and where a batch of retention ends: the same for every backend. */
import type { PurgeIntent, PurgeMark } from "./purge.ts";

export class Windows {
  readonly #before: number;
  readonly #exceptions: ReadonlyMap<string, number>;
  /** Nothing that is younger is due, of whichever connection. */
  readonly newest: number;

  constructor({ before, exceptions = [] }: PurgeIntent) {
    this.#before = before;
    this.#exceptions = new Map(exceptions);
    this.newest = Math.max(before, ...this.#exceptions.values());
  }

  /** @param at As read from the database; microseconds since the epoch. */
  isDue(connection: unknown, at: unknown): boolean {
    return Number(at) < (this.#exceptions.get(String(connection)) ?? this.#before);
  }
}

/** Where the next batch begins, when there may be one. */
export function markOf(
  found: readonly Readonly<Record<string, unknown>>[],
  { looked, limit, at }: { readonly looked: number; readonly limit: number; readonly at: string },
): PurgeMark | undefined {
  const last = found[looked - 1];
  const isMore = looked < found.length || found.length === limit;
  if (!isMore || last === undefined) return undefined;
  return { at: Number(last[at]), seq: Number(last.seq) };
}
