/**
 * Stops the intake of an inbound (its messages are still routed and delivered), or pauses an
 * outbound: the delivery on the wire ends, the queue is kept.
 */
import { findInScope } from "./channel_scope.ts";
import { requireServing } from "./connection.ts";
import { operation } from "./operation.ts";
import { type Control, controlFact, type Controlled } from "./start_connection.ts";

export const stopConnection = operation({
  permission: "connections:control",
  async run(engine, { name }: Control, _rowOf, actor): Promise<Controlled> {
    const found = findInScope(engine, name, actor);
    requireServing(engine);
    if (found.direction === "inbound") await found.inbound.stop();
    // Returns at once: a partner may take its time to answer what is on the wire.
    else void found.outbound.pause();
    return { name, direction: found.direction, running: false, error: undefined };
  },
  audit: (_input, output) => controlFact("connection_stop", output),
});
