/**
 * The cluster's statements by name, with the values each takes and what it gives; the texts are a
 * dialect's own. Times are microseconds of the database's clock, read when the statement runs and not
 * when its transaction began; truth is 1 or 0. A text that lacks a name does not compile.
 */

/**
 * What one ask for the lease takes: node, incarnation, lifetime in microseconds, epoch. Gives one row:
 * `granted`, and the lease as it is now: `owner`, `incarnation`, `epoch`, `remaining_us`.
 */
type AskName = "acquire" | "renew" | "release";

type StoreName =
  /**
   * Takes node, incarnation, host or null, pid, whether it leads, its epoch, microseconds after which
   * a silent node is dead. Writes nothing while another process of that name lives. Gives
   * `config_version`, `graph`, `is_mine`, `has_acts`, `now_us`.
   */
  | "beat"
  /** Takes node, incarnation. */
  | "leave"
  /** Gives the columns of `nodes`, and `silent_us`. */
  | "nodes"
  /** Gives `owner`, `expires_at`, `epoch`. */
  | "lease"
  /** Takes microseconds: nodes silent or gone for longer are forgotten. */
  | "forgetNodes"
  /** Gives `stage`, `lane` of what is open in the store's queue. Index: queue_lane_open. */
  | "openLanes"
  /** Gives `config_version`. */
  | "bumpConfig"
  /** Takes the fingerprint of the leader's graph, its epoch. */
  | "noteGraph"
  /** Takes node, the act. */
  | "noteAct"
  /** Takes my epoch. Each act is taken once, by whoever leads. Gives `id`, `act`. */
  | "takeActs";

export type ClusterStatements = Readonly<Record<AskName | StoreName, string>>;

/**
 * What all nodes are told at once where the server can do that: the lease was given back, another
 * graph was loaded somewhere, there is word for the leader.
 */
export type Word = "lease released" | "config moved" | "act noted";

/** Tells all nodes. Undefined: the server cannot, and each node looks by itself. */
export type Tell = ((word: Word) => Promise<unknown>) | undefined;
