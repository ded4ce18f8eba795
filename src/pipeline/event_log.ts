/**
 * Writes connection events to the store off the hot path: gathered, bounded, never in anybody's
 * way. An overflow or a failed write loses events, never messages.
 */
import type { Clock } from "../clock.ts";
import type { ConnectionEvent } from "../connectors/connector.ts";
import type { ConnectionEventRow } from "../store/intents.ts";
import type { Store } from "../store/store.ts";

const EVENTS_MAX = 10_000;
const GATHER_MS = 250;
const BATCH_MAX = 500;

export interface EventLogOptions {
  readonly store: Pick<Store, "submit">;
  readonly clock: Clock;
  /** Takes out of a text what may be a patient's. */
  readonly redact: (text: string) => string;
  /** Whether what happens to a connection is written at all. */
  readonly records: (connection: string) => boolean;
}

export class EventLog {
  readonly #options: EventLogOptions;
  #events: ConnectionEventRow[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Events lost to overflow or a failed write. */
  dropped = 0;

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  add(event: ConnectionEvent): void {
    const { clock, redact, records } = this.#options;
    if (!records(event.connection)) return;
    if (this.#events.length >= EVENTS_MAX) {
      this.dropped += 1;
      return;
    }
    this.#events.push({
      at: Math.round(clock.now() * 1000),
      connection: event.connection,
      transport: event.transport,
      direction: event.direction,
      event: event.kind,
      peer: event.peer,
      reason: event.reason === undefined ? undefined : redact(event.reason),
    });
    this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS);
  }

  /** Writes what is gathered; resolves when it is stored or lost. */
  async flush(): Promise<void> {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#events.length > 0) {
      const events = this.#events.splice(0, BATCH_MAX);
      try {
        await this.#options.store.submit({ kind: "connection_events", events });
      } catch {
        this.dropped += events.length;
      }
    }
  }
}
