/**
 * `deno task bench`: runs named profiles against the engine and the reference loop.
 *
 * Upstream: a person or a pipeline. Downstream: a table on standard output, JSON in a file, exit
 * code 1 when a run has no rate. Needs all permissions because this runtime guards `/proc`; the
 * processes under load get their own narrow flags.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { API_READS_PROFILE, runApiReads } from "./api_reads_run.ts";
import { BenchDatabase } from "./database.ts";
import { describeMachine, measureSyncTime } from "./machine.ts";
import { medianRun } from "./median.ts";
import { type Profile, profiles, selectProfiles } from "./profiles.ts";
import { RELOAD_PROFILE, runReloads } from "./reload_run.ts";
import { json, type Report, table } from "./report.ts";
import { run, type RunResult } from "./run.ts";
import { runSandbox, SANDBOX_PROFILE } from "./sandbox_run.ts";
import { runStarts, START_PROFILE } from "./start_run.ts";
import type { Synchronous, TargetKind } from "./target.ts";

const SANDBOX_SECONDS = 2;

const USAGE = `deno task bench [--profile NAME]... [--target engine|reference|both] [--seconds N]
  [--warm-up N] [--count N] [--sources N] [--repeat N]
  [--store sqlite|postgres] [--synchronous full|normal] [--encrypted] [--json FILE] [--directory DIR] [--list]`;

interface Options {
  readonly profiles: readonly Profile[];
  readonly targets: readonly TargetKind[];
  readonly synchronous: Synchronous;
  /** The engine's store is a PostgreSQL server that the run starts. */
  readonly isOnServer: boolean;
  /** The engine's store has a key. */
  readonly isEncrypted: boolean;
  readonly directory: string;
  readonly jsonFile: string | undefined;
  /** Runs of each profile and target, of which the middle one is shown. */
  readonly repeat: number;
  readonly withSandbox: boolean;
  readonly withStarts: boolean;
  readonly withReloads: boolean;
  readonly withApiReads: boolean;
  /** Of each batch size. */
  readonly sandboxSeconds: number;
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) return 0;
  await Deno.mkdir(options.directory, { recursive: true });
  await using database = options.isOnServer
    ? await BenchDatabase.start(options.directory)
    : undefined;
  const runs: RunResult[] = [];
  const report: Report = {
    machine: describeMachine(),
    startedAt: new Date().toISOString(),
    syncTime: await measureSyncTime(options.directory),
    runs,
    sandbox: options.withSandbox ? await runSandbox(options.sandboxSeconds) : [],
    starts: options.withStarts ? await runStarts(options.directory, options.repeat) : [],
    apiReads: options.withApiReads ? await runApiReads(options.directory) : [],
    reloads: options.withReloads ? await runReloads(options.directory, options.repeat) : [],
  };
  for (const profile of options.profiles) {
    runs.push(...await runProfile(profile, options, database));
  }
  console.log(table(report));
  if (options.jsonFile !== undefined) await Deno.writeTextFile(options.jsonFile, json(report));
  const all = [...runs, ...report.sandbox, ...report.starts, ...report.reloads, ...report.apiReads];
  return all.every(({ reason }) => reason === undefined) ? 0 : 1;
}

/** Runs the targets in turn, so that a change of the machine's load meets all of them. */
async function runProfile(
  profile: Profile,
  options: Options,
  database: BenchDatabase | undefined,
): Promise<RunResult[]> {
  const { synchronous, isEncrypted, directory, repeat } = options;
  const results = targetsOf(profile, options).map((kind) => ({ kind, runs: [] as RunResult[] }));
  for (let turn = 1; turn <= repeat; turn++) {
    for (const { kind, runs } of results) {
      console.error(`${profile.name} ${kind} ${turn}/${repeat}: ${profile.title}`);
      runs.push(await run({ profile, kind, synchronous, isEncrypted, database, directory }));
    }
  }
  return results.map(({ runs }) => medianRun(runs));
}

/**
 * The reference loop keeps its queue in memory, so a backlog is compared with it only on demand; it
 * has no API.
 */
function targetsOf(profile: Profile, { targets }: Options): readonly TargetKind[] {
  const isOfEngine = profile.isBacklog || profile.apiCallsPerSecond > 0;
  return isOfEngine && targets.length > 1 ? ["engine"] : targets;
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      profile: { type: "string", multiple: true, default: [] },
      target: { type: "string", default: "both" },
      seconds: { type: "string" },
      "warm-up": { type: "string" },
      count: { type: "string" },
      sources: { type: "string" },
      repeat: { type: "string" },
      synchronous: { type: "string", default: "full" },
      store: { type: "string", default: "sqlite" },
      encrypted: { type: "boolean", default: false },
      json: { type: "string" },
      directory: { type: "string" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.list || values.help) {
    if (values.help) console.log(USAGE);
    for (const { name, title } of profiles) console.log(`${name.padEnd(12)} ${title}`);
    console.log(`${SANDBOX_PROFILE.padEnd(12)} author code alone, no sockets, no store`);
    console.log(`${START_PROFILE.padEnd(12)} the shipped bundle, process start to first ACK`);
    console.log(`${RELOAD_PROFILE.padEnd(12)} a bundle of 200 modules loaded anew under traffic`);
    console.log(
      `${API_READS_PROFILE.padEnd(12)} reads of the API, of a store with a million messages`,
    );
    return undefined;
  }
  const seconds = positive(values.seconds, "seconds");
  const warmUpSeconds = positive(values["warm-up"], "warm-up");
  const count = positive(values.count, "count");
  const sources = positive(values.sources, "sources");
  const isWanted = (name: string) =>
    values.profile.includes(name) || values.profile.length === 0 && values.target !== "reference";
  const others = [SANDBOX_PROFILE, START_PROFILE, RELOAD_PROFILE, API_READS_PROFILE];
  const loads = values.profile.filter((name) => !others.includes(name));
  const selected = loads.length === 0 && values.profile.length > 0 ? [] : selectProfiles(loads);
  const chosen = selected.map((profile) => ({
    ...profile,
    seconds: seconds ?? profile.seconds,
    warmUpSeconds: warmUpSeconds ?? profile.warmUpSeconds,
    count: count ?? profile.count,
    sources: sources ?? profile.sources,
  }));
  return {
    profiles: chosen,
    targets: values.target === "both"
      ? ["reference", "engine"]
      : [oneOf(values.target, ["reference", "engine"], "target")],
    synchronous: oneOf(values.synchronous, ["full", "normal"], "synchronous"),
    isOnServer: oneOf(values.store, ["sqlite", "postgres"], "store") === "postgres",
    isEncrypted: values.encrypted,
    // Below the project, not in the system's temporary directory: that may not be a disk.
    directory: values.directory ?? fileURLToPath(new URL("./results", import.meta.url)),
    jsonFile: values.json,
    withSandbox: isWanted(SANDBOX_PROFILE),
    withStarts: isWanted(START_PROFILE),
    withReloads: isWanted(RELOAD_PROFILE),
    withApiReads: values.profile.includes(API_READS_PROFILE),
    sandboxSeconds: seconds ?? SANDBOX_SECONDS,
    repeat: Math.ceil(positive(values.repeat, "repeat") ?? 1),
  };
}

function positive(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`Cannot use --${name} "${text}": it wants a number above 0`);
  return value;
}

function oneOf<Word extends string>(text: string, words: readonly Word[], name: string): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new Error(`Cannot use --${name} "${text}": it wants ${words.join(" or ")}`);
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  Deno.exit(2);
}
