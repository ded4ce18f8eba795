/**
 * A sink that never makes its caller wait: lines are queued and written in the background.
 *
 * A reader that stalls (a full pipe, a slow terminal) costs log lines, never a lane: the queue is
 * bounded, the oldest lines go first, and a line says how many went.
 */

export interface SinkOptions {
  /** Writes some of the bytes and returns how many: `Deno.stdout.write`. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** Lines waiting at most. */
  readonly linesMax?: number;
}

export interface Sink extends AsyncDisposable {
  readonly write: (line: string) => void;
  /** Lines dropped so far. */
  readonly dropped: number;
  /** Resolves when every line queued before the call is written or given up. */
  flush(): Promise<void>;
}

/** Makes a sink; disposing it flushes. */
export function createSink(options: SinkOptions): Sink {
  return new QueuedSink(options);
}

class QueuedSink implements Sink {
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  readonly #linesMax: number;
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #dropped = 0;
  #unreported = 0;
  #draining: Promise<void> | undefined;

  constructor({ write, linesMax = 10_000 }: SinkOptions) {
    this.#write = write;
    this.#linesMax = linesMax;
  }

  get dropped(): number {
    return this.#dropped;
  }

  readonly write = (line: string): void => {
    if (this.#lines.length >= this.#linesMax) {
      // A quarter at once: shifting one line at a time would cost the whole queue each time.
      const gone = Math.max(1, this.#linesMax >> 2);
      this.#lines.splice(0, gone);
      this.#dropped += gone;
      this.#unreported += gone;
    }
    this.#lines.push(line);
    this.#draining ??= this.#drain();
  };

  async flush(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }

  async #drain(): Promise<void> {
    // One turn of the loop gathers the lines of a burst into one write.
    await Promise.resolve();
    try {
      while (this.#lines.length > 0) {
        const lines = this.#lines;
        this.#lines = [];
        if (this.#unreported > 0) {
          lines.unshift(`messagefoundry.logging: logging.dropped lines=${this.#unreported}`);
          this.#unreported = 0;
        }
        await this.#writeAll(this.#encoder.encode(`${lines.join("\n")}\n`));
      }
    } catch {
      // The reader is gone; there is nobody left to tell.
      this.#dropped += this.#lines.length;
      this.#lines = [];
    } finally {
      this.#draining = undefined;
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await this.#write(bytes.subarray(done));
  }
}
