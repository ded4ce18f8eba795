/**
 * What the benchmark reads off the machine: sync time of the disk, CPU and memory of a process
 * tree, free ports, one clock for all processes.
 *
 * Upstream: the kernel (`/proc`, Linux only). Downstream: `main.ts` and `run.ts`.
 */
import { percentile } from "./reconcile.ts";

/** Time the data directory's disk takes to make 4 KiB durable, microseconds. */
export interface SyncTime {
  /** Data alone (fdatasync). */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Data and times of the file (fsync), which is what this runtime's SQLite calls. */
  readonly fullP50Us: number;
  readonly fullP99Us: number;
}

/** Processor time of the whole machine since it started, seconds. */
export interface MachineCpu {
  readonly busySeconds: number;
  /** Wanted by this machine and given to another by the host. */
  readonly stolenSeconds: number;
}

/** CPU of a process tree since its start, and its peak resident memory. */
export interface Usage {
  readonly cpuSeconds: number;
  /** Resident now. */
  readonly memoryMb: number;
  readonly peakMemoryMb: number;
}

const SYNC_PROBES = 300;
/** USER_HZ, 100 on every Linux that this runtime supports. Source: proc_pid_stat(5). */
const TICKS_PER_SECOND = 100;
/** Below the range Linux gives to outgoing connections, so that none of those takes one. */
const PORT_RANGE = { first: 11_000, last: 31_000 } as const;

/** Milliseconds since `epochMs` on a clock all processes of this machine share. */
export function clockSince(epochMs: number): () => number {
  const originMs = performance.timeOrigin - epochMs;
  return () => originMs + performance.now();
}

/** Measures write and sync of 4 KiB in `directory`. */
export async function measureSyncTime(directory: string): Promise<SyncTime> {
  const path = `${directory}/sync-probe`;
  const page = new Uint8Array(4096).fill(0x55);
  using file = await Deno.open(path, { write: true, create: true });
  const probe = (sync: () => void) =>
    Float64Array.from({ length: SYNC_PROBES }, () => {
      const from = performance.now();
      file.writeSync(page);
      sync();
      return (performance.now() - from) * 1000;
    });
  const data = probe(() => file.syncDataSync());
  const full = probe(() => file.syncSync());
  await Deno.remove(path);
  return {
    p50Us: percentile(data, 0.5)!,
    p99Us: percentile(data, 0.99)!,
    fullP50Us: percentile(full, 0.5)!,
    fullP99Us: percentile(full, 0.99)!,
  };
}

/**
 * Reads CPU time (user and system, all threads, also ended ones) and peak memory of `pid` and of
 * every process below it. Needs all permissions: this runtime guards `/proc`.
 */
export function readUsage(pid: number): Usage {
  let ticks = 0, residentKb = 0, peakKb = 0;
  for (const member of processTree(pid)) {
    const stat = readProc(`${member}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
    const status = readProc(`${member}/status`);
    residentKb += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    peakKb += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return {
    cpuSeconds: ticks / TICKS_PER_SECOND,
    memoryMb: residentKb / 1024,
    peakMemoryMb: peakKb / 1024,
  };
}

/** Reads what all processors of the machine did since it started. */
export function readMachineCpu(): MachineCpu {
  // user nice system idle iowait irq softirq steal. Source: proc_stat(5).
  const ticks = (readProc("stat").split("\n")[0] ?? "").trim().split(/\s+/).slice(1).map(Number);
  const seconds = (...fields: readonly number[]) =>
    fields.reduce((sum, field) => sum + (ticks[field] ?? 0), 0) / TICKS_PER_SECOND;
  return { busySeconds: seconds(0, 1, 2, 5, 6), stolenSeconds: seconds(7) };
}

/** Finds `count` ports of 127.0.0.1 that nothing listens on. */
export function freePorts(count: number): number[] {
  const span = PORT_RANGE.last - PORT_RANGE.first;
  const from = Math.floor(Math.random() * span);
  const ports: number[] = [];
  for (let step = 0; step < span && ports.length < count; step++) {
    const port = PORT_RANGE.first + (from + step) % span;
    if (isFree(port)) ports.push(port);
  }
  if (ports.length < count) throw new Error(`Cannot find ${count} free ports`);
  return ports;
}

/** One line naming processor, cores, memory and kernel. */
export function describeMachine(): string {
  const model = /model name\s*:\s*(.+)/.exec(readProc("cpuinfo"))?.[1] ?? Deno.build.arch;
  const { total } = Deno.systemMemoryInfo();
  return `${navigator.hardwareConcurrency} x ${model}, ${Math.round(total / 2 ** 30)} GiB, ` +
    `${Deno.build.os} ${Deno.osRelease()}, Deno ${Deno.version.deno}`;
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of Deno.readDirSync("/proc")) {
    const pid = Number(entry.name);
    if (!Number.isInteger(pid)) continue;
    const stat = readProc(`${pid}/stat`);
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0));
  }
  const tree = [root];
  for (const member of tree) {
    for (const [pid, parent] of parents) if (parent === member) tree.push(pid);
  }
  return tree;
}

/** Reads a file below /proc; empty when the process ended meanwhile. */
function readProc(name: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    if (error instanceof Error && error.message.includes("No such process")) return "";
    throw error;
  }
}
