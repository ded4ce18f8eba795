/**
 * The sink that sends a copy of every record to a syslog collector, and never makes anyone wait.
 *
 * A log call puts its record into a bounded buffer and returns. One loop in the background connects,
 * sends, and waits longer after each failure. A collector that is away, slow or stalled costs the
 * oldest records; how many is counted and logged. What was being sent when a link broke is sent
 * again, so a collector may see a record twice. Source: pipeline-store-cluster §9.4, I74.
 */
import { backoffMs, type BackoffPolicy } from "../backoff.ts";
import { type Clock, systemClock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import { type BufferBounds, defaultBounds, RecordBuffer } from "./buffer.ts";
import { type CollectorAddress, type CollectorLink, openLink } from "./collector_link.ts";
import type { LogSink } from "./log.ts";
import type { Logger } from "./logger.ts";
import type { LogFormat, LogRecord } from "./record.ts";
import { syslogMessage } from "./syslog.ts";

export interface ForwarderOptions extends CollectorAddress {
  readonly format: LogFormat;
  /** Told what becomes of the collector; what it writes comes back here as any record does. */
  readonly logger: Logger;
  readonly bounds?: Partial<BufferBounds>;
  /** Longest wait for a connection, and for a collector that takes no more bytes. */
  readonly stallMs?: number;
  /** How long the end waits for what is buffered to leave. */
  readonly closeMs?: number;
  /** Time between two records that tell of drops, or of a link that was lost. */
  readonly tellMs?: number;
  readonly backoff?: BackoffPolicy;
  readonly clock?: Clock;
}

export interface Forwarder extends LogSink, AsyncDisposable {
  /** Records handed to the network so far. */
  readonly forwarded: number;
  /** Records dropped so far. */
  readonly dropped: number;
  /** Records waiting. */
  readonly waiting: number;
}

const BATCH_RECORDS = 128;

const defaults = {
  stallMs: 5_000,
  closeMs: 3_000,
  tellMs: 60_000,
  backoff: { backoffMs: 500, multiplier: 2, maxBackoffMs: 30_000 },
  clock: systemClock,
};

/** Starts a forwarder; disposing it gives what is buffered a bounded time to leave. */
export function startForwarder(options: ForwarderOptions): Forwarder {
  return new SyslogForwarder(options);
}

class SyslogForwarder implements Forwarder {
  readonly #options: ForwarderOptions & typeof defaults;
  readonly #buffer: RecordBuffer;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  /** Taken from the buffer and not yet handed to the network. */
  #batch: LogRecord[] = [];
  #link: CollectorLink | undefined;
  /** In a row; they lengthen the wait. */
  #failures = 0;
  #isLostTold = false;
  #lostToldAt = -Infinity;
  #forwarded = 0;
  #dropped = 0;
  #untold = 0;
  #toldAt = -Infinity;
  #isClosing = false;
  /** Ends the wait for a record. */
  #arrived = () => {};
  /** Ends the wait after a failure; only the end does that. */
  #cutShort = () => {};

  constructor(options: ForwarderOptions) {
    this.#options = { ...defaults, ...options };
    this.#buffer = new RecordBuffer({ ...defaultBounds, ...options.bounds });
    this.#running = this.#run();
  }

  get forwarded(): number {
    return this.#forwarded;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get waiting(): number {
    return this.#batch.length + this.#buffer.length;
  }

  write(record: LogRecord): void {
    if (this.#isClosing) this.#drop(1);
    else {
      this.#drop(this.#buffer.push(record));
      this.#arrived();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#arrived();
    this.#cutShort();
    const limit = setTimeout(() => this.#abort.abort(), this.#options.closeMs);
    await this.#running;
    clearTimeout(limit);
    const left = this.#batch.length + this.#buffer.take(Infinity).length;
    this.#batch = [];
    this.#drop(left);
    this.#tellDrops();
  }

  async #run(): Promise<void> {
    while (await this.#hasWork()) {
      try {
        await this.#sendSome();
      } catch (thrown) {
        await this.#closeLink();
        this.#tellFailure(thrown);
        // At the end nobody waits for a collector that is away.
        if (this.#isClosing) break;
        await this.#pause(backoffMs(this.#options.backoff, this.#failures));
      }
    }
    await this.#closeLink();
  }

  /** Waits for a record; false: the end, and nothing is left. */
  async #hasWork(): Promise<boolean> {
    while (this.waiting === 0) {
      if (this.#isClosing) return false;
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
    // A turn of the loop gathers a burst into one batch, and its caller goes on meanwhile.
    await this.#pause(0);
    return !this.#abort.signal.aborted;
  }

  async #sendSome(): Promise<void> {
    const { protocol, host, port, format, stallMs } = this.#options;
    if (this.#link?.isOpen === false) {
      await this.#closeLink();
      // Counts as a failure, or a collector that ends every connection would get one after another.
      if (!this.#isClosing) throw new Deno.errors.ConnectionReset("closed by the collector");
    }
    this.#link ??= await openLink({ protocol, host, port, stallMs, signal: this.#abort.signal });
    if (this.#batch.length === 0) this.#batch = this.#buffer.take(BATCH_RECORDS);
    const messages = this.#batch.map((record) =>
      syslogMessage(record, { format, processId: Deno.pid })
    );
    await this.#link.send(messages);
    this.#forwarded += this.#batch.length;
    this.#batch = [];
    this.#tellSuccess();
  }

  async #closeLink(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.[Symbol.asyncDispose]();
  }

  #tellFailure(thrown: unknown): void {
    this.#failures++;
    const now = this.#options.clock.monotonic();
    if (this.#isLostTold || now - this.#lostToldAt < this.#options.tellMs) return;
    this.#isLostTold = true;
    this.#lostToldAt = now;
    this.#options.logger.warning("logging.forward_lost", {
      collector: this.#collector,
      error: errorClass(thrown),
    });
  }

  #tellSuccess(): void {
    this.#failures = 0;
    if (this.#isLostTold) {
      this.#isLostTold = false;
      this.#options.logger.info("logging.forward_restored", { collector: this.#collector });
      this.#toldAt = -Infinity;
    }
    this.#tellDropsInTime();
  }

  #drop(records: number): void {
    if (records === 0) return;
    this.#dropped += records;
    this.#untold += records;
    // Not from within the log call that dropped them: its other sinks still wait for its record.
    if (!this.#isClosing) queueMicrotask(() => this.#tellDropsInTime());
  }

  #tellDropsInTime(): void {
    const now = this.#options.clock.monotonic();
    if (this.#untold === 0 || now - this.#toldAt < this.#options.tellMs) return;
    this.#toldAt = now;
    this.#tellDrops();
  }

  #tellDrops(): void {
    if (this.#untold === 0) return;
    const records = this.#untold;
    this.#untold = 0;
    this.#options.logger.error("logging.forward_dropped", {
      collector: this.#collector,
      records,
      total: this.#dropped,
    });
  }

  get #collector(): string {
    const { protocol, host, port } = this.#options;
    return `${protocol}:${host}:${port}`;
  }

  /** Waits; the end cuts it short. */
  async #pause(ms: number): Promise<void> {
    if (this.#isClosing) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#cutShort = resolve;
    });
    clearTimeout(timer);
  }
}
