/**
 * Looks at what other nodes would say, for SQL Server tells nobody: what it has for that needs its
 * Service Broker, which Azure SQL Database lacks, a restored database has switched off, and an
 * administrator has to tend.
 *
 * One row of three small tables, read when nothing was seen for {@link LOOK_MS}; a beat shows the same.
 * So an act on a standby and a lease that was given back are found in that time, whatever the beat is
 * (I40, I65), and three idle nodes look five times a second.
 */
import type { News } from "../cluster.ts";
import type { Connection, Row } from "../server/connection.ts";

export interface WatchOptions {
  readonly connection: Connection;
  /** Statement `look`. */
  readonly text: string;
  readonly news: Pick<News, "leaseReleased" | "configMoved" | "actNoted">;
}

/** What is read. */
interface Sighting {
  readonly config_version: number;
  /** 1: the lease was given back, and nobody has taken it since. */
  readonly is_free: number;
  readonly epoch: number;
  readonly has_acts: number;
}

/**
 * The larger part of the second that an act on a standby may take; and more than half a second, so
 * that with a beat every second there is one look between two beats.
 */
export const LOOK_MS = 600;

export class Watch implements AsyncDisposable {
  readonly #options: WatchOptions;
  #seen: Sighting | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;
  #isEnding = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** What a beat has shown; its own answer tells of the configuration and of acts. */
  shown(row: Row): void {
    this.#take(row as unknown as Sighting, { isBeat: true });
    this.#wait();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (!this.#isEnding) this.#timer = setTimeout(() => this.#looking = this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    const { connection, text } = this.#options;
    try {
      // The heartbeat makes a connection that was lost again, and says so.
      if (connection.isOpen) {
        const [row] = await connection.run(text);
        this.#take(row as unknown as Sighting, { isBeat: false });
      }
    } catch {
      // It is looked at again.
    }
    this.#wait();
  }

  #take(now: Sighting, { isBeat }: { readonly isBeat: boolean }): void {
    const { news } = this.#options;
    const before = this.#seen;
    this.#seen = now;
    const wasFree = before?.is_free === 1 && before.epoch === now.epoch;
    if (now.is_free === 1 && !wasFree) news.leaseReleased();
    if (isBeat) return;
    if (before !== undefined && now.config_version !== before.config_version) news.configMoved();
    if (now.has_acts === 1) news.actNoted();
  }
}
