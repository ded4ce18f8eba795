/** One node of a cluster: its lease, its row among the nodes, and what it does when it leads. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../logging/logger.ts";
import type { ClusterSettings } from "../settings/mod.ts";
import { DatabaseClock } from "./database_clock.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Holder, LeaseStore } from "./lease.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import {
  type ClusterStore,
  type LeaseRow,
  liveLeader,
  type NodeRow,
  type OpenLane,
} from "./membership.ts";
import { type Duties, Supervisor } from "./supervisor.ts";
import type { Term } from "./term.ts";

/** The database's side of a cluster; one of each backend. */
export interface ClusterBackend extends AsyncDisposable {
  readonly lease: LeaseStore;
  readonly store: ClusterStore;
}

/** What other nodes say, and what the connection that hears them says of itself. */
export interface News {
  /** The lease was given back. */
  leaseReleased(): void;
  configMoved(): void;
  /** There is word for the leader. */
  actNoted(): void;
  /** The connection is there again; what was said in between was not heard. */
  connected(): void;
  /** The connection is gone; the next statement makes another. */
  lost(): void;
}

export interface ClusterOptions {
  readonly settings: ClusterSettings;
  readonly me: Holder;
  /** This node's own, by which it fences itself. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Connects; makes the tables that are missing. @throws {ClusterError} */
  readonly openBackend: (news: News) => Promise<ClusterBackend>;
}

/** What a node does about what it hears. */
export interface Followers {
  /** At each beat: the configuration's number, and the fingerprint of the leader's graph. */
  onConfig(version: number, graph: string | undefined): void;
  /** Another node changed rows; only a leader hears it. */
  onAct(act: string): void;
}

export interface ClusterStatus {
  readonly nodeId: string;
  readonly isLeader: boolean;
  readonly role: "primary" | "standby";
  readonly configVersion: number;
}

export interface ClusterNodes {
  readonly nodes: readonly NodeRow[];
  /** By what the nodes say of themselves; undefined: none that lives. */
  readonly leaderNodeId: string | undefined;
  /** What counts. */
  readonly lease: LeaseRow;
}

export class Cluster implements AsyncDisposable {
  readonly nodeId: string;
  readonly #options: ClusterOptions;
  readonly #keeper: LeaseKeeper;
  readonly #backend: ClusterBackend;
  readonly #databaseClock: DatabaseClock;
  readonly #heartbeat: Heartbeat;
  #supervisor: Supervisor | undefined;
  #configVersion = 0;
  #leaving: Promise<void> | undefined;
  #followers: Followers | undefined;

  /**
   * Joins the cluster; leads nothing before `start()`.
   *
   * @throws {ClusterError} the database cannot be reached.
   */
  static async open(options: ClusterOptions): Promise<Cluster> {
    let cluster: Cluster | undefined;
    const hear = (act: (cluster: Cluster) => void) => {
      if (cluster !== undefined) act(cluster);
    };
    const backend = await options.openBackend({
      leaseReleased: () => hear((node) => node.#keeper.nudge()),
      configMoved: () => hear((node) => node.#heartbeat.now()),
      actNoted: () => hear((node) => void node.#takeActs()),
      connected: () => hear((node) => node.#keeper.nudge()),
      lost: () => hear((node) => node.#heartbeat.now()),
    });
    try {
      cluster = new Cluster(options, backend);
      await cluster.#heartbeat.start();
      return cluster;
    } catch (thrown) {
      await backend[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(options: ClusterOptions, backend: ClusterBackend) {
    this.#options = options;
    this.#backend = backend;
    const { settings, me, clock, logger } = options;
    this.nodeId = me.nodeId;
    this.#keeper = new LeaseKeeper({
      ...{ me, clock, logger, store: backend.lease, timings: timingsOf(settings) },
      onChange: () => this.#supervisor?.look(),
    });
    this.#databaseClock = new DatabaseClock(clock);
    this.#heartbeat = new Heartbeat({
      ...{ store: backend.store, nodeId: me.nodeId, heartbeatMs: settings.heartbeatMs, logger },
      databaseClock: this.#databaseClock,
      leads: () => ({ isLeader: this.isLeader, epoch: this.#keeper.epoch ?? 0 }),
      onAnswer: ({ configVersion, graph, hasActs }) => {
        this.#configVersion = configVersion;
        this.#followers?.onConfig(configVersion, graph);
        // Word that was not heard of is found here.
        if (hasActs) void this.#takeActs();
      },
    });
  }

  /** Begins to contend for leadership, and does `duties` whenever it is won. */
  start(duties: Duties, followers: Followers): void {
    const { settings, clock, logger } = this.#options;
    this.#followers = followers;
    this.#supervisor = new Supervisor({
      ...{ keeper: this.#keeper, duties, clock, logger, nodeId: this.nodeId },
      heartbeatMs: settings.heartbeatMs,
      marginMs: settings.leaderLeaseTtlMs - settings.leaderFenceTimeoutMs,
      onTurn: () => this.#heartbeat.now(),
    });
    this.#supervisor.start();
    this.#keeper.start();
  }

  /** The one clock of all nodes: the database's. */
  get clock(): Clock {
    return this.#databaseClock;
  }

  /** Whether this node may act as leader at this moment. */
  get isLeader(): boolean {
    return this.#supervisor?.term?.isCurrent ?? false;
  }

  /** Whether the graph of this node runs: it leads, and its promotion is done. */
  get isServing(): boolean {
    return this.isLeader && this.#supervisor?.role === "primary";
  }

  get term(): Term | undefined {
    return this.#supervisor?.term;
  }

  /** From memory. */
  get status(): ClusterStatus {
    const { isLeader } = this;
    return {
      nodeId: this.nodeId,
      isLeader,
      role: isLeader ? "primary" : "standby",
      configVersion: this.#configVersion,
    };
  }

  /** @throws {ClusterError} */
  async nodes(): Promise<ClusterNodes> {
    const { store } = this.#backend;
    const [nodes, lease] = await Promise.all([store.nodes(), store.lease()]);
    const leaderNodeId = liveLeader(nodes, this.#options.settings.nodeTimeoutMs)?.nodeId;
    return { nodes, leaderNodeId, lease };
  }

  /** Lanes with open rows, as the database has them. @throws {ClusterError} */
  openLanes(): Promise<readonly OpenLane[]> {
    return this.#backend.store.openLanes();
  }

  /** Tells the other nodes to load their graph anew; returns its number. @throws {ClusterError} */
  async bumpConfig(): Promise<number> {
    return this.#configVersion = await this.#backend.store.bumpConfig();
  }

  /** Reads the configuration's number now. @throws {ClusterError} */
  async readConfigVersion(): Promise<number> {
    const { epoch = 0 } = this.#keeper;
    const beat = await this.#backend.store.beat({ isLeader: this.isLeader, epoch });
    return this.#configVersion = beat.configVersion;
  }

  /** Says which graph runs; of a node that leads. @throws {ClusterError} */
  async noteGraph(graph: string): Promise<void> {
    const { epoch } = this.#keeper;
    if (epoch !== undefined) await this.#backend.store.noteGraph(graph, epoch);
  }

  /** Leaves word for the leader; a node that does not lead calls it. @throws {ClusterError} */
  async noteAct(act: string): Promise<void> {
    await this.#backend.store.noteAct(act);
  }

  /**
   * Lets go of what was left for the leader until now: whoever counts rows after this has counted
   * what it tells of. @throws {ClusterError}
   */
  async forgetActs({ epoch }: Term): Promise<void> {
    await this.#backend.store.takeActs(epoch);
  }

  async #takeActs(): Promise<void> {
    const term = this.#supervisor?.term;
    if (term === undefined || !this.isServing) return;
    try {
      for (const act of await this.#backend.store.takeActs(term.epoch)) {
        this.#followers?.onAct(act);
      }
    } catch {
      // The next beat looks again.
    }
  }

  /** Ends what it leads, then gives the lease back, then leaves a tombstone. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  async #leave(): Promise<void> {
    const { logger } = this.#options;
    await this.#supervisor?.end();
    await this.#heartbeat.end();
    await this.#keeper.end();
    try {
      await this.#backend.store.leave();
    } catch {
      // A node that cannot say so goes stale instead.
    }
    await this.#backend[Symbol.asyncDispose]();
    logger.info("cluster.left", { node: this.nodeId });
  }
}

function timingsOf({ heartbeatMs, leaderFenceTimeoutMs, leaderLeaseTtlMs }: ClusterSettings) {
  return { heartbeatMs, fenceMs: leaderFenceTimeoutMs, ttlMs: leaderLeaseTtlMs };
}
