/**
 * Has the writer bring into the tables what it has answered, before somebody reads them.
 *
 * Who asks for what is so *now* sees all that was answered before. People who look at traffic ask for
 * what was so *lately*: under a flood what they see is up to {@link FLOOD_DISTANCE_MS} old, for
 * messages on their way would otherwise be written again and again for those who look at them. Once
 * nothing is on its way they see all of it. What a person did is seen by whoever asks after it.
 */

/** What a read has to show. */
export type AsOf = "now" | "lately";

/** A turn takes one part of the time and leaves so many to the traffic. */
const TRAFFIC_SHARE = 24;
/** Nobody waits longer for a turn to begin. */
const WAIT_MS_MAX = 100;
/** So many batches from one turn to the next are a flood. */
const FLOOD_BATCHES = 64;
const FLOOD_DISTANCE_MS = 1_000;
/** Under a flood, who asks for what was so lately waits for a turn that is so near. */
const PATIENCE_MS = 25;

export class Settling {
  readonly #settle: () => Promise<unknown>;
  readonly #isBusy: () => boolean;
  #sent = 0;
  #settledTo = 0;
  /** What was sent up to here is seen by all. */
  #owedTo = 0;
  /** The turn that has not begun: whoever joins it is covered. */
  #next: Promise<void> | undefined;
  /** The turn that the writer is at, and up to where it covers. */
  #running: { readonly done: Promise<void>; readonly to: number } | undefined;
  #isFlood = false;
  #turns = 0;
  /** When the next turn may begin, milliseconds of the monotonic clock. */
  #nextAt = 0;
  #stopWaiting: (() => void) | undefined;

  /**
   * @param settle Resolves when all batches sent before the call are in the tables.
   * @param isBusy Whether batches are under way: a flood is over as soon as none is.
   */
  constructor(settle: () => Promise<unknown>, isBusy: () => boolean) {
    this.#settle = settle;
    this.#isBusy = isBusy;
  }

  /** A batch is on its way to the writer; one that a person acted with is seen by every later read. */
  sent(isAct: boolean): void {
    this.#sent += 1;
    if (isAct) this.#owedTo = this.#sent;
  }

  /** Resolves when the tables hold what a read has to show. @throws {StoreError} */
  settled(asOf: AsOf): Promise<void> | undefined {
    if (this.#settledTo === this.#sent) return undefined;
    if (asOf === "lately" && this.#isFlood && this.#isBusy()) {
      const running = this.#running;
      if (running !== undefined && running.to >= this.#owedTo) return running.done;
      const isFar = this.#nextAt - performance.now() > PATIENCE_MS;
      if (isFar && this.#settledTo >= this.#owedTo) return undefined;
    }
    return this.#next ??= this.#turn();
  }

  /**
   * The last turn, while all that is asked for lately may be as it was then: under a flood, until the
   * next one is due or somebody did something. Undefined at other times.
   */
  get sharedTurn(): number | undefined {
    const isShared = this.#isFlood && this.#settledTo >= this.#owedTo &&
      performance.now() < this.#nextAt && this.#isBusy();
    return isShared ? this.#turns : undefined;
  }

  /** Nobody waits for a turn any more. */
  stop(): void {
    this.#stopWaiting?.();
  }

  async #turn(): Promise<void> {
    await this.#running?.done.catch(() => {});
    const waitMs = Math.min(this.#nextAt - performance.now(), WAIT_MS_MAX);
    if (waitMs > 0) await this.#wait(waitMs);
    this.#next = undefined;
    const sent = this.#sent;
    const done = this.#run(sent);
    this.#running = { done, to: sent };
    try {
      await done;
    } finally {
      this.#running = undefined;
    }
  }

  async #run(sent: number): Promise<void> {
    const startedAt = performance.now();
    await this.#settle();
    const endedAt = performance.now();
    this.#turns += 1;
    this.#isFlood = sent - this.#settledTo >= FLOOD_BATCHES;
    const distanceMs = Math.min((endedAt - startedAt) * TRAFFIC_SHARE, WAIT_MS_MAX);
    this.#nextAt = endedAt + (this.#isFlood ? FLOOD_DISTANCE_MS : distanceMs);
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
