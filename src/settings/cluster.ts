import type { SectionSpec } from "./declaration.ts";

export const cluster = {
  name: "cluster",
  help: "One active node, the others ready to take over.",
  keys: {
    enabled: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Coordinate with other nodes; needs a server database and pool_size of at least 2.",
    },
    node_id: {
      type: "string",
      inEffect: true,
      help: "Name of this node; unset is host:pid:hex.",
    },
    heartbeat_seconds: {
      type: "number",
      unit: "seconds",
      default: 10,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Time between two renewals of membership and leadership.",
    },
    node_timeout_seconds: {
      type: "number",
      unit: "seconds",
      default: 30,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Silence after which a node counts as dead; above heartbeat_seconds.",
    },
    reclaim_interval_seconds: {
      type: "number",
      unit: "seconds",
      default: 30,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Time between two sweeps for rows of crashed nodes.",
    },
    leader_lease_ttl_seconds: {
      type: "number",
      unit: "seconds",
      default: 30,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Lifetime of the leadership lease, on the database's clock.",
    },
    leader_fence_timeout_seconds: {
      type: "number",
      unit: "seconds",
      default: 20,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "A leader that cannot renew for this long stops acting; between heartbeat and lease.",
    },
  },
} as const satisfies SectionSpec;
