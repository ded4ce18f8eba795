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

/** @throws {OperationError} `connection.not_found`. */
export function findOutbound(engine: Engine, name: string): Outbound {
  const outbound = engine.pipeline.outbounds.get(name);
  if (outbound) return outbound;
  throw new OperationError("connection.not_found", "No connection has this name");
}
