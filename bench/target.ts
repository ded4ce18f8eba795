/**
 * What a run measures: the engine, or the reference loop, behind one interface.
 *
 * Upstream: `run.ts`. Downstream: a process with one listening port per inbound, connected (now or
 * later) to one partner port per lane.
 */
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import { lanesOfInbound, type Profile } from "./profiles.ts";
import type { ReferencePlan } from "./reference.ts";
import { startEngine } from "./engine.ts";

export type TargetKind = "reference" | "engine";
export type Synchronous = "full" | "normal";

/** Totals since the start of the process. */
export interface StoreTotals {
  readonly commits: number;
  readonly statements: number;
  readonly fsyncs: number;
}

/** A running target. */
export interface Target extends AsyncDisposable {
  readonly pid: number;
  readonly hasEnded: boolean;
  /** Of a session with the API; undefined when nobody asks it. */
  readonly token: string | undefined;
  /** Undefined when the target does not count. */
  stats(): Promise<StoreTotals | undefined>;
  /** Last lines it wrote to standard error. */
  readonly errors: string;
}

export interface TargetOptions {
  readonly profile: Profile;
  /** Empty directory for its data, on the disk under test. */
  readonly directory: string;
  readonly inboundPorts: readonly number[];
  readonly lanePorts: readonly number[];
  /** Where the engine's API listens; the reference loop has none. */
  readonly apiPort: number;
  readonly synchronous: Synchronous;
  /** Of the engine. */
  readonly isEncrypted: boolean;
  /** Of the engine: lines of `[store]` for a store on a server. */
  readonly storeLines: string | undefined;
}

const START_LIMIT_MS = 60_000;
const STATS_LIMIT_MS = 10_000;

/** Starts a target and waits until it takes messages. @throws {Error} when it does not. */
export function startTarget(kind: TargetKind, options: TargetOptions): Promise<Target> {
  return kind === "reference" ? startReference(options) : startEngine(options);
}

async function startReference(options: TargetOptions): Promise<Target> {
  const { directory, inboundPorts, lanePorts, profile, synchronous } = options;
  const plan: ReferencePlan = {
    inbounds: inboundPorts.map((port, inbound) => ({
      port,
      lanes: lanesOfInbound(profile, inbound),
    })),
    lanePorts,
    databaseFile: `${directory}/reference.db`,
    synchronous,
  };
  // The module of a worker is read with its parent's permissions.
  const ownDirectory = fileURLToPath(new URL(".", import.meta.url));
  const child = new Child({
    name: "reference loop",
    flags: [
      "--no-prompt",
      "--allow-net=127.0.0.1",
      `--allow-read=${directory},${ownDirectory}`,
      `--allow-write=${directory}`,
    ],
    module: fileURLToPath(new URL("./reference.ts", import.meta.url)),
    args: [JSON.stringify(plan)],
  });
  try {
    await child.next("ready", START_LIMIT_MS);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return {
    token: undefined,
    pid: child.pid,
    get hasEnded() {
      return child.hasEnded;
    },
    get errors() {
      return child.errors;
    },
    async stats() {
      await child.tell({ command: "stats" });
      const { commits, statements, fsyncs } = await child.next("stats", STATS_LIMIT_MS);
      return { commits: Number(commits), statements: Number(statements), fsyncs: Number(fsyncs) };
    },
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
