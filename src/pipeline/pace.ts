/**
 * Keeps intake at the pace of delivery, so that a flood is felt by its senders and not piled up.
 *
 * While partners take messages but the rows waiting for them stand for more than a moment of
 * their pace, each new message waits until a delivery made room, at most `waitMaxMs`; its sender
 * waits for the ACK that much longer. Partners that take nothing do not count: what they owe is
 * stored and forwarded later, without slowing anybody.
 */
import type { Clock } from "../clock.ts";

export interface PaceOptions {
  /** How long the flowing lanes may need for what they hold, milliseconds. */
  readonly backlogMs: number;
  /** Below this many rows nobody waits. */
  readonly rowsFree: number;
  readonly waitMaxMs: number;
}

export const defaultPace: PaceOptions = { backlogMs: 100, rowsFree: 64, waitMaxMs: 250 };

interface Waiter {
  readonly since: number;
  readonly go: () => void;
}

/** A lane counts as flowing this long after its last delivery. */
const FLOWING_MS = 500;

export class Pace {
  readonly #options: PaceOptions;
  readonly #clock: Clock;
  readonly #waiters: Waiter[] = [];
  /** Deliveries in the current and the last full window. */
  #deliveries = 0;
  #windowStart = 0;
  #rate = 0;
  /** Rows accepted and not yet delivered, of lanes that flow. */
  #flowingRows: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(clock: Clock, flowingRows: () => number, options = defaultPace) {
    this.#options = options;
    this.#clock = clock;
    this.#flowingRows = flowingRows;
  }

  /** Undefined: go on at once. Else resolves when it is this message's turn, in order. */
  wait(): Promise<void> | undefined {
    if (this.#waiters.length === 0 && !this.#congested()) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ since: this.#clock.monotonic(), go: resolve });
    this.#timer ??= setTimeout(() => this.#expire(), this.#options.waitMaxMs);
    return promise;
  }

  /** A row was delivered: one waiting message may go, and all of them once it is calm. */
  delivered(): void {
    this.#deliveries += 1;
    if (this.#waiters.length === 0) return;
    this.#waiters.shift()!.go();
    if (this.#waiters.length > 0 && !this.#congested()) this.#releaseAll();
  }

  /** Lets everybody go; used at stop. */
  close(): void {
    this.#closed = true;
    this.#releaseAll();
  }

  #congested(): boolean {
    if (this.#closed) return false;
    const rows = this.#flowingRows();
    if (rows <= this.#options.rowsFree) return false;
    return rows > this.#ratePerMs() * this.#options.backlogMs;
  }

  #ratePerMs(): number {
    const now = this.#clock.monotonic();
    const elapsed = now - this.#windowStart;
    if (elapsed >= FLOWING_MS) {
      this.#rate = this.#deliveries / elapsed;
      this.#deliveries = 0;
      this.#windowStart = now;
    }
    return Math.max(this.#rate, elapsed > 100 ? this.#deliveries / elapsed : 0);
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    while (this.#waiters[0] && now - this.#waiters[0].since >= this.#options.waitMaxMs - 1) {
      this.#waiters.shift()!.go();
    }
    const [next] = this.#waiters;
    if (next) {
      this.#timer = setTimeout(
        () => this.#expire(),
        Math.max(1, this.#options.waitMaxMs - (now - next.since)),
      );
    }
  }

  #releaseAll(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const waiter of this.#waiters.splice(0)) waiter.go();
  }
}

export { FLOWING_MS };
