/** What a connection reaches, as its connector says. */
import { connectors } from "../connectors/mod.ts";
import { EngineError } from "../errors.ts";
import type { ReachOf } from "../graph/mod.ts";

/** @throws {EngineError} `connector.unknown`. */
export function connectorOf(type: string) {
  const connector = connectors.get(type);
  if (connector !== undefined) return connector;
  throw new EngineError("connector.unknown", `Cannot build a connection of type "${type}"`);
}

export const reachOf: ReachOf = (type, direction, settings) =>
  connectorOf(type).reach(direction, settings);
