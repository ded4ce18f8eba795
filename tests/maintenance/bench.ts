/** Passes over a real store, at whatever time a test says it is. */
import { Figures, type StorageAdvisory } from "../../src/maintenance/figures.ts";
import { type Memory, Pass, type PassOptions } from "../../src/maintenance/pass.ts";
import { createLogger, type LogRecord } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import type { PurgeResult } from "../../src/store/purge.ts";
import type { SqliteStore } from "../../src/store/sqlite/store.ts";
import { delivery, StoreBench } from "../contract/store/bench.ts";
import { sqliteBackend } from "../store/sqlite/bench.ts";

export const DAY_S = 86_400;

export class PassBench implements AsyncDisposable {
  readonly bench: StoreBench;
  readonly log: LogRecord[] = [];
  readonly advisories: StorageAdvisory[] = [];
  readonly forgotten: string[] = [];
  readonly figures = new Figures();
  readonly stop = new AbortController();
  isLeader = () => true;
  /** Stands in for the store, when something of it has to fail. */
  store: SqliteStore;
  monotonic = 0;
  memory: Memory = fresh();

  private constructor(bench: StoreBench) {
    this.bench = bench;
    this.store = bench.store as SqliteStore;
  }

  static async open(): Promise<PassBench> {
    return new PassBench(await StoreBench.open(sqliteBackend));
  }

  /** A process ends in order and another begins. */
  async restart(): Promise<void> {
    await this.bench.reopen();
    this.store = this.bench.store as SqliteStore;
    this.memory = await recall(this.store);
  }

  /** @param retention lines of `[retention]`. */
  async pass(retention: string, parts: Partial<PassOptions> = {}): Promise<void> {
    const file = { path: "messagefoundry.toml", text: `[retention]\n${retention}` };
    const options: PassOptions = {
      settings: loadSettings({ file, env: {} }).settings.retention,
      ownWindows: () => ({ messages: new Map(), deadLetters: new Map() }),
      store: this.store,
      clock: { now: () => this.bench.now / 1000, monotonic: () => this.monotonic },
      logger: createLogger({
        level: "info",
        sinks: [{ write: (record) => this.log.push(record) }],
      }),
      isLeader: () => this.isLeader(),
      purgeState: async (purge: () => Promise<PurgeResult["state"]>) => {
        for (const { namespace, key } of await purge()) this.forgotten.push(`${namespace} ${key}`);
      },
      onStorage: (advisory) => this.advisories.push(advisory),
      figures: this.figures,
      signal: this.stop.signal,
      zone: "UTC",
      ...parts,
    };
    await new Pass(options, this.memory).run();
  }

  /** Details of the audit rows, oldest first. */
  async audit(): Promise<readonly Record<string, unknown>[]> {
    const rows = await this.store.register("auditNewest", 100);
    return rows.map(({ actor, action, detail }) => ({
      ...{ actor, action },
      ...JSON.parse(String(detail)),
    })).reverse();
  }

  /** A message that was delivered, or whose delivery is dead. */
  async message(raw: string, ends: "done" | "dead" = "done"): Promise<string> {
    const { bench } = this;
    const held = await bench.receive({ raw });
    await bench.handOff(held, {
      deliveries: [delivery("OB_A", { payload: `${raw} sent` })],
      state: [{ namespace: "n", key: raw.slice(0, 8), value: "1" }],
    });
    const claimed = await bench.take("outbound", "OB_A");
    if (ends === "done") await bench.complete(claimed, "OB_A");
    else await bench.bury(claimed, "OB_A", `${raw} refused`);
    return held.id;
  }

  events(): string[] {
    return this.log.map(({ event }) => event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
  }
}

function fresh(): Memory {
  return { reclaimedOn: undefined, checkpointedAt: 0, logsHoldPurged: false, isUnfinished: false };
}

async function recall(store: SqliteStore): Promise<Memory> {
  const { counts, logsHoldPurged, reclaimedOn } = await store.retention();
  const isUnfinished = Object.values(counts).some((count) => count > 0);
  return { ...fresh(), reclaimedOn, logsHoldPurged, isUnfinished };
}
