/**
 * Gathers acts of people: they and their audit rows are written past the log, each batch a
 * transaction that the traffic waits for; many looks at messages in one moment are one such
 * transaction.
 */

/** From one transaction of acts of people to the next, milliseconds: beside messages on their way. */
const SPACE_MS = 25;
/** The same beside lanes that march: they wait for each. */
const SPACE_MS_BESIDE_LANES = 75;

/** How far apart acts of people stand beside such traffic, milliseconds; 0 where there is none. */
export function spaceMsBeside(
  { isMarching, isBusy }: { readonly isMarching: boolean; readonly isBusy: boolean },
): number {
  if (isMarching) return SPACE_MS_BESIDE_LANES;
  return isBusy ? SPACE_MS : 0;
}

/**
 * Has what comes in quick succession go together: the first at once, and whatever follows it within
 * a moment at the end of that moment.
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
