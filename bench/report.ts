/**
 * The table and the JSON of all runs. Pure.
 *
 * Upstream: `main.ts`. Downstream: a person, or a file that another run is compared with.
 */
import type { ApiReadResult } from "./api_reads_run.ts";
import type { Figures } from "./figures.ts";
import type { SyncTime } from "./machine.ts";
import type { ReloadResult } from "./reload_run.ts";
import type { RunResult } from "./run.ts";
import type { SandboxResult } from "./sandbox_run.ts";
import type { StartResult } from "./start_run.ts";

/** All runs of one invocation. */
export interface Report {
  readonly machine: string;
  readonly startedAt: string;
  readonly syncTime: SyncTime;
  readonly runs: readonly RunResult[];
  readonly sandbox: readonly SandboxResult[];
  readonly starts: readonly StartResult[];
  readonly reloads: readonly ReloadResult[];
  readonly apiReads: readonly ApiReadResult[];
}

const NOTHING = "-";

interface Column {
  readonly title: string;
  readonly cell: (result: RunResult, report: Report) => string;
}

const columns: readonly Column[] = [
  { title: "profile", cell: ({ profile }) => profile.name },
  { title: "target", cell: ({ kind }) => kind },
  { title: "bytes", cell: ({ profile }) => String(profile.messageBytes) },
  { title: "ordering", cell: () => "fifo" },
  { title: "lanes", cell: ({ profile }) => String(profile.lanes) },
  { title: "fan-out", cell: ({ profile }) => String(profile.fanOut) },
  {
    title: "sync",
    cell: ({ synchronous, isOnServer }) => isOnServer ? "postgres" : synchronous,
  },
  { title: "cells", cell: ({ isEncrypted }) => isEncrypted ? "sealed" : "clear" },
  { title: "fdatasync us", cell: (_, { syncTime }) => whole(syncTime.p50Us, syncTime.p99Us) },
  { title: "delivered/s", cell: figure(({ deliveredPerSecond }) => whole(deliveredPerSecond)) },
  { title: "sustained/s", cell: figure(({ sustainedPerSecond }) => whole(sustainedPerSecond)) },
  { title: "of reference", cell: shareOfReference },
  { title: "ACK ms p50/p99", cell: figure(({ ack }) => tenths(ack.p50Ms, ack.p99Ms)) },
  { title: "e2e ms p50/p99", cell: figure(({ endToEnd: e }) => tenths(e.p50Ms, e.p99Ms)) },
  { title: "backlog", cell: figure(({ backlogAtEnd }) => String(backlogAtEnd)) },
  { title: "drain/s", cell: figure(({ drainPerSecond }) => optional(drainPerSecond, 0)) },
  { title: "commits", cell: figure(({ commitsPerMessage }) => optional(commitsPerMessage, 3)) },
  { title: "statements", cell: figure((f) => optional(f.statementsPerMessage, 2)) },
  { title: "fsyncs", cell: figure(({ fsyncsPerMessage }) => optional(fsyncsPerMessage, 3)) },
  { title: "idle stmt/s", cell: figure((f) => optional(f.idleStatementsPerSecond, 1)) },
  { title: "idle CPU %", cell: figure((f) => optional(share(f.idleCpuLoad), 1)) },
  { title: "idle MB", cell: figure((f) => optional(f.idleMemoryMb, 0)) },
  { title: "CPU s/1000", cell: figure((f) => f.cpuSecondsPerThousand.toFixed(3)) },
  { title: "other load", cell: figure((f) => (f.otherLoad + f.stolenLoad).toFixed(2)) },
  { title: "MB peak", cell: figure(({ peakMemoryMb }) => whole(peakMemoryMb)) },
  { title: "API ms p50/p99", cell: ({ api }) => api ? tenths(api.p50Ms, api.p99Ms) : NOTHING },
  { title: "messages", cell: figure(({ messages }) => String(messages)) },
];

/** In hundredths of one processor. */
function share(load: number | undefined): number | undefined {
  return load === undefined ? undefined : load * 100;
}

/** Lays out one line a run; one that does not reconcile has no figures but a reason below. */
export function table(report: Report): string {
  const lines = [report.machine];
  if (report.runs.length > 0) {
    const rows = report.runs.map((result) => columns.map(({ cell }) => cell(result, report)));
    lines.push(...aligned([columns.map(({ title }) => title), ...rows]));
  }
  for (const { profile, kind, reason } of report.runs) {
    if (reason !== undefined) lines.push(`${profile.name} ${kind}: ${reason}`);
  }
  lines.push(...sandboxLines(report.sandbox), ...startLines(report.starts));
  lines.push(...reloadLines(report.reloads), ...apiReadLines(report.apiReads));
  return lines.join("\n");
}

function sandboxLines(results: readonly SandboxResult[]): readonly string[] {
  if (results.length === 0) return [];
  const titles = ["sandbox handler", "bytes", "batch", "wall us/message", "CPU us/message"];
  const rows = results.map((result) => [
    result.handler,
    String(result.messageBytes),
    String(result.batch),
    optional(result.wallUsPerMessage, 1),
    optional(result.cpuUsPerMessage, 1),
  ]);
  const reasons = results.flatMap(({ handler, batch, reason }) =>
    reason === undefined ? [] : [`sandbox ${handler} ${batch}: ${reason}`]
  );
  return [...aligned([titles, ...rows]), ...reasons];
}

function startLines(results: readonly StartResult[]): readonly string[] {
  if (results.length === 0) return [];
  const titles = ["start to first ACK", "starts", "ms median", "ms min/max", "CPU s"];
  const rows = results.map((result) => [
    result.how,
    String(result.starts),
    optional(result.medianMs, 0),
    result.minMs === undefined ? NOTHING : whole(result.minMs, result.maxMs ?? 0),
    optional(result.cpuSeconds, 2),
  ]);
  const reasons = results.flatMap(({ how, reason }) =>
    reason === undefined ? [] : [`start ${how}: ${reason}`]
  );
  return [...aligned([titles, ...rows]), ...reasons];
}

function reloadLines(results: readonly ReloadResult[]): readonly string[] {
  if (results.length === 0) return [];
  const titles = ["reload", "reloads", "ms median", "ms max", "ACKs", "ACK ms max", "else"];
  const rows = results.map((result) => [
    `${result.modules} modules`,
    String(result.reloads),
    optional(result.medianMs, 0),
    optional(result.maxMs, 0),
    optional(result.acks, 0),
    optional(result.ackMaxMs, 1),
    optional(result.quietAckMaxMs, 1),
  ]);
  const reasons = results.flatMap(({ reason }) =>
    reason === undefined ? [] : [`reload: ${reason}`]
  );
  return [...aligned([titles, ...rows]), ...reasons];
}

function apiReadLines(results: readonly ApiReadResult[]): readonly string[] {
  if (results.length === 0) return [];
  const titles = ["asked of the API", "stored", "calls", "ms p50", "ms p99", "CPU ms"];
  const rows = results.map((result) => [
    result.asked,
    String(result.stored),
    String(result.calls),
    optional(result.p50Ms, 1),
    optional(result.p99Ms, 1),
    optional(result.cpuMs, 2),
  ]);
  const reasons = results.flatMap(({ asked, reason }) =>
    reason === undefined ? [] : [`${asked}: ${reason}`]
  );
  return [...aligned([titles, ...rows]), ...reasons];
}

/** Pads cells to columns: words to the left, figures to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)));
  return rows.map((row) =>
    row.map((cell, index) =>
      /^[a-z]/.test(rows[1]![index]!) ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)
    ).join("  ").trimEnd()
  );
}

/** Engine's rate over the reference loop's in the same invocation and profile; undefined alone. */
export function ratio(report: Report, profile: string): number | undefined {
  const rateOf = (kind: string) =>
    report.runs.find((result) => result.profile.name === profile && result.kind === kind)
      ?.figures?.sustainedPerSecond;
  const engine = rateOf("engine"), reference = rateOf("reference");
  return engine === undefined || reference === undefined ? undefined : engine / reference;
}

/** Everything the table shows and more, for a file. */
export function json(report: Report): string {
  const ratios = Object.fromEntries(report.runs.flatMap(({ profile }) => {
    const share = ratio(report, profile.name);
    return share === undefined ? [] : [[profile.name, share]];
  }));
  return JSON.stringify({ ...report, ratios }, null, 2) + "\n";
}

function shareOfReference(result: RunResult, report: Report): string {
  const share = result.kind === "engine" ? ratio(report, result.profile.name) : undefined;
  // An open loop offers both the same rate: a share of it says nothing.
  if (share === undefined || result.profile.ratePerSecond > 0) return NOTHING;
  return `${Math.round(share * 100)} %`;
}

function figure(cell: (figures: Figures) => string): Column["cell"] {
  return ({ figures }) => figures === undefined ? NOTHING : cell(figures);
}

function optional(value: number | undefined, digits: number): string {
  return value === undefined ? NOTHING : value.toFixed(digits);
}

function whole(...values: readonly number[]): string {
  return values.map((value) => value.toFixed(0)).join("/");
}

function tenths(...values: readonly number[]): string {
  return values.map((value) => value < 100 ? value.toFixed(1) : value.toFixed(0)).join("/");
}
