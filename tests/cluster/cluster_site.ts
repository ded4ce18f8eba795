/**
 * Where a cluster is put to the test: one PostgreSQL, one bundle, engines as processes, a partner
 * that receives and a sender that finds the leader as a load balancer does.
 *
 * Each node listens on a loopback address of its own, as on a machine of its own.
 */
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { Connection, type Row } from "../../src/cluster/postgres/connection.ts";
import { addressOf } from "./cluster_bench.ts";
import { type BundleDir, openBundle } from "../graph/bench.ts";
import { FaultProxy } from "./fault_proxy.ts";
import type { Member } from "./haproxy.ts";
import { NodeProcess } from "./node_process.ts";
import { PostgresServer, type PostgresServerOptions } from "../postgres/server.ts";

export interface SiteOptions extends PostgresServerOptions {
  /** Seconds. */
  readonly heartbeat?: number;
  readonly fence?: number;
  readonly ttl?: number;
  /** Instead of the site's own `[store]` and `[cluster]`, for a database on that port. */
  readonly nodeSettings?: (databasePort: number) => string;
  /** Between each node and the database stands a proxy, so that it can be cut off. */
  readonly hasProxies?: boolean;
}

export interface SpawnOptions {
  /** The site's own when left out. */
  readonly bundleDir?: string;
  /** Any free one when left out. */
  readonly apiPort?: number;
}

export class ClusterSite implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly partner: ScriptedPartner;
  readonly bundle: BundleDir;
  /** Every process ever started here. */
  readonly processes: NodeProcess[] = [];
  /** By the names of nodes; with `hasProxies`. */
  readonly proxies = new Map<string, FaultProxy>();
  readonly #inboundPort: number;
  readonly #options: SiteOptions;

  /** The graph's text, for a bundle of a node's own. */
  get graph(): string {
    return graphText(this.#inboundPort, this.partner.port);
  }

  static async open(options: SiteOptions = {}): Promise<ClusterSite> {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(await PostgresServer.start(options));
    const partner = stack.use(await ScriptedPartner.start());
    const inboundPort = await freePort();
    const bundle = stack.use(
      await openBundle({ "graph/pass.ts": graphText(inboundPort, partner.port) }),
    );
    const site = new ClusterSite({ server, partner, bundle, inboundPort, options });
    site.#rooms = stack.move();
    return site;
  }

  #rooms = new AsyncDisposableStack();

  private constructor(
    { server, partner, bundle, inboundPort, options }: {
      server: PostgresServer;
      partner: ScriptedPartner;
      bundle: BundleDir;
      inboundPort: number;
      options: SiteOptions;
    },
  ) {
    this.server = server;
    this.partner = partner;
    this.bundle = bundle;
    this.#inboundPort = inboundPort;
    this.#options = options;
  }

  /** Starts node `number`, 1 to 9; again after it has ended. */
  async spawn(
    number: number,
    { bundleDir = this.bundle.dir, apiPort: given }: SpawnOptions = {},
  ): Promise<NodeProcess> {
    const apiPort = given ?? await freePort();
    const file = `node${number}.toml`;
    const databasePort = await this.#databasePort(`node${number}`);
    await this.bundle.write(file, this.#settingsText(number, { apiPort, databasePort }));
    const process = new NodeProcess({
      name: `node${number}`,
      bundleDir,
      storeDir: this.bundle.dir,
      settingsFile: `${this.bundle.dir}/${file}`,
      apiPort,
      isDetached: this.#options.isDetached,
    });
    this.processes.push(process);
    return process;
  }

  /** Starts nodes 1 to `count` at once and waits until one of them serves. */
  async spawnAll(count: number): Promise<NodeProcess[]> {
    const nodes = await Promise.all(
      Array.from({ length: count }, (_, index) => this.spawn(index + 1)),
    );
    for (const node of nodes) {
      if (!await node.starts()) throw new Error(`${node.name} ended: ${node.said}`);
    }
    await this.leader();
    return nodes;
  }

  /** The node that says it is ready, waited for at most `ms`. */
  async leader(ms = 20_000): Promise<NodeProcess> {
    const deadline = performance.now() + ms;
    for (;;) {
      const found = await this.findLeader();
      if (found !== undefined) return found;
      if (performance.now() > deadline) {
        const said = this.living.map((node) => `${node.name}: ${node.said}`).join("\n");
        throw new Error(`Waited ${ms} ms for a leader\n${said}`);
      }
      await pause(20);
    }
  }

  async findLeader(): Promise<NodeProcess | undefined> {
    const living = this.living;
    const ready = await Promise.all(living.map((node) => node.readiness()));
    return living.find((_, index) => ready[index]?.status === 200);
  }

  /** A statement of an onlooker's. */
  async query(text: string): Promise<readonly Row[]> {
    await using connection = new Connection({ address: addressOf(this.server), timeoutMs: 30_000 });
    return await connection.run(text);
  }

  /** Waits until no row of the queue is open. */
  async drained(ms = 20_000): Promise<void> {
    const deadline = performance.now() + ms;
    for (;;) {
      const [row] = await this.query(
        "SELECT count(*)::integer AS open FROM queue WHERE status IN ('pending', 'inflight')",
      );
      if (row!.open === 0) return;
      if (performance.now() > deadline) throw new Error(`${row!.open} rows stay open`);
      await pause(50);
    }
  }

  /** What stands before the nodes has to know of one. */
  memberOf(node: NodeProcess): Member {
    const { host, port } = this.inboundOf(node);
    return { host, inboundPort: port, apiPort: node.apiPort };
  }

  /** Milliseconds. */
  get ttlMs(): number {
    return (this.#options.ttl ?? 3) * 1_000;
  }

  /** Starts again what has ended of nodes 1 to `count`. */
  async refill(count: number, apiPorts: ReadonlyMap<number, number> = new Map()): Promise<void> {
    const there = new Set(this.living.map(({ name }) => name));
    for (let number = 1; number <= count; number++) {
      if (!there.has(`node${number}`)) await this.spawn(number, { apiPort: apiPorts.get(number) });
    }
  }

  /** Lets go on what was frozen or cut off. */
  thaw(): void {
    for (const node of this.living) node.signal("SIGCONT");
    for (const proxy of this.proxies.values()) proxy.release();
  }

  /** What stands between a node and the database. */
  proxyOf({ name }: NodeProcess): FaultProxy {
    return this.proxies.get(name)!;
  }

  /** Where this node takes messages. */
  inboundOf({ name }: NodeProcess): { readonly host: string; readonly port: number } {
    return { host: `127.0.0.1${name.slice(-1)}`, port: this.#inboundPort };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.processes) {
      process.signal("SIGCONT");
      process.signal("SIGKILL");
    }
    await Promise.all(this.processes.map(({ ended }) => ended));
    await this.#rooms.disposeAsync();
  }

  get living(): NodeProcess[] {
    return this.processes.filter(({ hasEnded }) => !hasEnded);
  }

  async #databasePort(name: string): Promise<number> {
    if (!this.#options.hasProxies) return this.server.port;
    let proxy = this.proxies.get(name);
    if (proxy === undefined) {
      proxy = this.#rooms.use(await FaultProxy.start(this.server.port));
      this.proxies.set(name, proxy);
    }
    return proxy.port;
  }

  #settingsText(
    number: number,
    { apiPort, databasePort }: { apiPort: number; databasePort: number },
  ): string {
    const { nodeSettings = (port: number) => this.#storeText(port) } = this.#options;
    return `${nodeSettings(databasePort)}
[inbound]
bind_host = "127.0.0.1${number}"

[api]
port = ${apiPort}

[auth]
enabled = false

[logging]
format = "json"

[environments]
base_dir = "${this.bundle.dir}"
`;
  }

  #storeText(databasePort: number): string {
    const { heartbeat = 0.5, fence = 2, ttl = 3 } = this.#options;
    return `[store]
backend = "postgres"
server = "127.0.0.1"
port = ${databasePort}
database = "postgres"
username = "postgres"
path = "${this.bundle.dir}/unused.db"
encrypt = false

[cluster]
enabled = true
heartbeat_seconds = ${heartbeat}
leader_fence_timeout_seconds = ${fence}
leader_lease_ttl_seconds = ${ttl}
node_timeout_seconds = ${Math.max(2, heartbeat * 3)}
reclaim_interval_seconds = 2
`;
  }
}

/**
 * One inbound, one ordered outbound; each message carries its number by the state, which every leader
 * goes on with. A retry does not take longer than a test may.
 */
function graphText(inboundPort: number, partnerPort: number): string {
  return `
import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";
const retry = { backoffSeconds: 0.05, backoffMultiplier: 1.5, maxBackoffSeconds: 0.5 };
const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partnerPort} }), { retry });
const pass = handler("pass", (msg) => {
  const count = (state<number>("site", "count") ?? 0) + 1;
  return [send(lab, msg.set("MSH-3", "count." + count)), setState("site", "count", count)];
});
inbound("IB_ADT", mllp({ port: ${inboundPort} }), { router: router("all", () => pass) });
`;
}
