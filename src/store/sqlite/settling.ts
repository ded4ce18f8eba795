/**
 * Has the writer bring into the tables what it has answered, before somebody reads them.
 *
 * Whoever reads sees all that was answered before. Many that read share one such turn, and turns keep
 * a distance that grows with what one takes: messages on their way would otherwise be written again
 * and again for those who look at them.
 */

/** A turn takes one part of the time and leaves so many to the traffic. */
const TRAFFIC_SHARE = 24;
const WAIT_MS_MAX = 100;

export class Settling {
  readonly #settle: () => Promise<unknown>;
  #sent = 0;
  #settledTo = 0;
  /** The turn that has not begun: whoever joins it is covered. */
  #next: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** When the next turn may begin, milliseconds of the monotonic clock. */
  #nextAt = 0;
  #stopWaiting: (() => void) | undefined;

  /** @param settle Resolves when all batches sent before the call are in the tables. */
  constructor(settle: () => Promise<unknown>) {
    this.#settle = settle;
  }

  /** A batch is on its way to the writer. */
  sent(): void {
    this.#sent += 1;
  }

  /** Resolves when the tables hold all that was sent before. @throws {StoreError} */
  settled(): Promise<void> | undefined {
    if (this.#settledTo === this.#sent) return undefined;
    return this.#next ??= this.#turn();
  }

  /** Nobody waits for a turn any more. */
  stop(): void {
    this.#stopWaiting?.();
  }

  async #turn(): Promise<void> {
    await this.#last;
    const waitMs = this.#nextAt - performance.now();
    if (waitMs > 0) await this.#wait(waitMs);
    this.#next = undefined;
    const sent = this.#sent;
    const startedAt = performance.now();
    const settling = this.#settle();
    this.#last = settling.catch(() => {});
    await settling;
    const endedAt = performance.now();
    this.#nextAt = endedAt + Math.min((endedAt - startedAt) * TRAFFIC_SHARE, WAIT_MS_MAX);
    this.#settledTo = Math.max(this.#settledTo, sent);
  }

  async #wait(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#stopWaiting = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#stopWaiting = undefined;
  }
}
