/**
 * Has what comes in quick succession go together: the first at once, and whatever follows it within
 * a moment at the end of that moment.
 *
 * Acts of people and their audit rows are written past the log, each batch a transaction that the
 * traffic waits for; many looks at messages in one moment are one such transaction. Beside a flood
 * one takes longer, for it stands in line, and the moment is longer with it.
 */

const SPACE_MS = 25;
/** What is done takes one part of the time and leaves so many to the traffic ... */
const TRAFFIC_SHARE = 24;
/** ... but nobody waits longer for it to begin. */
const SPACE_MS_MAX = 75;

export class Spaced<T> {
  readonly #send: (items: T[]) => Promise<unknown>;
  #items: T[] = [];
  #nextAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param send Resolves when it is done; never rejects. */
  constructor(send: (items: T[]) => Promise<unknown>) {
    this.#send = send;
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
    const sentAt = performance.now();
    this.#nextAt = sentAt + SPACE_MS;
    void this.#send(this.#items.splice(0)).then(() => {
      const spaceMs = Math.min((performance.now() - sentAt) * TRAFFIC_SHARE, SPACE_MS_MAX);
      this.#nextAt = Math.max(this.#nextAt, sentAt + spaceMs);
    });
  }

  #look(): void {
    this.#timer = undefined;
    const waitMs = this.#nextAt - performance.now();
    if (waitMs <= 0) this.flush();
    // It may have become longer by then.
    else this.#timer = setTimeout(() => this.#look(), waitMs);
  }
}
