/**
 * Which of several engines over one database leads: the leadership lease with its fence, the nodes
 * and their beats, promotion and demotion in order.
 *
 * Upstream: the engine says what a leader does. Downstream: the database, over connections of this
 * room's own. Not here: what rows a leader may change (`store/`), and what a graph does with them.
 */
export {
  Cluster,
  type ClusterBackend,
  type ClusterNodes,
  type ClusterOptions,
  type ClusterStatus,
  type Followers,
  type News,
} from "./cluster.ts";
export { makeHolder } from "./identity.ts";
export { ClusterError } from "./errors.ts";
export type { Answer, Ask, Holder, LeaseStore, LeaseTimings, LeaseView } from "./lease.ts";
export type { ClusterStore, LeaseRow, NodeRow, OpenLane } from "./membership.ts";
export type { Duties, Role } from "./supervisor.ts";
export { Term } from "./term.ts";
export type { BackendOptions } from "./server/backend.ts";
export { openBackend } from "./open.ts";
