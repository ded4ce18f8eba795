/** Counts the timers of this thread that are set and have not fired, for as long as it is watched. */
export class RunningTimers implements Disposable {
  readonly #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
  };
  readonly #running = new Set<unknown>();

  constructor() {
    const real = this.#real;
    const running = this.#running;
    globalThis.setTimeout =
      ((run: (...given: unknown[]) => void, ms: number, ...given: unknown[]) => {
        const id = real.setTimeout(() => {
          running.delete(id);
          run(...given);
        }, ms);
        running.add(id);
        return id;
      }) as typeof globalThis.setTimeout;
    globalThis.setInterval = ((run: () => void, ms: number, ...given: []) => {
      const id = real.setInterval(run, ms, ...given);
      running.add(id);
      return id;
    }) as typeof globalThis.setInterval;
    globalThis.clearTimeout = (id) => {
      running.delete(id);
      real.clearTimeout(id);
    };
    globalThis.clearInterval = (id) => {
      running.delete(id);
      real.clearInterval(id);
    };
  }

  get count(): number {
    return this.#running.size;
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#real);
  }
}
