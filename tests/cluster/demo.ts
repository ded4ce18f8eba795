/**
 * `deno task cluster:demo [--seconds N] [--every N] [--nodes N]`: engines over one PostgreSQL, HAProxy in
 * front where it is installed, traffic through it all, and the leader killed every few seconds.
 *
 * Shows what a partner and a sender see of it: how long nothing flows, what is lost, doubled or out
 * of order. Everything is started in a temporary folder and gone afterwards. Exit codes: 0 nothing
 * was lost or out of order, 1 something was, 2 the command line cannot be read.
 */
import { parseArgs } from "node:util";
import { pause } from "../connectors/waiting.ts";
import { ClusterSite } from "./cluster_site.ts";
import { Haproxy, haproxyPath } from "./haproxy.ts";
import { hasPostgres } from "./postgres_server.ts";
import { judge, Traffic } from "./traffic.ts";

const USAGE = "Usage: deno task cluster:demo [--seconds N] [--every N] [--nodes N]";
const LOOK_MS = 500;

interface Options {
  readonly seconds: number;
  /** Seconds between two kills. */
  readonly every: number;
  readonly nodes: number;
}

async function show({ seconds, every, nodes: count }: Options): Promise<number> {
  console.log(`Starting PostgreSQL and ${count} engines …`);
  await using site = await ClusterSite.open();
  const nodes = await site.spawnAll(count);
  await using front = await openFront(site, nodes.length);
  const traffic = new Traffic(site, { address: front.address, pauseMs: 2 });
  const picture = new Picture(site, traffic, front.name);
  traffic.start();
  const endAt = performance.now() + seconds * 1_000;
  let killAt = performance.now() + every * 1_000;
  try {
    while (performance.now() < endAt) {
      await pause(LOOK_MS);
      await picture.show();
      if (performance.now() < killAt || endAt - performance.now() < every * 500) continue;
      const leader = await site.findLeader();
      if (leader === undefined) continue;
      await leader.kill();
      picture.kills += 1;
      await site.refill(count, front.apiPorts);
      killAt = performance.now() + every * 1_000;
    }
    await site.leader();
    await traffic.acknowledges(1);
  } finally {
    await traffic.stop();
  }
  await site.drained();
  return picture.end();
}

interface Front extends AsyncDisposable {
  readonly name: string;
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** By the number of the node: what stands in front knows them, so they stay. */
  readonly apiPorts: ReadonlyMap<number, number>;
}

async function openFront(site: ClusterSite, count: number): Promise<Front> {
  const apiPorts = new Map(
    site.living.map(({ name, apiPort }) => [Number(name.slice(-1)), apiPort]),
  );
  try {
    await Deno.stat(haproxyPath);
  } catch {
    const name = `no HAProxy (${haproxyPath} is not there): the sender asks all ${count} nodes`;
    return { name, address: undefined, apiPorts, [Symbol.asyncDispose]: async () => {} };
  }
  const proxy = await Haproxy.start(site.living.map((node) => site.memberOf(node)));
  const { port } = proxy;
  return {
    ...{ name: `HAProxy on 127.0.0.1:${port}`, address: { host: "127.0.0.1", port }, apiPorts },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

class Picture {
  kills = 0;
  readonly #site: ClusterSite;
  readonly #traffic: Traffic;
  readonly #isDrawn = Deno.stdout.isTerminal();
  readonly #startedAt = performance.now();
  #height = 0;
  #saidAt = 0;

  constructor(site: ClusterSite, traffic: Traffic, front: string) {
    this.#site = site;
    this.#traffic = traffic;
    console.log(`In front: ${front}\n`);
  }

  async show(): Promise<void> {
    const figures = this.#figures();
    if (!this.#isDrawn) {
      if (performance.now() - this.#saidAt < 2_000) return;
      this.#saidAt = performance.now();
      return console.log(figures.map(([name, value]) => `${name} ${value}`).join("  "));
    }
    const lines = [
      ...await this.#nodeLines(),
      "",
      ...figures.map(([name, value]) => `  ${name.padEnd(18)}${value}`),
    ];
    const up = this.#height === 0 ? "" : `\x1b[${this.#height}A`;
    console.log(`${up}${lines.map((line) => `\x1b[2K${line}`).join("\n")}`);
    this.#height = lines.length;
  }

  /** The last word; returns the exit code. */
  end(): number {
    const { lost, inversions, gapsInState } = judge(this.#traffic, this.#site.partner);
    for (const [name, value] of this.#figures()) console.log(`  ${name.padEnd(18)}${value}`);
    return lost.length + inversions.length + gapsInState.length === 0 ? 0 : 1;
  }

  async #nodeLines(): Promise<string[]> {
    return await Promise.all(
      this.#site.living.map(async (node) => {
        const ready = await node.readiness();
        return `  ${node.name}  ${String(node.pid).padEnd(8)}${ready?.role ?? "starting"}`;
      }),
    );
  }

  #figures(): (readonly [string, string])[] {
    const { acknowledged, longestGapMs, gapMs } = this.#traffic;
    const { received } = this.#site.partner;
    const { lost, inversions, duplicates } = judge(this.#traffic, this.#site.partner);
    const waiting = acknowledged.length - new Set(received.map(({ controlId }) => controlId)).size;
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    return [
      ["seconds", seconds.toFixed(0)],
      ["leaders killed", String(this.kills)],
      ["acknowledged", String(acknowledged.length)],
      ["delivered", String(received.length)],
      ["gap now", `${(gapMs / 1_000).toFixed(1)} s`],
      ["longest gap", `${(longestGapMs / 1_000).toFixed(1)} s`],
      // What is acknowledged and not delivered yet is on its way while traffic flows.
      ["lost", waiting > 0 && lost.length <= waiting ? "0" : String(lost.length)],
      ["duplicated", String(duplicates)],
      ["out of order", String(inversions.length)],
    ];
  }
}

function readOptions(args: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seconds: { type: "string", default: "90" },
        every: { type: "string", default: "12" },
        nodes: { type: "string", default: "3" },
      },
    });
    const read = {
      seconds: Number(values.seconds),
      every: Number(values.every),
      nodes: Number(values.nodes),
    };
    const isRead = read.seconds > 0 && read.every > 0 && read.nodes >= 1 && read.nodes <= 9;
    return isRead ? read : undefined;
  } catch {
    return undefined;
  }
}

const options = readOptions(Deno.args);
if (options === undefined) {
  console.error(USAGE);
  Deno.exit(2);
}
if (!await hasPostgres()) {
  console.error("Install Debian's package postgresql, and run it again");
  Deno.exit(2);
}
Deno.exit(await show(options));
