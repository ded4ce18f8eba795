/** Waits for the operator: the first signal asks for a clean stop, a second one for an end. */

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Ctrl+C reaches launcher and engine, and the launcher passes its own on: what arrives this soon
 * after the first is the same one.
 */
const SAME_SIGNAL_MS = 500;

export class StopSignals implements Disposable {
  readonly first: Promise<Deno.Signal>;
  readonly second: Promise<Deno.Signal>;
  readonly #listeners = new Map<Deno.Signal, () => void>();
  #firstAt: number | undefined;

  constructor() {
    const first = Promise.withResolvers<Deno.Signal>();
    const second = Promise.withResolvers<Deno.Signal>();
    this.first = first.promise;
    this.second = second.promise;
    for (const signal of SIGNALS) {
      const listener = () => {
        const now = performance.now();
        if (this.#firstAt === undefined) {
          this.#firstAt = now;
          first.resolve(signal);
        } else if (now - this.#firstAt > SAME_SIGNAL_MS) second.resolve(signal);
      };
      this.#listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
