/**
 * How long a change of leaders takes, and how much a cluster asks of its database while nothing
 * happens: `deno task proof:cluster --figures`. Source: spec pipeline-store-cluster §11.6.
 */
import { pause } from "../connectors/waiting.ts";
import { ClusterSite, type SiteOptions } from "./cluster_site.ts";
import { judge, Traffic } from "./traffic.ts";

/** Seconds; the settings' defaults, and what docs/operating/cluster.md names for a fast failover. */
export const timings = {
  default: { heartbeat: 10, fence: 20, ttl: 30 },
  fast: { heartbeat: 1, fence: 4, ttl: 6 },
} as const;

export type TimingName = keyof typeof timings;

export interface Figure {
  readonly what: string;
  readonly unit: "ms" | "statements/s";
  /** One of each round. */
  readonly values: readonly number[];
  /** The worst value allowed. */
  readonly aim: number;
}

export interface FigureOptions {
  readonly rounds: number;
  readonly nodes: number;
  /** How long an idle cluster is watched. */
  readonly idleSeconds: number;
  readonly say: (line: string) => void;
}

const PROMOTION_MS = 1_000;
const SWITCHOVER_MS = 1_000;
const STATEMENTS_PER_SECOND = 10;

/** Runs all of it; takes some minutes, for a lease of 30 seconds is waited for in each round. */
export async function measureFigures(options: FigureOptions): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const name of ["fast", "default"] as const) {
    const { ttl } = timings[name];
    const changes: Change[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      const change = await changeOfLeaders(name, "kill", options);
      changes.push(change);
      const { tookMs, afterLeaseMs } = change;
      options.say(
        `crash, lease of ${ttl} s, round ${round}: ${tookMs} ms, ${afterLeaseMs} after it`,
      );
    }
    figures.push({
      what: `leader killed to first delivery, lease of ${ttl} s`,
      unit: "ms",
      values: changes.map(({ tookMs }) => tookMs),
      aim: ttl * 1_000 + PROMOTION_MS,
    }, {
      // A leader that is killed just after a renewal takes the whole lease with it.
      what: `of that, after the lease of ${ttl} s had ended`,
      unit: "ms",
      values: changes.map(({ afterLeaseMs }) => afterLeaseMs),
      aim: PROMOTION_MS,
    });
  }
  const switchovers: number[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    switchovers.push((await changeOfLeaders("default", "stop", options)).tookMs);
    options.say(`clean stop, round ${round}: ${switchovers.at(-1)} ms`);
  }
  const what = "leader told to stop to first delivery of the next";
  figures.push({ what, unit: "ms", values: switchovers, aim: SWITCHOVER_MS });
  for (const name of ["fast", "default"] as const) {
    const value = await idleStatements(name, options);
    const { heartbeat } = timings[name];
    options.say(`idle, a beat every ${heartbeat} s: ${value} statements/s`);
    figures.push({
      what: `idle cluster of ${options.nodes}, a beat every ${heartbeat} s`,
      unit: "statements/s",
      values: [value],
      aim: STATEMENTS_PER_SECOND,
    });
  }
  return figures;
}

interface Change {
  /** From the end of one leader to the first delivery of the next. */
  readonly tookMs: number;
  /** The part of it that came after the lease of the first had ended. */
  readonly afterLeaseMs: number;
}

/** Ends the leader under traffic, and waits for what the next one delivers. */
async function changeOfLeaders(
  name: TimingName,
  way: "kill" | "stop",
  { nodes: count }: FigureOptions,
): Promise<Change> {
  await using site = await ClusterSite.open(timings[name]);
  const nodes = await site.spawnAll(count);
  const traffic = new Traffic(site);
  traffic.start();
  try {
    await traffic.acknowledges(100);
    const leader = await site.leader();
    const others = nodes.filter((node) => node !== leader);
    const begunAt = performance.now();
    if (way === "kill") await leader.kill();
    else leader.signal("SIGTERM");
    const [lease] = await site.query(`
      SELECT (lease_expires_at / 1000.0 - extract(epoch FROM clock_timestamp()) * 1000)::float8
             AS remaining_ms FROM leader_lease`);
    const leaseEndAt = performance.now() + Number(lease!.remaining_ms);
    const deadline = begunAt + site.ttlMs * 2 + 10_000;
    const isServed = () => others.some((node) => node.saw("cluster.acquired"));
    let delivered = 0;
    // What the former leader still delivers while it stops is not the next one's.
    while (!isServed() || site.partner.received.length === delivered) {
      if (!isServed()) delivered = site.partner.received.length;
      if (performance.now() > deadline) throw new Error(`No delivery after a ${way} of the leader`);
      await pause(1);
    }
    const now = performance.now();
    const change = {
      tookMs: Math.round(now - begunAt),
      afterLeaseMs: Math.round(Math.max(0, now - leaseEndAt)),
    };
    await traffic.acknowledges(50);
    await traffic.stop();
    await site.drained();
    const { lost, inversions } = judge(traffic, site.partner);
    if (lost.length + inversions.length > 0) throw new Error("A figure of a broken run is none");
    return change;
  } finally {
    await traffic.stop();
  }
}

/** Statements a second that the database is asked by all nodes together while nothing is sent. */
async function idleStatements(
  name: TimingName,
  { nodes, idleSeconds }: FigureOptions,
): Promise<number> {
  const site = await ClusterSite.open(
    {
      ...timings[name],
      settings: ["shared_preload_libraries=pg_stat_statements"],
    } satisfies SiteOptions,
  );
  await using _site = site;
  await site.spawnAll(nodes);
  await site.query("CREATE EXTENSION pg_stat_statements");
  // What comes with the promotion is not idle.
  await pause(3_000);
  await site.query("SELECT pg_stat_statements_reset()");
  const begunAt = performance.now();
  await pause(idleSeconds * 1_000);
  const [row] = await site.query(`
    SELECT coalesce(sum(calls), 0)::integer AS calls FROM pg_stat_statements
     WHERE query NOT LIKE '%pg_stat_statements%'`);
  const seconds = (performance.now() - begunAt) / 1_000;
  return Math.round(Number(row!.calls) / seconds * 100) / 100;
}

/** Whether the worst of its values is allowed. */
export function isMet({ values, aim }: Figure): boolean {
  return Math.max(...values) <= aim;
}

export function figureLines(figures: readonly Figure[]): readonly string[] {
  const width = Math.max(...figures.map(({ what }) => what.length));
  return figures.map((figure) => {
    const { what, unit, values, aim } = figure;
    const shown = values.map((value) => String(value).padStart(6)).join(" ");
    const verdict = isMet(figure) ? "met" : "MISSED";
    return `${what.padEnd(width)}  ${shown} ${unit}  (aim ${aim}: ${verdict})`;
  });
}
