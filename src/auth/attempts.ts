/**
 * One attempt at a time for each name, so that guesses made at once are counted one by one.
 *
 * Names that exist and names that do not wait alike: who waits must not tell which is which.
 */
import { tooBusy } from "./password_hash.ts";

/** Attempts of one name that may wait, and of all names together. */
const WAITING_A_NAME_MAX = 8;
const WAITING_MAX = 64;

export class Attempts {
  readonly #lines = new Map<string, { waiting: number; last: Promise<unknown> }>();
  #waiting = 0;

  /** @throws {AuthError} `auth.busy`, and whatever `attempt` throws. */
  async run<T>(name: string, attempt: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(name) ?? { waiting: 0, last: Promise.resolve() };
    if (line.waiting >= WAITING_A_NAME_MAX || this.#waiting >= WAITING_MAX) throw tooBusy();
    line.waiting += 1;
    this.#waiting += 1;
    this.#lines.set(name, line);
    const turn = line.last.then(attempt, attempt);
    line.last = turn;
    try {
      return await turn;
    } finally {
      line.waiting -= 1;
      this.#waiting -= 1;
      if (line.waiting === 0) this.#lines.delete(name);
    }
  }
}
