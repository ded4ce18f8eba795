/**
 * Intents of batches to come, sealed while the writer has nothing else to do.
 *
 * Sealing a message takes as long as all else that the writer does for it. What gathers for a commit
 * is known some milliseconds before; done then, lanes do not wait for it.
 */
import type { Intent } from "../intents.ts";

export interface Known {
  readonly sealed: readonly Intent[];
  /** What there was no time for; they follow the sealed ones. */
  readonly open: readonly Intent[];
}

export class Prepared {
  readonly #seal: (intent: Intent) => Intent;
  #intents: Intent[] = [];
  /** So many of them are sealed, from the first on. */
  #sealed = 0;

  constructor(seal: (intent: Intent) => Intent) {
    this.#seal = seal;
  }

  add(intents: readonly Intent[]): void {
    for (const intent of intents) this.#intents.push(intent);
  }

  /** Seals one after the other until this `isWanted` or all are; whoever seals may throw. */
  go(isWanted: () => boolean): void {
    while (this.#sealed < this.#intents.length && !isWanted()) {
      this.#intents[this.#sealed] = this.#seal(this.#intents[this.#sealed]!);
      this.#sealed += 1;
    }
  }

  /** Takes the first so many. */
  take(count: number): Known {
    const taken = this.#intents.splice(0, count);
    const sealed = Math.min(count, this.#sealed);
    this.#sealed -= sealed;
    return { sealed: taken.slice(0, sealed), open: taken.slice(sealed) };
  }
}
