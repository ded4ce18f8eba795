/** What a cluster's side of a database server needs, whichever server it is. */
import type { ServerOptions } from "../../store/server/dialect.ts";
import type { News } from "../cluster.ts";
import type { Holder, LeaseTimings } from "../lease.ts";

export interface BackendOptions {
  /** The store's own server, database and schema. */
  readonly server: ServerOptions;
  readonly me: Holder;
  /** Undefined: the address the database sees this node at. */
  readonly host: string | undefined;
  readonly pid: number;
  readonly timings: LeaseTimings;
  readonly nodeTimeoutMs: number;
  readonly news: News;
}

/** Of all that is not the lease: what is slow there costs nothing but the view of others. */
export const MEMBERSHIP_TIMEOUT_MS = 5_000;

/** The same server, by a name that tells this connection from the others. */
export function namedPart(server: ServerOptions, part: "cluster" | "lease"): ServerOptions {
  return { ...server, applicationName: `${server.applicationName} ${part}` };
}
