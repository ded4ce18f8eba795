/**
 * Keeps reference sets in step with their sources: reads what is due, keeps it sealed in the store,
 * and lets author code see it as a whole.
 *
 * A source that fails costs nothing but its own refresh: the version before stays. On the leader
 * only. Source: spec pipeline-store-cluster §6, connectors-and-graph §4.6.
 */
import { auditRecord } from "../audit/mod.ts";
import type { Clock } from "../clock.ts";
import { EngineError, errorClass } from "../errors.ts";
import type { ReferenceDefinition } from "../graph/graph.ts";
import type { Logger } from "../logging/mod.ts";
import type { ReferenceSettings } from "../settings/mod.ts";
import type { Store } from "../store/store.ts";
import { rest } from "./pass.ts";
import { readSource, sourceName, type SourceRead } from "./reference_sources.ts";

/** The rows of one set, as author code gets them. */
export interface Snapshot {
  readonly name: string;
  readonly version: string;
  /** JSON: `[[key, value], …]` */
  readonly entries: string;
}

export interface ReferencesOptions {
  readonly settings: ReferenceSettings;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isLeader: () => boolean;
  /** Those of the graph that runs. */
  readonly definitions: () => ReadonlyMap<string, ReferenceDefinition>;
  /** Lets author code see it from the next batch on. */
  readonly publish: (snapshot: Snapshot) => void;
}

/** What is known of a set without its rows. */
interface Known {
  version: string;
  digest: string;
  /** Milliseconds since the epoch: when the source was last read. */
  syncedAt: number;
  /** The same of a read that failed since. */
  triedAt?: number;
  rows: number;
}

/** UTF-16 units of one part in the store. */
const PART_CHARS = 256 * 1024;
/** A timer holds no more. */
const WAIT_MS_MAX = 2_000_000_000;

export class References implements AsyncDisposable {
  readonly #options: ReferencesOptions;
  readonly #known = new Map<string, Known>();
  /** What was last read, by set: another source is due at once. */
  readonly #sources = new Map<string, string>();
  /** Reads that failed in a row, by set. */
  readonly #failures = new Map<string, number>();
  /** Sets that a start left to be read right after it. */
  readonly #late = new Set<string>();
  #hurry = new AbortController();
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** Reads of sources run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: ReferencesOptions) {
    this.#options = options;
  }

  /** Reads what the store knows; nothing is refreshed yet. */
  static async open(options: ReferencesOptions): Promise<References> {
    const references = new References(options);
    await references.#recall();
    return references;
  }

  async #recall(): Promise<void> {
    for (const row of await this.#options.store.register("references")) {
      const { name, version, digest, synced_at: syncedAt, row_count: rows } = row;
      this.#known.set(String(name), {
        version: String(version),
        digest: String(digest ?? ""),
        syncedAt: Number(syncedAt) / 1000,
        rows: Number(rows),
      });
    }
  }

  /**
   * Makes the sets of a graph ready before it runs: what the store holds, and whatever was never
   * read; all of them when `[reference] sync_on_startup` says so. Never throws.
   *
   * A database whose rows the store holds already is read right afterwards instead: one that does not
   * answer must not hold up whoever takes over from a leader that fell.
   */
  async prepare(
    definitions: ReadonlyMap<string, ReferenceDefinition>,
    publish: (snapshot: Snapshot) => void,
  ): Promise<void> {
    await this.#inTurn(async () => {
      for (const definition of definitions.values()) {
        const snapshot = await this.#begin(definition) ?? await this.#load(definition.name);
        if (snapshot !== undefined) publish(snapshot);
      }
    });
    if (this.#late.size > 0) this.lookAgain();
  }

  /**
   * Makes the sets of the graph ready before it runs on a node that stood by: what the leader before
   * has written, and what a start would read. Never throws.
   */
  async takeOver(): Promise<void> {
    const { definitions, publish } = this.#options;
    await this.converge();
    await this.#inTurn(async () => {
      for (const definition of definitions().values()) {
        const fresh = await this.#begin(definition);
        if (fresh !== undefined) publish(fresh);
      }
    });
    // Its wait was that of a node that reads no source.
    this.lookAgain();
  }

  /** What is due next may have changed: another graph runs, or this node has begun to lead. */
  lookAgain(): void {
    this.#hurry.abort();
  }

  /** Begins to refresh what is due; ends when disposed. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Reads every source that is due. Never throws. */
  refresh(): Promise<void> {
    return this.#inTurn(async () => {
      const { definitions, isLeader, publish } = this.#options;
      for (const definition of definitions().values()) {
        if (this.#stopping.signal.aborted || !isLeader()) return;
        const { name, refreshMs } = definition;
        const known = this.#known.get(name);
        const isDue = known === undefined || this.#leftMs(known, refreshMs) <= 0;
        if (!isDue && !this.#late.has(name)) continue;
        const fresh = await this.#sync(definition);
        if (fresh !== undefined) publish(fresh);
      }
    });
  }

  /**
   * Takes over what the leader has written meanwhile; for a node that is none. Never throws.
   */
  converge(): Promise<void> {
    return this.#inTurn(async () => {
      const { definitions, publish } = this.#options;
      this.#late.clear();
      this.#failures.clear();
      const before = new Map([...this.#known].map(([name, { version }]) => [name, version]));
      await this.#recall();
      for (const name of definitions().keys()) {
        const known = this.#known.get(name);
        if (known === undefined || known.version === before.get(name)) continue;
        const snapshot = await this.#load(name);
        if (snapshot !== undefined) publish(snapshot);
      }
    });
  }

  /** When each set was last read, and how many rows it has. */
  figures(): readonly {
    readonly name: string;
    readonly version: string;
    readonly syncedAt: number;
    readonly rows: number;
  }[] {
    return [...this.#known].map(([name, { version, syncedAt, rows }]) => ({
      name,
      version,
      syncedAt,
      rows,
    }));
  }

  /** Of each set of the graph: when its source was last read, and how often in vain since. */
  freshness(): readonly {
    readonly name: string;
    /** Milliseconds since the epoch. */
    readonly readAt: number | undefined;
    /** On the leader; others read no source. */
    readonly failures: number;
  }[] {
    const { definitions, isLeader } = this.#options;
    const failures = isLeader() ? this.#failures : undefined;
    return [...definitions().keys()].map((name) => ({
      name,
      readAt: this.#known.get(name)?.syncedAt,
      failures: failures?.get(name) ?? 0,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#turn;
  }

  async #run(): Promise<void> {
    const { settings: { refreshIntervalMs } } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#hurry = new AbortController();
      const hurry = AbortSignal.any([signal, this.#hurry.signal]);
      await rest(this.#waitMs(refreshIntervalMs), hurry);
      if (signal.aborted) return;
      if (hurry.aborted) continue;
      await (this.#options.isLeader() ? this.refresh() : this.converge());
    }
  }

  /** Until the next set is due, but no longer than the interval says. */
  #waitMs(intervalMs: number): number {
    if (this.#late.size > 0) return MIN_WAIT_MS;
    const waits = [...this.#options.definitions().values()].flatMap(({ name, refreshMs }) => {
      const known = this.#known.get(name);
      // One that was never read failed at the start: it is tried again at the next tick.
      return known === undefined || refreshMs === 0 ? [] : [this.#leftMs(known, refreshMs)];
    });
    return Math.min(Math.max(MIN_WAIT_MS, Math.min(intervalMs, ...waits)), WAIT_MS_MAX);
  }

  /** Until a set is due; what was read later than now was read before the clock stepped back. */
  #leftMs({ syncedAt, triedAt = syncedAt }: Known, refreshMs: number): number {
    const ageMs = this.#options.clock.now() - triedAt;
    return ageMs < 0 ? 0 : refreshMs - ageMs;
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(act).catch((thrown) => {
      // The store is away; what is published stays.
      this.#options.logger.error("reference.store_failed", { error: errorClass(thrown) });
    });
    this.#turn = done;
    return done;
  }

  /**
   * Reads what a leader reads before its graph runs, or leaves it to be read right after; undefined
   * where that is nothing, or nothing new.
   */
  async #begin(definition: ReferenceDefinition): Promise<Snapshot | undefined> {
    const { settings, isLeader } = this.#options;
    const { name } = definition;
    const known = this.#known.get(name);
    const former = this.#sources.get(name);
    const isFirst = former === undefined;
    const wants = known === undefined ||
      (isFirst ? settings.syncOnStartup : former !== sourceName(definition));
    if (!wants || !isLeader()) return undefined;
    if (!isFirst || known === undefined || definition.kind !== "database") {
      return await this.#sync(definition);
    }
    this.#late.add(name);
    return undefined;
  }

  /** Reads one source and keeps what it says; undefined when it fails or says nothing new. */
  async #sync(definition: ReferenceDefinition): Promise<Snapshot | undefined> {
    const { name } = definition;
    const { clock, logger } = this.#options;
    this.#late.delete(name);
    let read: SourceRead;
    try {
      read = await readSource(definition, this.#stopping.signal);
    } catch (thrown) {
      this.#failed(definition, thrown);
      return undefined;
    }
    this.#sources.set(name, sourceName(definition));
    this.#failures.delete(name);
    const known = this.#known.get(name);
    if (known?.digest === read.digest) {
      known.syncedAt = clock.now();
      known.triedAt = undefined;
      await this.#touch(name, known);
      return undefined;
    }
    const snapshot = await this.#keep(name, read);
    logger.info("reference.synced", { set: name, rows: read.rows });
    return snapshot;
  }

  #failed({ name }: ReferenceDefinition, thrown: unknown): void {
    const known = this.#known.get(name);
    // Its next try is due after its interval, like that of any other.
    if (known !== undefined) known.triedAt = this.#options.clock.now();
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    const code = thrown instanceof EngineError ? thrown.code : undefined;
    this.#options.logger.error("reference.sync_failed", {
      set: name,
      error: errorClass(thrown),
      code,
      reason: thrown instanceof EngineError ? thrown.message : undefined,
      kept: known !== undefined,
      failures,
    });
  }

  async #touch(name: string, { syncedAt, version }: Known): Promise<void> {
    const values = [Math.round(syncedAt * 1000), name, version];
    const changes = [{ name: "referenceTouch" as const, values }];
    await this.#options.store.submit({ kind: "register", changes, audit: [] });
  }

  async #keep(
    name: string,
    { rows, digest, entries }: SourceRead,
  ): Promise<Snapshot> {
    const { store, clock, logger } = this.#options;
    const now = clock.now();
    const at = Math.round(now * 1000);
    const version = `${at}-${crypto.randomUUID().slice(0, 8)}`;
    const parts = partsOf(entries);
    const row = {
      at,
      actor: "system",
      action: "reference_sync",
      channel: null,
      detail: JSON.stringify({ reference: name, rows }),
    };
    await store.submit({
      kind: "register",
      changes: [
        { name: "referenceClear", values: [name] },
        ...parts.map((part, index) => ({
          name: "referencePart" as const,
          values: [name, version, index, part],
        })),
        { name: "referenceFlip", values: [name, version, at, rows, digest] },
      ],
      audit: [row],
    });
    this.#known.set(name, { version, digest, syncedAt: now, rows });
    logger.audit(auditRecord(row));
    return { name, version, entries };
  }

  /** What the store holds of a set; undefined when that is nothing, or no key opens it. */
  async #load(name: string): Promise<Snapshot | undefined> {
    const known = this.#known.get(name);
    if (known === undefined) return undefined;
    const rows = await this.#options.store.register("referenceParts", name);
    if (rows.some(({ entries }) => entries === null)) {
      this.#options.logger.error("reference.unreadable", { set: name });
      return undefined;
    }
    const entries = rows.map(({ entries }) => String(entries)).join("");
    return { name, version: known.version, entries };
  }
}

/** A set that is always due is looked at no more often than this. */
const MIN_WAIT_MS = 1_000;

/** Texts that make the whole when they are put together again. */
function partsOf(entries: string): readonly string[] {
  const parts: string[] = [];
  for (let at = 0; at < entries.length;) {
    let end = Math.min(entries.length, at + PART_CHARS);
    // Not between the two halves of a character.
    if (end < entries.length && isHighSurrogate(entries.charCodeAt(end - 1))) end -= 1;
    parts.push(entries.slice(at, end));
    at = end;
  }
  return parts;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
