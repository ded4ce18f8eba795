/** The loop of maintenance: one pass after the other, while this process leads. */
import { errorClass } from "../errors.ts";
import { purgeKinds } from "../store/purge.ts";
import { Figures, type MaintenanceFigures } from "./figures.ts";
import { isDueToday, localMoment } from "./local_day.ts";
import { type Memory, Pass, type PassOptions, rest } from "./pass.ts";

export type MaintenanceOptions = Omit<PassOptions, "figures" | "signal">;

/** An engine that has just started has other things to do. */
const FIRST_MS = 30_000;
/** A timer holds no more. */
const WAIT_MS_MAX = 2_000_000_000;
/** How often a wait looks at the clock on the wall: no minute of it is missed. */
const LOOK_MS = 30_000;

export class Maintenance implements AsyncDisposable {
  readonly #options: MaintenanceOptions;
  readonly #figures = new Figures();
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #memory: Memory | undefined;

  /** Begins the loop; it ends when disposed. */
  constructor(options: MaintenanceOptions) {
    this.#options = options;
    const startedAt = options.clock.monotonic();
    this.#loop = this.#run(startedAt);
  }

  get figures(): MaintenanceFigures {
    return this.#figures;
  }

  /** Lets the batch that runs end, and begins no other. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(startedAt: number): Promise<void> {
    const { signal } = this.#stopping;
    const { purgeIntervalMs } = this.#options.settings;
    await rest(Math.min(purgeIntervalMs, FIRST_MS), signal);
    while (!signal.aborted) {
      const begunAt = this.#options.clock.monotonic();
      const wasDue = this.#isReclaimDue();
      if (this.#options.isLeader()) await this.#pass(startedAt);
      const tookMs = this.#options.clock.monotonic() - begunAt;
      await this.#wait(Math.max(1, purgeIntervalMs - tookMs), { wasDue });
    }
  }

  /**
   * Waits for the next pass, no longer than until pages are to be given back: between that time and
   * midnight there may be no other. If they were to be when the pass before began, it has tried.
   */
  async #wait(ms: number, { wasDue }: { readonly wasDue: boolean }): Promise<void> {
    const { clock, settings, store } = this.#options;
    const { signal } = this.#stopping;
    const endsAt = clock.monotonic() + ms;
    const looks = settings.vacuumAt !== "" && store.upkeep !== undefined;
    let leftMs = ms;
    while (leftMs > 0 && !signal.aborted) {
      await rest(Math.min(Math.max(1, leftMs), looks ? LOOK_MS : WAIT_MS_MAX), signal);
      if (looks && !wasDue && this.#isReclaimDue()) return;
      leftMs = endsAt - clock.monotonic();
    }
  }

  #isReclaimDue(): boolean {
    const { settings: { vacuumAt: at }, clock, zone } = this.#options;
    return isDueToday(localMoment(clock.now(), zone), { at, lastDay: this.#memory?.reclaimedOn });
  }

  async #pass(startedAt: number): Promise<void> {
    try {
      this.#memory ??= await this.#recall(startedAt);
    } catch (thrown) {
      this.#figures.failures += 1;
      this.#options.logger.error("retention.failed", {
        chore: "recall",
        error: errorClass(thrown),
      });
      return;
    }
    if (!this.#isNeeded(this.#memory)) return;
    const { signal } = this.#stopping;
    await new Pass({ ...this.#options, figures: this.#figures, signal }, this.#memory).run();
  }

  /** What the process before this one left: a pass without its row, logs that were not cut off. */
  async #recall(startedAt: number): Promise<Memory> {
    const { store } = this.#options;
    const { counts, logsHoldPurged, reclaimedOn } = await store.retention();
    return {
      reclaimedOn,
      logsHoldPurged: logsHoldPurged && store.upkeep !== undefined,
      checkpointedAt: startedAt,
      isUnfinished: purgeKinds.some((kind) => counts[kind] > 0),
    };
  }

  #isNeeded({ isUnfinished, logsHoldPurged }: Memory): boolean {
    const { settings } = this.#options;
    return isUnfinished || logsHoldPurged || isSet(settings);
  }
}

function isSet(settings: PassOptions["settings"]): boolean {
  const { messagesDays, deadLetterDays, stateMaxAgeDays, maxDbMb, walCheckpointMs } = settings;
  const limits = [messagesDays, deadLetterDays, stateMaxAgeDays, maxDbMb, walCheckpointMs];
  return settings.vacuumAt !== "" || limits.some((limit) => limit > 0);
}
