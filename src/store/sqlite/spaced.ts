/**
 * Has what comes in quick succession go together: the first at once, and whatever follows it within
 * a moment at the end of that moment.
 *
 * Acts of people and their audit rows are written past the log, each batch a transaction that the
 * traffic waits for; many looks at messages in one moment are one such transaction.
 */
const SPACE_MS = 25;

export class Spaced<T> {
  readonly #send: (items: T[]) => void;
  #items: T[] = [];
  #nextAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (items: T[]) => void) {
    this.#send = send;
  }

  add(item: T): void {
    this.#items.push(item);
    if (this.#timer !== undefined) return;
    const waitMs = this.#nextAt - performance.now();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), waitMs);
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items.length === 0) return;
    this.#nextAt = performance.now() + SPACE_MS;
    this.#send(this.#items.splice(0));
  }
}
