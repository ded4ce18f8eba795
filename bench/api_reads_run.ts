/**
 * The `api-reads` profile: what operators ask most, of a store that holds a million messages.
 *
 * Upstream: `main.ts`. Downstream: an engine that does nothing else; one asker, one call at a time.
 */
import { ApiConnection } from "./api_connection.ts";
import { startEngine } from "./engine.ts";
import { fillHistory } from "./history.ts";
import { freePorts, readUsage } from "./machine.ts";
import { type Profile, profiles } from "./profiles.ts";
import { percentile } from "./reconcile.ts";

export const API_READS_PROFILE = "api-reads";

/** One line of the table; without times, `reason` says why. */
export interface ApiReadResult {
  readonly asked: string;
  readonly stored: number;
  readonly calls: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Of the engine, all threads, for one call. */
  readonly cpuMs?: number;
  readonly reason?: string;
}

const STORED = 1_000_000;
const WARM_UP = 20;
const CALLS = 200;

const ASKED: Readonly<Record<string, string>> = {
  "50 newest": "/messages?limit=50",
  "50, page 100": "/messages?limit=50&offset=5000",
  "50 of one inbound": "/messages?limit=50&channel_id=IB_1",
  "50 errors": "/messages?limit=50&status=error",
  "50 filtered": "/messages?limit=50&status=filtered",
  "50 processed": "/messages?limit=50&status=processed",
  "by control ID": "/messages?limit=50&control_id=H654321",
  "one message": `/messages/${(654_321).toString(16).padStart(32, "0")}`,
  "its payloads": `/messages/${(654_321).toString(16).padStart(32, "0")}/outbound`,
  "50 dead letters": "/dead-letters?limit=50",
  "connections": "/connections",
  "figures": "/stats",
};

/** Measures each of them by itself. */
export async function runApiReads(directory: string): Promise<ApiReadResult[]> {
  const place = await Deno.makeTempDir({ dir: directory, prefix: "api-reads-" });
  try {
    return await measure(place);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ asked: "anything", stored: STORED, calls: 0, reason }];
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

async function measure(directory: string): Promise<ApiReadResult[]> {
  const shape = profiles.find(({ name }) => name === "lanes-8")!;
  const profile: Profile = { ...shape, apiCallsPerSecond: 1 };
  const [apiPort, ...ports] = freePorts(1 + profile.inbounds + profile.lanes);
  const options = {
    ...{ profile, directory, apiPort: apiPort!, synchronous: "full", isEncrypted: false } as const,
    inboundPorts: ports.slice(0, profile.inbounds),
    lanePorts: ports.slice(profile.inbounds),
    storeLines: undefined,
  };
  // The store is made by an engine, and filled while none is there.
  await (await startEngine(options))[Symbol.asyncDispose]();
  console.error(`${API_READS_PROFILE}: storing ${STORED} messages`);
  fillHistory(`${directory}/messagefoundry.db`, STORED, profile.inbounds);
  await using engine = await startEngine(options);
  using connection = await ApiConnection.open(apiPort!, engine.token!);
  const results: ApiReadResult[] = [];
  for (const [asked, path] of Object.entries(ASKED)) {
    results.push({
      asked,
      stored: STORED,
      calls: CALLS,
      ...await time(connection, path, engine.pid),
    });
  }
  return results;
}

async function time(
  connection: ApiConnection,
  path: string,
  pid: number,
): Promise<Pick<ApiReadResult, "p50Ms" | "p99Ms" | "cpuMs" | "reason">> {
  const took: number[] = [];
  let cpuBefore = 0;
  for (let call = 0; call < WARM_UP + CALLS; call++) {
    if (call === WARM_UP) cpuBefore = readUsage(pid).cpuSeconds;
    const startedAt = performance.now();
    const { status } = await connection.get(path);
    if (status !== 200) return { reason: `GET ${path} was answered ${status}` };
    if (call >= WARM_UP) took.push(performance.now() - startedAt);
  }
  const sorted = Float64Array.from(took).sort();
  const cpuMs = (readUsage(pid).cpuSeconds - cpuBefore) * 1000 / CALLS;
  return { cpuMs, p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) };
}
