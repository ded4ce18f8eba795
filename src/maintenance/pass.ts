/**
 * One pass: what is due goes, the files are cared for, and one audit row tells of it.
 *
 * Each chore stands for itself: one that fails is logged, the others go on, and the next pass tries
 * again. Leadership is asked for before every batch. Source: spec pipeline-store-cluster §5.
 */
import { auditRecord, auditRow } from "../audit/mod.ts";
import type { Clock } from "../clock.ts";
import { micros } from "../clock.ts";
import { EngineError, errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import type { Settings } from "../settings/mod.ts";
import { type PurgeKind, purgeKinds, type PurgeMark, type PurgeResult } from "../store/purge.ts";
import type { Store } from "../store/store.ts";
import type { Figures, StorageAdvisory } from "./figures.ts";
import { isDueToday, localMoment } from "./local_day.ts";

/** Days of connections that have a window of their own; 0 keeps. */
export interface OwnWindows {
  /** By inbound. */
  readonly messages: ReadonlyMap<string, number>;
  /** By outbound. */
  readonly deadLetters: ReadonlyMap<string, number>;
}

export interface PassOptions {
  readonly settings: Settings["retention"];
  /** Asked at each pass, for a reload may change them. */
  readonly ownWindows: () => OwnWindows;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether this process may write now; asked again before every batch. */
  readonly isLeader: () => boolean;
  /** Has a purge of state run and forgets what it deleted. */
  readonly purgeState: (
    purge: () => Promise<PurgeResult["state"]>,
  ) => Promise<void>;
  readonly onStorage: (advisory: StorageAdvisory) => void;
  readonly figures: Figures;
  readonly signal: AbortSignal;
  /** IANA name; the machine's own zone when left out. */
  readonly zone?: string;
}

/** What a pass keeps in mind for the next one. */
export interface Memory {
  /** The local day free pages were last given back on; undefined until it is read. */
  reclaimedOn: string | undefined;
  /** Of the monotonic clock. */
  checkpointedAt: number;
  /** The logs beside the database may hold what was purged from it. */
  logsHoldPurged: boolean;
  /** A pass before has purged and not told of it. */
  isUnfinished: boolean;
}

const DAY_US = 86_400_000_000;
/** Rows a batch looks at: a commit of some milliseconds, for others wait for it. */
const BATCH_ROWS = 100;
/** Free pages a step gives back, 2 MiB. */
const RECLAIM_PAGES = 256;
/** The writer is others' for at least as long as a batch took, and for this long. */
const REST_MS = 2;
/** Between two lines about a pass that takes long. */
const PROGRESS_MS = 30_000;
const BYTES_PER_MB = 1_000_000;
/** Windows of connections that an audit row names, of each kind. */
const SHOWN_MAX = 20;

export class Pass {
  readonly #options: PassOptions;
  readonly #memory: Memory;
  readonly #counts = new Map<PurgeKind, number>();
  readonly #own: OwnWindows;
  #saidAt: number;
  #hasFailed = false;

  constructor(options: PassOptions, memory: Memory) {
    this.#options = options;
    this.#memory = memory;
    this.#saidAt = options.clock.monotonic();
    this.#own = options.ownWindows();
  }

  /** Runs to its end, or as far as leadership and the signal let it. Never throws. */
  async run(): Promise<void> {
    const { figures, clock, isLeader } = this.#options;
    figures.isRunning = true;
    try {
      if (this.#memory.isUnfinished) await this.#chore("audit", () => this.#end({ isLate: true }));
      for (const kind of purgeKinds) await this.#chore(kind, () => this.#purge(kind));
      let reclaimedOn: string | undefined;
      await this.#chore("reclaim", async () => reclaimedOn = await this.#reclaim());
      await this.#chore("checkpoint", () => this.#checkpoint(reclaimedOn !== undefined));
      let advisory: StorageAdvisory | undefined;
      await this.#chore("size", async () => advisory = await this.#lookAtSize());
      // A stop does not keep it: it is one commit, and tells of what is done.
      await this.#chore("audit", () => this.#end({ reclaimedOn, advisory }), isLeader);
      if (!this.#hasFailed && this.#mayGoOn) figures.lastDoneAt = clock.now();
    } finally {
      figures.passes += 1;
      figures.isRunning = false;
    }
  }

  get #mayGoOn(): boolean {
    return !this.#options.signal.aborted && this.#options.isLeader();
  }

  async #chore(
    chore: string,
    act: () => Promise<unknown>,
    mayRun = () => this.#mayGoOn,
  ): Promise<void> {
    if (!mayRun()) return;
    const { logger, figures } = this.#options;
    try {
      await act();
    } catch (thrown) {
      this.#hasFailed = true;
      figures.failures += 1;
      const code = thrown instanceof EngineError ? thrown.code : undefined;
      logger.error("retention.failed", { chore, error: errorClass(thrown), code });
    }
  }

  async #purge(of: PurgeKind): Promise<void> {
    const { store, clock, figures } = this.#options;
    const now = micros(clock);
    const beforeOf = (days: number) => days === 0 ? 0 : now - days * DAY_US;
    const before = beforeOf(this.#daysOf(of));
    const exceptions = [...this.#ownOf(of)].map(([name, days]) => [name, beforeOf(days)] as const);
    if (before === 0 && exceptions.every(([, own]) => own === 0)) return;
    let after: PurgeMark | undefined;
    do {
      const batch = { kind: "purge", of, before, exceptions, limit: BATCH_ROWS, after } as const;
      const startedAt = clock.monotonic();
      const { purged, next } = await this.#batch(() =>
        store.submit({ ...batch, at: micros(clock) })
      );
      if (purged > 0) {
        this.#memory.isUnfinished = true;
        this.#memory.logsHoldPurged = store.upkeep !== undefined;
      }
      figures.add(of, purged);
      this.#counts.set(of, (this.#counts.get(of) ?? 0) + purged);
      after = next;
      if (after !== undefined) await this.#rest(clock.monotonic() - startedAt);
    } while (after !== undefined && this.#mayGoOn);
  }

  async #batch(submit: () => Promise<PurgeResult>): Promise<PurgeResult> {
    let result: PurgeResult | undefined;
    await this.#options.purgeState(async () => (result = await submit()).state);
    return result!;
  }

  #daysOf(kind: PurgeKind): number {
    const { messagesDays, deadLetterDays, stateMaxAgeDays } = this.#options.settings;
    switch (kind) {
      case "dead_letters":
        return deadLetterDays;
      case "state":
        return stateMaxAgeDays;
      default:
        return messagesDays;
    }
  }

  #ownOf(kind: PurgeKind): ReadonlyMap<string, number> {
    if (kind === "messages") return this.#own.messages;
    return kind === "dead_letters" ? this.#own.deadLetters : new Map();
  }

  /** Gives free pages back; returns the day this was done for, undefined when it was not due. */
  async #reclaim(): Promise<string | undefined> {
    const { settings, store: { upkeep }, clock, zone, logger } = this.#options;
    if (upkeep === undefined) return undefined;
    const now = localMoment(clock.now(), zone);
    const lastDay = this.#memory.reclaimedOn;
    if (!isDueToday(now, { at: settings.vacuumAt, lastDay })) return undefined;
    let left = Infinity;
    for (;;) {
      const startedAt = clock.monotonic();
      const before = left;
      left = await upkeep.reclaim(RECLAIM_PAGES);
      // Others free pages meanwhile: what they free later is tomorrow's.
      if (left === 0 || left >= before) break;
      this.#say({ chore: "reclaim", pages_left: left });
      await this.#rest(clock.monotonic() - startedAt);
      if (!this.#mayGoOn) return undefined;
    }
    logger.info("retention.reclaimed", { pages_left: left });
    return now.day;
  }

  /** Cuts the logs off when it is time, or when they may hold what was purged. */
  async #checkpoint(hasReclaimed: boolean): Promise<void> {
    const { settings, store: { upkeep }, clock, logger } = this.#options;
    if (upkeep === undefined) return;
    const { walCheckpointMs } = settings;
    const sinceMs = clock.monotonic() - this.#memory.checkpointedAt;
    const isTime = walCheckpointMs > 0 && sinceMs >= walCheckpointMs;
    const commitLog = this.#memory.logsHoldPurged;
    if (!isTime && !hasReclaimed && !commitLog) return;
    if (await upkeep.checkpoint({ commitLog })) {
      this.#memory.checkpointedAt = clock.monotonic();
      this.#memory.logsHoldPurged = false;
    } else {
      logger.warning("retention.log_held", {
        reason: "Another process reads the store, so its log is cut off by the next pass",
      });
    }
  }

  async #lookAtSize(): Promise<StorageAdvisory | undefined> {
    const { settings: { maxDbMb }, store, logger, onStorage, figures } = this.#options;
    if (maxDbMb === 0 || store.upkeep === undefined) return undefined;
    const sizeBytes = await store.upkeep.sizeBytes();
    const limitBytes = maxDbMb * BYTES_PER_MB;
    figures.isOverSize = sizeBytes > limitBytes;
    if (!figures.isOverSize) return undefined;
    const advisory = { store: store.path, sizeBytes, limitBytes };
    logger.warning("retention.storage_threshold", {
      size_bytes: sizeBytes,
      limit_bytes: limitBytes,
    });
    onStorage(advisory);
    return advisory;
  }

  /** Appends the audit row, when there is something to tell. */
  async #end({ reclaimedOn, advisory, isLate }: {
    readonly reclaimedOn?: string;
    readonly advisory?: StorageAdvisory;
    /** It tells of a pass that was cut short. */
    readonly isLate?: boolean;
  }): Promise<void> {
    const { settings, store, clock, logger } = this.#options;
    const detail = {
      messages_days: settings.messagesDays,
      dead_letter_days: settings.deadLetterDays,
      state_max_age_days: settings.stateMaxAgeDays,
      ...shownWindows(this.#own),
      ...(isLate ? { cut_short: true } : {}),
      vacuumed: reclaimedOn !== undefined,
      ...(advisory === undefined
        ? {}
        : { size_bytes: advisory.sizeBytes, limit_bytes: advisory.limitBytes }),
    };
    const row = auditRow({ now: clock.now(), actor: "system", action: "retention_purge" });
    const { audited, counts } = await store.submit({
      kind: "end_purge",
      audit: { ...row, detail },
      isNoted: reclaimedOn !== undefined || advisory !== undefined,
      logsAreClean: !this.#memory.logsHoldPurged,
      reclaimedOn,
    });
    this.#memory.isUnfinished = false;
    if (reclaimedOn !== undefined) this.#memory.reclaimedOn = reclaimedOn;
    if (!audited) return;
    logger.audit(auditRecord({ ...row, detail: JSON.stringify({ ...detail, ...counts }) }));
  }

  async #rest(tookMs: number): Promise<void> {
    this.#say(Object.fromEntries(this.#counts));
    await rest(Math.max(REST_MS, tookMs), this.#options.signal);
  }

  #say(fields: Readonly<Record<string, string | number>>): void {
    const { clock, logger } = this.#options;
    if (clock.monotonic() - this.#saidAt < PROGRESS_MS) return;
    this.#saidAt = clock.monotonic();
    logger.info("retention.progress", fields);
  }
}

/** Each as one text, `IB_A=3 IB_B=0`, the first of many; left out when there are none. */
function shownWindows({ messages, deadLetters }: OwnWindows): Readonly<Record<string, string>> {
  const named = { messages_days_of: messages, dead_letter_days_of: deadLetters };
  return Object.fromEntries(
    Object.entries(named).filter(([, { size }]) => size > 0).map(([key, windows]) => [
      key,
      [
        ...[...windows].slice(0, SHOWN_MAX).map(([name, days]) => `${name}=${days}`),
        ...(windows.size > SHOWN_MAX ? [`and ${windows.size - SHOWN_MAX} more`] : []),
      ].join(" "),
    ]),
  );
}

/** Resolves after a while, or at once when the signal comes. */
export function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
