/**
 * Where a cluster is put to the test: one database, one bundle, engines as processes, a partner that
 * receives and a sender that finds the leader as a load balancer does.
 *
 * Each node listens on an address of its own: of loopback, or of a machine that the test has made.
 */
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import type { Row } from "../../src/cluster/server/connection.ts";
import type { ServerBackend } from "../../src/store/open.ts";
import { type BundleDir, openBundle } from "../graph/bench.ts";
import { ClusterDatabase } from "./databases.ts";
import { FakeClock } from "./fake_clock.ts";
import { FaultProxy } from "./fault_proxy.ts";
import { type Ground, loopback } from "./ground.ts";
import type { Member } from "./haproxy.ts";
import { NodeProcess } from "./node_process.ts";
import type { Wire } from "./network/wire.ts";
import type { PostgresServer, PostgresServerOptions } from "../postgres/server.ts";

export interface SiteOptions extends PostgresServerOptions {
  /** PostgreSQL when left out. */
  readonly backend?: ServerBackend;
  /** Seconds. */
  readonly heartbeat?: number;
  readonly fence?: number;
  readonly ttl?: number;
  readonly reclaim?: number;
  /** The setting's default when left out. */
  readonly commandTimeout?: number;
  /** Instead of the site's own `[store]` and `[cluster]`, for a database on that port. */
  readonly nodeSettings?: (databasePort: number) => string;
  /** Between each node and the database stands a proxy, so that it can be cut off. */
  readonly hasProxies?: boolean;
  /** Loopback when left out. */
  readonly ground?: Ground;
  /** Each node has a wall clock of its own; see `clockOf()`. */
  readonly hasClocks?: boolean;
  /** Whoever asks a node signs in; see `signIn()`. Without it nobody does. */
  readonly hasAccounts?: boolean;
}

export type Equipment = "proxies" | "clocks" | "wires";

export interface SpawnOptions {
  /** The site's own when left out. */
  readonly bundleDir?: string;
  /** Any free one when left out. */
  readonly apiPort?: number;
}

export class ClusterSite implements AsyncDisposable {
  readonly database: ClusterDatabase;
  readonly partner: ScriptedPartner;
  readonly bundle: BundleDir;
  /** Every process ever started here. */
  readonly processes: NodeProcess[] = [];
  /** By the names of nodes; with `hasProxies`. */
  readonly proxies = new Map<string, FaultProxy>();
  readonly #wires = new Map<string, Wire>();
  readonly #clocks = new Map<string, FakeClock>();
  readonly #inboundPort: number;
  readonly #options: SiteOptions;
  readonly #ground: Ground;
  /** Of the session that all requests to nodes belong to. */
  #token: string | undefined;

  /** It has the rows. */
  get server(): PostgresServer {
    return this.database.server;
  }

  /** The graph's text, for a bundle of a node's own. */
  get graph(): string {
    return graphText(this.#inboundPort, {
      host: this.#ground.partnerHost,
      port: this.partner.port,
    });
  }

  static async open(options: SiteOptions = {}): Promise<ClusterSite> {
    await using stack = new AsyncDisposableStack();
    const { backend = "postgres", ground } = options;
    const { databaseHost, partnerHost } = ground ?? loopback;
    const addresses = ground === undefined ? [] : [databaseHost];
    const database = stack.use(await ClusterDatabase.start(backend, { addresses, ...options }));
    const partner = stack.use(await ScriptedPartner.start({ host: partnerHost }));
    const inboundPort = await freePort();
    const bundle = stack.use(
      await openBundle({
        "graph/pass.ts": graphText(inboundPort, { host: partnerHost, port: partner.port }),
      }),
    );
    const site = new ClusterSite({ database, partner, bundle, inboundPort, options });
    site.#rooms = stack.move();
    return site;
  }

  #rooms = new AsyncDisposableStack();

  private constructor(
    { database, partner, bundle, inboundPort, options }: {
      database: ClusterDatabase;
      partner: ScriptedPartner;
      bundle: BundleDir;
      inboundPort: number;
      options: SiteOptions;
    },
  ) {
    this.database = database;
    this.partner = partner;
    this.bundle = bundle;
    this.#inboundPort = inboundPort;
    this.#options = options;
    this.#ground = options.ground ?? loopback;
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
      apiHost: this.#ground.apiHost(number),
      apiPort,
      net: this.#ground.netOf(number),
      command: this.#ground.commandOf(number),
      env: (await this.#clock(`node${number}`))?.env,
      isDetached: this.#options.isDetached,
    });
    process.token = this.#token;
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
  query(text: string): Promise<readonly Row[]> {
    return this.database.query(text);
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

  /** Signs in as the first administrator; every request to a node is of that session from now on. */
  async signIn(): Promise<void> {
    // Each node may have written a password; that of the one which made the account counts.
    const node = this.living.find((one) => one.saw("auth.bootstrap_created"))!;
    const file = `${this.bundle.dir}/${node.name}/bootstrap-admin.txt`;
    const [, given = ""] = /password: (\S+)/.exec(await Deno.readTextFile(file)) ?? [];
    const own = "eleven purple boats at dawn";
    const tokenFor = async (password: string) => {
      const { status, json } = await node.post(
        "/auth/login",
        { username: "admin", password },
        20_000,
      );
      if (status !== 200) throw new Error(`The administrator cannot sign in: ${status}`);
      return json.token as string;
    };
    node.token = await tokenFor(given);
    const change = { current_password: given, new_password: own };
    await node.post("/me/password", change, 20_000);
    node.token = undefined;
    this.#token = await tokenFor(own);
    for (const process of this.processes) process.token = this.#token;
  }

  /** What stands before the nodes has to know of one. */
  memberOf(node: NodeProcess): Member {
    const { host, port } = this.inboundOf(node);
    return { host, inboundPort: port, apiPort: node.apiPort };
  }

  /** What can be done to it beside what can be done to any. */
  get equipment(): readonly Equipment[] {
    const { hasProxies, hasClocks, ground } = this.#options;
    return [
      ...(hasProxies ? ["proxies"] as const : []),
      ...(hasClocks ? ["clocks"] as const : []),
      ...(ground?.wireTo ? ["wires"] as const : []),
    ];
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
  async thaw(): Promise<void> {
    for (const node of this.living) node.signal("SIGCONT");
    for (const line of [...this.proxies.values(), ...this.#wires.values()]) await line.release();
  }

  /** What stands between a node and the database, and can be cut. */
  lineOf(node: NodeProcess): FaultProxy | Wire {
    return this.proxies.get(node.name) ?? this.wireOf(node);
  }

  /** Ports of the node's machine that the database has sessions with, on ground with cables. */
  async portsOf(node: NodeProcess): Promise<readonly number[]> {
    const { host } = this.wireOf(node);
    const rows = await this.query(
      `SELECT client_port FROM pg_stat_activity WHERE client_addr = '${host}'`,
    );
    return rows.map(({ client_port }) => Number(client_port));
  }

  /** The node's own cable to the database, on ground that has some. */
  wireOf({ name }: NodeProcess): Wire {
    const wire = this.#wires.get(name) ?? this.#ground.wireTo!(numberOf(name));
    this.#wires.set(name, wire);
    return wire;
  }

  /** The node's wall clock, with `hasClocks`; it goes on as it is set when the node starts again. */
  clockOf({ name }: NodeProcess): FakeClock {
    return this.#clocks.get(name)!;
  }

  /** Where this node takes messages. */
  inboundOf({ name }: NodeProcess): { readonly host: string; readonly port: number } {
    return { host: this.#ground.nodeHost(numberOf(name)), port: this.#inboundPort };
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

  async #clock(name: string): Promise<FakeClock | undefined> {
    if (!this.#options.hasClocks) return undefined;
    const clock = this.#clocks.get(name) ?? await FakeClock.make(this.bundle.dir, name);
    this.#clocks.set(name, clock);
    return clock;
  }

  async #databasePort(name: string): Promise<number> {
    if (!this.#options.hasProxies) return this.database.port;
    let proxy = this.proxies.get(name);
    if (proxy === undefined) {
      proxy = this.#rooms.use(await FaultProxy.start(this.database.port));
      this.proxies.set(name, proxy);
    }
    return proxy.port;
  }

  #settingsText(
    number: number,
    { apiPort, databasePort }: { apiPort: number; databasePort: number },
  ): string {
    const { nodeSettings = (port: number) => this.#storeText(port, number) } = this.#options;
    return `${nodeSettings(databasePort)}
[inbound]
bind_host = "${this.#ground.nodeHost(number)}"

[api]
host = "${this.#ground.apiHost(number)}"
port = ${apiPort}

[auth]
enabled = ${this.#options.hasAccounts === true}

[logging]
format = "json"

[environments]
base_dir = "${this.bundle.dir}"
`;
  }

  #storeText(databasePort: number, number: number): string {
    const { heartbeat = 0.5, fence = 2, ttl = 3, reclaim = 2 } = this.#options;
    const { commandTimeout = 30 } = this.#options;
    const { backend } = this.database;
    const { database, user } = this.database.optionsAt(databasePort);
    return `[store]
backend = "${backend}"
server = "${this.#ground.databaseHost}"
port = ${databasePort}
database = "${database}"
username = "${user}"
path = "${this.bundle.dir}/node${number}/unused.db"
encrypt = false
command_timeout = ${commandTimeout}

[cluster]
enabled = true
heartbeat_seconds = ${heartbeat}
leader_fence_timeout_seconds = ${fence}
leader_lease_ttl_seconds = ${ttl}
node_timeout_seconds = ${Math.max(2, heartbeat * 3)}
reclaim_interval_seconds = ${reclaim}
`;
  }
}

/**
 * One inbound, one ordered outbound; each message carries its number by the state, which every leader
 * goes on with. A retry does not take longer than a test may.
 */
function graphText(inboundPort: number, partner: { host: string; port: number }): string {
  return `
import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";
const retry = { backoffSeconds: 0.05, backoffMultiplier: 1.5, maxBackoffSeconds: 0.5 };
const lab = outbound("OB_LAB", mllp(${JSON.stringify(partner)}), { retry });
const pass = handler("pass", (msg) => {
  const count = (state<number>("site", "count") ?? 0) + 1;
  return [send(lab, msg.set("MSH-3", "count." + count)), setState("site", "count", count)];
});
inbound("IB_ADT", mllp({ port: ${inboundPort} }), { router: router("all", () => pass) });
`;
}

/** Of a node, by its name. */
function numberOf(name: string): number {
  return Number(name.slice(-1));
}
