/**
 * Listeners that would take patient data over the network in the clear.
 *
 * The engine refuses to start them unless it was told that this is meant
 * (`--allow-insecure-bind`). Source: spec connectors-and-graph §1.2, §4.7 (29).
 */
import type { InboundSettings } from "../settings/mod.ts";
import type { Graph, InboundDefinition } from "./graph.ts";
import { isLoopback } from "./ports.ts";
import { transports } from "./transports.ts";

/** Returns the inbounds that listen off loopback without TLS. */
export function exposedListeners(
  { inbounds }: Pick<Graph, "inbounds">,
  { bindHost }: InboundSettings,
): readonly InboundDefinition[] {
  return [...inbounds.values()].filter(({ type, settings, bindAddress }) =>
    transports.get(type)?.listen === true && settings.tls !== true &&
    !isLoopback(bindAddress ?? bindHost)
  );
}
