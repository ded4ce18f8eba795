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

export class EventLog {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #redact: (text: string) => string;
  readonly #isOn: boolean;
  #events: ConnectionEventRow[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Events lost to overflow or a failed write. */
  dropped = 0;

  /** `isOn` false records nothing. */
  constructor(
    store: Store,
    clock: Clock,
    { redact, isOn }: { readonly redact: (text: string) => string; readonly isOn: boolean },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#redact = redact;
    this.#isOn = isOn;
  }

  add(event: ConnectionEvent): void {
    if (!this.#isOn) return;
    if (this.#events.length >= EVENTS_MAX) {
      this.dropped += 1;
      return;
    }
    this.#events.push({
      at: Math.round(this.#clock.now() * 1000),
      connection: event.connection,
      transport: event.transport,
      direction: event.direction,
      event: event.kind,
      peer: event.peer,
      reason: event.reason === undefined ? undefined : this.#redact(event.reason),
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
        await this.#store.submit({ kind: "connection_events", events });
      } catch {
        this.dropped += events.length;
      }
    }
  }
}
