/** Starts the intake of an inbound, or lets an outbound deliver again. */
import type { EngineError } from "../errors.ts";
import { type Inbound, requireServing } from "./connection.ts";
import { findInScope } from "./channel_scope.ts";
import { operation } from "./operation.ts";

export interface Control {
  readonly name: string;
}

export interface Controlled {
  readonly name: string;
  readonly direction: "inbound" | "outbound";
  readonly running: boolean;
  /** Why it does not run although it should; it is tried again by itself. */
  readonly error: EngineError | undefined;
}

export const startConnection = operation({
  permission: "connections:control",
  async run(engine, { name }: Control, _rowOf, actor): Promise<Controlled> {
    const found = findInScope(engine, name, actor);
    requireServing(engine);
    if (found.direction === "inbound") return await startInbound(found.inbound);
    found.outbound.resume();
    return { name, direction: "outbound", running: true, error: undefined };
  },
  audit: (_input, output) => controlFact("connection_start", output),
});

export async function startInbound(inbound: Inbound): Promise<Controlled> {
  const running = await inbound.start();
  // An inbound that never stopped may still have halted at a message after an error.
  if (running) inbound.resume();
  return { name: inbound.name, direction: "inbound", running, error: inbound.error };
}

export function controlFact(action: string, { name, direction, running }: Controlled) {
  return { action, fields: { connection: name, direction, running } };
}
