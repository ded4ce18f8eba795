/**
 * Has what comes in quick succession go together: the first at once, and whatever follows it within
 * a moment at the end of that moment.
 *
 * Acts of people and their audit rows are written past the log, each batch a transaction that the
 * traffic waits for; many looks at messages in one moment are one such transaction.
 */
export class Spaced<T> {
  readonly #send: (items: T[]) => void;
  readonly #spaceMs: () => number;
  #items: T[] = [];
  #sentAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param spaceMs How long a moment is, asked anew when one may have ended. */
  constructor(send: (items: T[]) => void, spaceMs: () => number) {
    this.#send = send;
    this.#spaceMs = spaceMs;
  }

  add(item: T): void {
    this.#items.push(item);
    if (this.#timer === undefined) this.#look();
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items.length === 0) return;
    this.#sentAt = performance.now();
    this.#send(this.#items.splice(0));
  }

  #look(): void {
    this.#timer = undefined;
    const waitMs = this.#sentAt + this.#spaceMs() - performance.now();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.#look(), waitMs);
  }
}
