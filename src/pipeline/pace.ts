/**
 * Keeps intake at the pace of what follows, so that a flood is felt by its senders and not piled up.
 *
 * Two stretches are watched: messages on their way to a hand-off, and rows of lanes whose partners
 * take them at once. While one of them holds more than a moment's work, each new message waits
 * until that stretch made room, at most `waitMaxMs`; its sender waits for the ACK that much longer.
 * Lanes whose partners take nothing, or take it slowly, do not count: what they owe is stored and
 * forwarded later, without slowing anybody.
 */
import type { Clock } from "../clock.ts";

export interface PaceOptions {
  /** How long a stretch may need for what it holds, milliseconds. */
  readonly backlogMs: number;
  /** Below this many rows in a stretch nobody waits. */
  readonly rowsFree: number;
  readonly waitMaxMs: number;
}

export const defaultPace: PaceOptions = { backlogMs: 30, rowsFree: 64, waitMaxMs: 250 };

interface Waiter {
  readonly since: number;
  readonly go: () => void;
}

/** Window over which a stretch's pace is taken, milliseconds. */
const WINDOW_MS = 500;

/** One stretch of the way: how many rows stand in it, how fast they leave. */
class Stretch {
  readonly #rows: () => number;
  readonly #clock: Clock;
  #left = 0;
  #windowStart = 0;
  /** Rows a millisecond in the last full window. */
  #rate = 0;

  constructor(clock: Clock, rows: () => number) {
    this.#clock = clock;
    this.#rows = rows;
  }

  leave(): void {
    this.#left += 1;
  }

  isCongested({ rowsFree, backlogMs }: PaceOptions): boolean {
    const rows = this.#rows();
    return rows > rowsFree && rows > this.#ratePerMs() * backlogMs;
  }

  #ratePerMs(): number {
    const elapsed = this.#clock.monotonic() - this.#windowStart;
    if (elapsed >= WINDOW_MS) {
      this.#rate = this.#left / elapsed;
      this.#left = 0;
      this.#windowStart += elapsed;
      return this.#rate;
    }
    return elapsed > WINDOW_MS / 5 ? Math.max(this.#rate, this.#left / elapsed) : this.#rate;
  }
}

export class Pace {
  readonly #options: PaceOptions;
  readonly #clock: Clock;
  readonly #routing: Stretch;
  readonly #delivery: Stretch;
  readonly #waiters: Waiter[] = [];
  readonly #onHold: (isHolding: boolean) => void;
  /** Waiters told to go whose callers have not run yet, and the last of them. */
  #leaving = 0;
  #lastLeaving: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** `toRoute`: messages not handed off yet. `flowing`: rows of lanes that deliver at once. */
  constructor(
    clock: Clock,
    rows: { readonly toRoute: () => number; readonly flowing: () => number },
    { onHold = () => {}, ...options }: PaceOptions & {
      /** Messages begin or cease to wait here. */
      readonly onHold?: (isHolding: boolean) => void;
    } = defaultPace,
  ) {
    this.#options = options;
    this.#onHold = onHold;
    this.#clock = clock;
    this.#routing = new Stretch(clock, rows.toRoute);
    this.#delivery = new Stretch(clock, rows.flowing);
  }

  /** Undefined: go on at once. Else resolves when it is this message's turn, in order. */
  wait(): Promise<void> | undefined {
    if (this.#waiters.length === 0 && this.#bottleneck() === undefined) {
      // A caller that goes on at once would overtake those that are about to.
      return this.#leaving > 0 ? this.#lastLeaving : undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    // Registered before the caller's own wait, so it runs right before the caller goes on.
    void promise.then(() => this.#leaving -= 1);
    const go = () => {
      this.#leaving += 1;
      this.#lastLeaving = promise;
      resolve();
    };
    if (this.#waiters.push({ since: this.#clock.monotonic(), go }) === 1) this.#onHold(true);
    this.#timer ??= setTimeout(() => this.#expire(), this.#options.waitMaxMs);
    return promise;
  }

  /** A message was handed off. */
  handedOff(): void {
    this.#routing.leave();
    if (this.#waiters.length > 0) this.#makeRoom(this.#routing);
  }

  /** A row was delivered. */
  delivered(): void {
    this.#delivery.leave();
    if (this.#waiters.length > 0) this.#makeRoom(this.#delivery);
  }

  /** Lets everybody go; used at stop. */
  close(): void {
    this.#closed = true;
    this.#releaseAll();
  }

  /** One in for one out of the stretch that is too full; all once it is calm. */
  #makeRoom(stretch: Stretch): void {
    const bottleneck = this.#bottleneck();
    if (bottleneck === undefined) this.#releaseAll();
    else if (bottleneck === stretch) this.#release(this.#waiters.splice(0, 1));
  }

  #bottleneck(): Stretch | undefined {
    if (this.#closed) return undefined;
    if (this.#delivery.isCongested(this.#options)) return this.#delivery;
    return this.#routing.isCongested(this.#options) ? this.#routing : undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const { waitMaxMs } = this.#options;
    const now = this.#clock.monotonic();
    const due = this.#waiters.findIndex(({ since }) => now - since < waitMaxMs - 1);
    this.#release(this.#waiters.splice(0, due === -1 ? Infinity : due));
    const [next] = this.#waiters;
    if (next) {
      const waitMs = Math.max(1, waitMaxMs - (now - next.since));
      this.#timer = setTimeout(() => this.#expire(), waitMs);
    }
  }

  #releaseAll(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#release(this.#waiters.splice(0));
  }

  #release(waiters: readonly Waiter[]): void {
    if (waiters.length === 0) return;
    if (this.#waiters.length === 0) this.#onHold(false);
    for (const waiter of waiters) waiter.go();
  }
}
