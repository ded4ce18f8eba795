/** Finds what a connection's name means: an inbound first, then an outbound. */
import type { Engine } from "../engine.ts";
import { OperationError } from "./operation.ts";

export type Inbound = Engine["pipeline"]["inbounds"] extends ReadonlyMap<string, infer I> ? I
  : never;
export type Outbound = Engine["pipeline"]["outbounds"] extends ReadonlyMap<string, infer O> ? O
  : never;

export type Connection =
  | { readonly direction: "inbound"; readonly inbound: Inbound }
  | { readonly direction: "outbound"; readonly outbound: Outbound };

/** @throws {OperationError} `connection.not_found`. */
export function findConnection(engine: Engine, name: string): Connection {
  const inbound = engine.pipeline.inbounds.get(name);
  if (inbound) return { direction: "inbound", inbound };
  return { direction: "outbound", outbound: findOutbound(engine, name) };
}

/**
 * Refuses on a standby, where no connection runs that could be started or stopped.
 *
 * @throws {OperationError} `cluster.standby`.
 */
export function requireServing({ cluster }: Engine): void {
  if (cluster === undefined || cluster.isServing) return;
  throw new OperationError("cluster.standby", "Connections run on the leader only", {
    hint: "Ask the node that /cluster/nodes names as leader_node_id",
  });
}

/** @throws {OperationError} `connection.not_found`. */
export function findOutbound(engine: Engine, name: string): Outbound {
  const outbound = engine.pipeline.outbounds.get(name);
  if (outbound) return outbound;
  throw new OperationError("connection.not_found", "No connection has this name");
}
