/** Nodes, configuration version and acts on a database server. */
import type { Holder } from "../lease.ts";
import type { BeatAnswer, ClusterStore, LeaseRow, NodeRow, OpenLane } from "../membership.ts";
import type { Connection, Row, Value } from "./connection.ts";
import type { ClusterStatements, Tell } from "./statements.ts";

export interface ServerClusterOptions {
  /** Not the lease's: what is slow here must not cost leadership. */
  readonly connection: Connection;
  readonly statements: ClusterStatements;
  readonly me: Holder;
  /** Undefined: the address the database sees this node at. */
  readonly host: string | undefined;
  readonly pid: number;
  readonly nodeTimeoutMs: number;
  readonly tell: Tell;
  /** What a beat shows beside its answer, in the dialect's own columns. */
  readonly onBeat?: (row: Row) => void;
}

export class ServerClusterStore implements ClusterStore {
  readonly #options: ServerClusterOptions;

  constructor(options: ServerClusterOptions) {
    this.#options = options;
  }

  async beat(leads: { isLeader: boolean; epoch: number }): Promise<BeatAnswer> {
    const { me, host, pid, nodeTimeoutMs, onBeat } = this.#options;
    const timeoutUs = Math.round(nodeTimeoutMs * 1000);
    const [row] = await this.#run("beat", [
      ...[me.nodeId, me.incarnation, host ?? null, pid],
      ...[leads.isLeader, leads.epoch, timeoutUs],
    ]);
    const { config_version, graph, is_mine, has_acts, now_us } = row as {
      config_version: number;
      graph: string | null;
      is_mine: number;
      has_acts: number;
      now_us: number;
    };
    onBeat?.(row!);
    return {
      configVersion: config_version,
      graph: graph ?? undefined,
      isMine: is_mine === 1,
      hasActs: has_acts === 1,
      databaseMs: now_us / 1000,
    };
  }

  async leave(): Promise<void> {
    const { me } = this.#options;
    await this.#run("leave", [me.nodeId, me.incarnation]);
  }

  async nodes(): Promise<readonly NodeRow[]> {
    return (await this.#run("nodes", [])).map(nodeOf);
  }

  async lease(): Promise<LeaseRow> {
    const [row] = await this.#run("lease", []);
    const { owner, expires_at, epoch } = row as {
      owner: string | null;
      expires_at: number;
      epoch: number;
    };
    return { owner: owner ?? undefined, expiresAt: expires_at, epoch };
  }

  async forgetNodes(silentMs: number): Promise<void> {
    await this.#run("forgetNodes", [Math.round(silentMs * 1000)]);
  }

  async openLanes(): Promise<readonly OpenLane[]> {
    const rows = await this.#run("openLanes", []) as unknown as readonly OpenLane[];
    return rows.map(({ stage, lane }) => ({ stage, lane }));
  }

  async bumpConfig(): Promise<number> {
    const [row] = await this.#run("bumpConfig", []);
    await this.#options.tell?.("config moved");
    return (row as { config_version: number }).config_version;
  }

  async noteGraph(graph: string, epoch: number): Promise<void> {
    await this.#run("noteGraph", [graph, epoch]);
  }

  async noteAct(act: string): Promise<void> {
    await this.#run("noteAct", [this.#options.me.nodeId, act]);
    await this.#options.tell?.("act noted");
  }

  async takeActs(epoch: number): Promise<readonly string[]> {
    const rows = await this.#run("takeActs", [epoch]) as readonly { id: number; act: string }[];
    return [...rows].sort((a, b) => a.id - b.id).map(({ act }) => act);
  }

  #run(name: keyof ClusterStatements, values: readonly Value[]): Promise<readonly Row[]> {
    const { connection, statements } = this.#options;
    return connection.run(statements[name], values);
  }
}

function nodeOf(row: Row): NodeRow {
  const { node_id, host, pid, status, is_leader, epoch, started_at, last_seen, silent_us } =
    row as {
      node_id: string;
      host: string;
      pid: number;
      status: "active" | "left";
      is_leader: number;
      epoch: number;
      started_at: number;
      last_seen: number;
      silent_us: number;
    };
  return {
    ...{ nodeId: node_id, host, pid, status, isLeader: is_leader === 1, epoch },
    ...{ startedAt: started_at, lastSeen: last_seen, silentMs: silent_us / 1000 },
  };
}
