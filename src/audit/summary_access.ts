/**
 * Who saw fields of patient data in lists, counted: one audit row for each reader, channel filter and
 * hour. A dashboard that lists messages every few seconds would fill the log with rows otherwise.
 *
 * The count of the hour that runs is in memory, so an engine that is killed loses it; one that is
 * stopped writes it. Bodies are never counted here: each look at one has a row before it is answered.
 * Source: spec api §2.12.
 */
import type { Clock } from "../clock.ts";
import type { AuditFields } from "../crypto/audit_chain.ts";
import { auditRecord, auditRow } from "./row.ts";

/** What was shown to whom. */
export interface SummaryAccess {
  readonly actor: string;
  /** The inbound that was asked for; undefined: any. */
  readonly channel: string | undefined;
  /** Objects with at least one field of patient data. */
  readonly count: number;
}

export interface SummaryAccessLogOptions {
  readonly clock: Clock;
  /** Appends rows in one commit. */
  readonly append: (rows: readonly AuditFields[]) => Promise<unknown>;
  /** Told of each row that is durable. */
  readonly tell: (record: ReturnType<typeof auditRecord>) => void;
  /** Told that rows could not be appended; they are tried again. */
  readonly onFailed: (thrown: unknown) => void;
}

interface Tally extends SummaryAccess {
  /** Milliseconds since the epoch. */
  readonly windowStart: number;
}

const WINDOW_MS = 3_600_000;
/** How often it is looked whether the hour is over. */
const LOOK_MS = 60_000;
/** Readers and filters in memory; with more, all are written at once. */
const TALLIES_MAX = 1_000;

export class SummaryAccessLog implements AsyncDisposable {
  readonly #options: SummaryAccessLogOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #tallies = new Map<string, Tally>();
  /** Writes follow one another, so that none of two ends before what it found is written. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SummaryAccessLogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#flush("past"), LOOK_MS);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Counts what is about to be shown. */
  add({ actor, channel, count }: SummaryAccess): void {
    if (count === 0) return;
    const windowStart = this.#windowStart;
    const key = JSON.stringify([windowStart, actor, channel]);
    const before = this.#tallies.get(key)?.count ?? 0;
    this.#tallies.set(key, { actor, channel, count: before + count, windowStart });
    void this.#flush(this.#tallies.size > TALLIES_MAX ? "all" : "past");
  }

  /** Writes what is counted so far; never rejects. */
  flush(): Promise<void> {
    return this.#flush("all");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#flush("all");
  }

  get #windowStart(): number {
    const now = this.#options.clock.now();
    return now - now % WINDOW_MS;
  }

  /** `past`: the hour that runs stays. */
  #flush(which: "all" | "past"): Promise<void> {
    return this.#writing = this.#writing.then(() => this.#write(which));
  }

  async #write(which: "all" | "past"): Promise<void> {
    const running = this.#windowStart;
    const due = [...this.#tallies].filter(([, { windowStart }]) =>
      which === "all" || windowStart !== running
    );
    if (due.length === 0) return;
    for (const [key] of due) this.#tallies.delete(key);
    const { clock, append, tell, onFailed } = this.#options;
    const rows = due.map(([, { actor, channel, count, windowStart }]) =>
      auditRow({
        now: clock.now(),
        actor,
        action: "summary_access",
        channel,
        facts: { count, window_start: windowStart / 1000 },
      })
    );
    try {
      await append(rows);
    } catch (thrown) {
      for (const [key, tally] of due) {
        const { count } = this.#tallies.get(key) ?? { count: 0 };
        this.#tallies.set(key, { ...tally, count: tally.count + count });
      }
      onFailed(thrown);
      return;
    }
    for (const row of rows) tell(auditRecord(row));
  }
}
