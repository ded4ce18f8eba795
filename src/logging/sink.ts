/**
 * The sink of standard output; it never makes its caller wait: records are queued and written in
 * the background.
 *
 * A reader that stalls (a full pipe, a slow terminal) costs records, never a lane: the queue is
 * bounded, the oldest go first, and a record says how many went.
 */
import { type Clock, systemClock } from "../clock.ts";
import { type BufferBounds, defaultBounds, RecordBuffer } from "./buffer.ts";
import type { LogSink } from "./log.ts";
import { type LogFormat, LogRecord, renderRecord } from "./record.ts";

export interface SinkOptions {
  /** Writes some of the bytes and returns how many: `Deno.stdout.write`. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  readonly format: LogFormat;
  readonly bounds?: Partial<BufferBounds>;
  /** How long a flush, and so the end, waits for a reader. */
  readonly closeMs?: number;
  readonly clock?: Clock;
}

export interface Sink extends LogSink, AsyncDisposable {
  /** Records dropped so far. */
  readonly dropped: number;
  /** Resolves when every record queued before the call is written or given up; bounded. */
  flush(): Promise<void>;
}

/** Records written at once. */
const BATCH_RECORDS = 1_000;

/** Makes a sink; disposing it flushes, for a bounded time. */
export function createSink(options: SinkOptions): Sink {
  return new QueuedSink(options);
}

class QueuedSink implements Sink {
  readonly #options: SinkOptions;
  readonly #clock: Clock;
  readonly #buffer: RecordBuffer;
  readonly #encoder = new TextEncoder();
  #dropped = 0;
  #untold = 0;
  #draining: Promise<void> | undefined;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#buffer = new RecordBuffer({ ...defaultBounds, ...options.bounds });
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(record: LogRecord): void {
    const gone = this.#buffer.push(record);
    this.#dropped += gone;
    this.#untold += gone;
    this.#draining ??= this.#drain();
  }

  async flush(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.closeMs ?? 3_000);
    });
    await Promise.race([this.#drained(), tooLate]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }

  async #drained(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async #drain(): Promise<void> {
    // One turn of the loop gathers the records of a burst into one write.
    await Promise.resolve();
    try {
      while (this.#buffer.length > 0) {
        const records = this.#buffer.take(BATCH_RECORDS);
        if (this.#untold > 0) records.unshift(this.#notice());
        const lines = records.map((record) => `${renderRecord(record, this.#options.format)}\n`);
        await this.#writeAll(this.#encoder.encode(lines.join("")));
      }
    } catch {
      // The reader is gone; there is nobody left to tell.
      this.#dropped += this.#buffer.take(Infinity).length;
    } finally {
      this.#draining = undefined;
    }
  }

  /** Stands where the records are missing, whatever the level is. */
  #notice(): LogRecord {
    const fields = { records: this.#untold };
    this.#untold = 0;
    return LogRecord.of("warning", "logging.dropped", { fields, atMs: this.#clock.now() });
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await this.#options.write(bytes.subarray(done));
    }
  }
}
