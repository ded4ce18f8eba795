/** Waits for the operator: the first signal asks for a clean stop, a second one for an end. */

/** What asks for a stop, beside a hang-up of the terminal. */
export const stopSignals: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

export const hangup: Deno.Signal = "SIGHUP";

/**
 * True when a hang-up means that the terminal is gone. Without one it is what it is to every service:
 * a request to load the configuration again.
 */
export function hangupStops(): boolean {
  return Deno.stdin.isTerminal();
}

/**
 * Ctrl+C reaches launcher and engine, and the launcher passes its own on: what arrives this soon
 * after the first is the same one.
 */
const SAME_SIGNAL_MS = 500;

export class StopSignals implements Disposable {
  /** Names the signal, or what else asked for the stop. */
  readonly first: Promise<string>;
  readonly second: Promise<string>;
  readonly #listeners = new Map<Deno.Signal, () => void>();
  readonly #onFirst: (reason: string) => void;
  #firstAt: number | undefined;

  constructor({ hangupStops }: { readonly hangupStops: boolean }) {
    const first = Promise.withResolvers<string>();
    const second = Promise.withResolvers<string>();
    this.first = first.promise;
    this.second = second.promise;
    this.#onFirst = (reason) => {
      this.#firstAt ??= performance.now();
      first.resolve(reason);
    };
    for (const signal of hangupStops ? [...stopSignals, hangup] : stopSignals) {
      const listener = () => {
        const isFirst = this.#firstAt === undefined;
        if (isFirst) this.#onFirst(signal);
        else if (performance.now() - (this.#firstAt ?? 0) > SAME_SIGNAL_MS) second.resolve(signal);
      };
      this.#listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    }
  }

  /** Asks for a stop as a signal would: the launcher is gone. */
  stop(reason: string): void {
    this.#onFirst(reason);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
