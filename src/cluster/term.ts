/** One time of leading: from a promotion to the demotion that ends it. */

export class Term {
  readonly epoch: number;
  readonly #ending = new AbortController();
  readonly #isLeader: () => boolean;
  #isFollowed = false;

  /** `isLeader` asks the clocks whether this node may act under `epoch` now. */
  constructor(epoch: number, isLeader: () => boolean) {
    this.epoch = epoch;
    this.#isLeader = isLeader;
  }

  /** Aborted when the term ends; what runs under it is to stop. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Whether anything may be claimed, sent or accepted at this moment. Asked before each. */
  get isCurrent(): boolean {
    return !this.#ending.signal.aborted && this.#isLeader();
  }

  /** Another node leads already: nobody may be told that this one has taken a message. */
  get isFollowed(): boolean {
    return this.#isFollowed;
  }

  /** The database has shown the lease of another node. Ends the term. */
  follow(): void {
    this.#isFollowed = true;
    this.end("lost");
  }

  /** For good; the reason is told to whoever stops for it. */
  end(reason: string): void {
    this.#ending.abort(reason);
  }
}
