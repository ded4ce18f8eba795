/** The nodes of a cluster and what they share beside the lease, as plain data; the port to it. */

/** A node as its row says. Times are microseconds since the epoch, by the database's clock. */
export interface NodeRow {
  readonly nodeId: string;
  readonly host: string;
  readonly pid: number;
  readonly status: "active" | "left";
  /** What the node said at its last beat. */
  readonly isLeader: boolean;
  readonly epoch: number;
  readonly startedAt: number;
  readonly lastSeen: number;
  /** Milliseconds since the last beat. */
  readonly silentMs: number;
}

export interface LeaseRow {
  /** Also of a lease that has ended; undefined: nobody ever held it. */
  readonly owner: string | undefined;
  /** Microseconds since the epoch; 0: it was given back. */
  readonly expiresAt: number;
  readonly epoch: number;
}

export interface OpenLane {
  readonly stage: "ingress" | "routed" | "response" | "outbound";
  readonly lane: string;
}

export interface BeatAnswer {
  readonly configVersion: number;
  /** The fingerprint of the leader's graph, as it last said; undefined: none has yet. */
  readonly graph: string | undefined;
  /** False: a live process bears this node's ID. */
  readonly isMine: boolean;
  /** Whether there is word for the leader. */
  readonly hasActs: boolean;
  /** Milliseconds since the epoch by the database's clock, read while it answered. */
  readonly databaseMs: number;
}

/** Every statement is bound in time; each rejects with `ClusterError`. */
export interface ClusterStore {
  /** Says that this node lives. */
  beat(leads: { readonly isLeader: boolean; readonly epoch: number }): Promise<BeatAnswer>;
  /** Leaves a tombstone. */
  leave(): Promise<void>;
  nodes(): Promise<readonly NodeRow[]>;
  lease(): Promise<LeaseRow>;
  /** Forgets nodes that have been silent or gone for so long. */
  forgetNodes(silentMs: number): Promise<void>;
  /** Lanes of the store's queue with rows that are pending or in flight. */
  openLanes(): Promise<readonly OpenLane[]>;
  /** Says that another graph was loaded; returns its number. The other nodes are told. */
  bumpConfig(): Promise<number>;
  /** Says which graph the leader runs; nothing, unless `epoch` leads. */
  noteGraph(graph: string, epoch: number): Promise<void>;
  /** Leaves word for the leader of what was done to rows here; it is told at once. */
  noteAct(act: string): Promise<void>;
  /** Takes what was left, in order; each is taken once. Nothing, unless `epoch` leads. */
  takeActs(epoch: number): Promise<readonly string[]>;
}

/**
 * The one live leader: of those that say they lead and are not silent, the last one seen. Undefined
 * for a beat or so while leadership changes. Source: spec pipeline-store-cluster §7.8, I68.
 */
export function liveLeader(
  nodes: readonly NodeRow[],
  nodeTimeoutMs: number,
): NodeRow | undefined {
  let leader: NodeRow | undefined;
  for (const node of nodes) {
    if (!node.isLeader || node.status !== "active" || node.silentMs > nodeTimeoutMs) continue;
    const isLater = leader === undefined || node.epoch > leader.epoch ||
      (node.epoch === leader.epoch && node.lastSeen > leader.lastSeen);
    if (isLater) leader = node;
  }
  return leader;
}
