/**
 * One run: starts target, sender and sink, warms up, measures, drains, stops, reconciles.
 *
 * Upstream: `main.ts`. Downstream: a `RunResult` for `report.ts`. Every wait has a limit; every
 * process is stopped by its handle, whatever happens.
 */
import { fileURLToPath } from "node:url";
import { type ApiCalls, callApi, requireApiLoad } from "./api_load.ts";
import { Child, type ChildEvent } from "./child.ts";
import { loadArrivals, loadSent } from "./columns.ts";
import { freePorts, readMachineCpu, readUsage } from "./machine.ts";
import { inboundOfSource, lanesOfInbound, type Profile } from "./profiles.ts";
import { FACILITY_MAPPED } from "./messages.ts";
import { complaint, type Findings, reconcile } from "./reconcile.ts";
import { type Figures, figuresOf, type Reading } from "./figures.ts";
import type { SenderPlan } from "./sender.ts";
import type { SinkPlan } from "./sink.ts";
import type { BenchDatabase } from "./database.ts";
import { startTarget, type Synchronous, type Target, type TargetKind } from "./target.ts";

export interface RunOptions {
  readonly profile: Profile;
  readonly kind: TargetKind;
  readonly synchronous: Synchronous;
  /** The engine's store has a key; the reference loop never seals. */
  readonly isEncrypted: boolean;
  /** The engine's store is on a server, in a schema that nobody used before. */
  readonly database?: BenchDatabase;
  /** Parent of the run's own directory; on the disk under test. */
  readonly directory: string;
}

/** What one run gave; without `figures` it has no rate and `reason` says why. */
export interface RunResult {
  readonly profile: Profile;
  readonly kind: TargetKind;
  readonly synchronous: Synchronous;
  readonly isEncrypted: boolean;
  readonly isOnServer: boolean;
  readonly findings?: Findings;
  readonly figures?: Figures;
  /** What was read of the API meanwhile. */
  readonly api?: ApiCalls;
  readonly reason?: string;
}

const CHILD_LIMIT_MS = 20_000;
const CONNECT_LIMIT_MS = 30_000;
/** Time after the last expected arrival in which a late duplicate still counts. */
const SETTLE_MS = 300;
/** How often a draining queue is looked at. */
const POLL_MS = 100;
/** A queue from which nothing arrives for so long is stuck. */
const STALL_LIMIT_MS = 60_000;
/** Time for the last acknowledgements beyond the time of sending. */
const ANSWER_LIMIT_MS = 60_000;
/**
 * How long a target with many lanes rests before it is watched: what traffic left over is tidied, and
 * the runtime gives memory back some ten seconds after it was needed.
 */
const REST_MS = 15_000;
/** How long it is watched doing nothing. */
const IDLE_MS = 3_000;

/** Carries out one run; a failure of any process is a result without figures, not an exception. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { profile, kind, synchronous } = options;
  const isEncrypted = options.isEncrypted && kind === "engine";
  const isOnServer = options.database !== undefined && kind === "engine";
  const common = { profile, kind, synchronous, isEncrypted, isOnServer };
  const directory = await Deno.makeTempDir({ dir: options.directory, prefix: `${profile.name}-` });
  try {
    return { ...common, ...await measure({ ...options, directory }) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...common, reason };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function measure(
  { profile, kind, synchronous, isEncrypted, database, directory }: RunOptions,
): Promise<Pick<RunResult, "findings" | "figures" | "api" | "reason">> {
  const epochMs = Date.now();
  // Chosen together: the partners' are not bound yet in a backlog run.
  const [apiPort, ...ports] = freePorts(1 + profile.inbounds + profile.lanes);
  const inboundPorts = ports.slice(0, profile.inbounds);
  const lanePorts = ports.slice(profile.inbounds);
  const data = `${directory}/data`;
  await Deno.mkdir(data);

  const sinkPlan: SinkPlan = {
    ports: lanePorts,
    epochMs,
    logFile: `${directory}/arrivals`,
    ...(kind === "engine" ? { expectedFacility: FACILITY_MAPPED } : {}),
  };
  const senderPlan: SenderPlan = {
    ports: Array.from(
      { length: profile.sources },
      (_, source) => inboundPorts[inboundOfSource(profile, source)]!,
    ),
    depth: profile.depth,
    messageBytes: profile.messageBytes,
    epochMs,
    logFile: `${directory}/sent`,
  };
  await using sink = startChild("sink", { plan: sinkPlan, directory });
  await sink.next("ready", CHILD_LIMIT_MS);
  if (!profile.isBacklog) await listen(sink);
  await using target = await startTarget(kind, {
    profile,
    directory: data,
    inboundPorts,
    lanePorts,
    apiPort: apiPort!,
    synchronous,
    isEncrypted,
    storeLines: database?.storeLines(),
  });
  await using sender = startChild("sender", { plan: senderPlan, directory });
  await sender.next("ready", CHILD_LIMIT_MS);
  await sender.tell({ command: "connect" });
  await sender.next("connected", CONNECT_LIMIT_MS);

  const { token } = target;
  if (token !== undefined) await requireApiLoad();
  const call = async (seconds: number) =>
    token === undefined ? undefined : await callApi({
      ...{ port: apiPort!, token, directory },
      ratePerSecond: profile.apiCallsPerSecond,
    }, seconds);

  const read = async (): Promise<Reading> => ({
    totals: await target.stats(),
    usage: readUsage(target.pid),
    at: performance.now(),
    harnessCpuSeconds: readUsage(sender.pid).cpuSeconds + readUsage(sink.pid).cpuSeconds,
    machineCpu: readMachineCpu(),
  });
  const processes = { sink, target };
  try {
    if (profile.warmUpSeconds > 0) {
      const [warmUp] = await Promise.all([
        send(sender, { profile, seconds: profile.warmUpSeconds }),
        call(profile.warmUpSeconds),
      ]);
      await drain(processes, Number(warmUp.endRow) * profile.fanOut);
    }
    if (profile.watchesIdle) await pause(REST_MS);
    const idleFrom = profile.watchesIdle ? await read() : undefined;
    if (profile.watchesIdle) await pause(IDLE_MS);
    const before = await read();
    const [sent, api] = await Promise.all([
      send(sender, { profile, seconds: profile.seconds }),
      call(profile.seconds),
    ]);
    const atEndOfSending = await read();
    if (profile.isBacklog) await listen(sink);
    const drained = await drain(processes, Number(sent.endRow) * profile.fanOut);
    const after = await read();

    await sender.tell({ command: "save" });
    await sink.tell({ command: "save" });
    await sender.next("saved", CHILD_LIMIT_MS);
    const { untransformed } = await sink.next("saved", CHILD_LIMIT_MS);
    const sentLog = await loadSent(senderPlan.logFile);
    const arrivals = await loadArrivals(sinkPlan.logFile);
    const routes = senderPlan.ports.map((_, source) =>
      lanesOfInbound(profile, inboundOfSource(profile, source))
    );
    const { findings, arrivedAt } = reconcile(sentLog, arrivals, routes);
    const reason = complaint(findings) ??
      (drained ? undefined : "the queue did not drain in time") ??
      (untransformed === 0 ? undefined : `${untransformed} messages arrived untransformed`) ??
      (api === undefined || api.refused === 0 ? undefined : `${api.refused} calls were refused`);
    if (reason !== undefined) return { findings, reason };
    const figures = figuresOf({
      sent: sentLog,
      arrivedAt,
      firstRow: Number(sent.firstRow),
      endRow: Number(sent.endRow),
      startedAt: Number(sent.startedAt),
      sendingEndedAt: Number(sent.sendingEndedAt),
      idleFrom,
      before,
      atEndOfSending,
      after,
    });
    return { findings, figures, api };
  } catch (error) {
    if (target.errors === "") throw error;
    throw new Error(`${error instanceof Error ? error.message : error}; target: ${target.errors}`);
  }
}

function startChild(
  name: "sender" | "sink",
  { plan, directory }: { plan: SenderPlan | SinkPlan; directory: string },
): Child {
  return new Child({
    name,
    flags: ["--no-prompt", "--allow-net=127.0.0.1", `--allow-write=${directory}`],
    module: fileURLToPath(new URL(`./${name}.ts`, import.meta.url)),
    args: [JSON.stringify(plan)],
  });
}

async function listen(sink: Child): Promise<void> {
  await sink.tell({ command: "listen" });
  await sink.next("listening", CHILD_LIMIT_MS);
}

async function send(
  sender: Child,
  { profile, seconds }: { profile: Profile; seconds: number },
): Promise<ChildEvent> {
  await sender.tell({
    command: "send",
    seconds,
    count: Number.isFinite(profile.count) ? profile.count : Number.MAX_SAFE_INTEGER,
    ratePerSecond: profile.ratePerSecond,
  });
  return await sender.next("sent", seconds * 1000 + ANSWER_LIMIT_MS);
}

/**
 * Waits until everything sent so far has arrived; false when the target ended or nothing arrived
 * for `STALL_LIMIT_MS`.
 */
async function drain(
  { sink, target }: { sink: Child; target: Target },
  total: number,
): Promise<boolean> {
  let arrived = -1;
  let changedAt = performance.now();
  while (arrived < total) {
    await pause(POLL_MS);
    await sink.tell({ command: "count" });
    const count = Number((await sink.next("count", CHILD_LIMIT_MS)).total);
    if (count !== arrived) changedAt = performance.now();
    arrived = count;
    if (target.hasEnded || performance.now() - changedAt > STALL_LIMIT_MS) return false;
  }
  await pause(SETTLE_MS);
  return true;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
