/** Stops and starts an inbound; an outbound is freed of what halted it and keeps its connector. */
import { findInScope } from "./channel_scope.ts";
import { requireServing } from "./connection.ts";
import { operation } from "./operation.ts";
import { type Control, controlFact, type Controlled, startInbound } from "./start_connection.ts";

export const restartConnection = operation({
  permission: "connections:control",
  async run(engine, { name }: Control, _rowOf, actor): Promise<Controlled> {
    const found = findInScope(engine, name, actor);
    requireServing(engine);
    if (found.direction === "inbound") {
      await found.inbound.stop();
      return await startInbound(found.inbound);
    }
    void found.outbound.pause();
    found.outbound.resume();
    return { name, direction: "outbound", running: true, error: undefined };
  },
  audit: (_input, output) => controlFact("connection_restart", output),
});
