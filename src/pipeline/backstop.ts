/**
 * Looks at every lane once in a while: one that has rows and does nothing was not woken, whoever
 * should have done so, and runs now. Reads memory; the store is asked nothing where nothing waits.
 *
 * A wake-up that is lost so costs a moment, never a row. Source: spec pipeline-store-cluster I71, P9.
 */
import type { Inbound } from "./inbound.ts";
import type { OutboundLane } from "./outbound_lane.ts";

/** The lanes of a graph at work. */
export interface Watched {
  readonly inbounds: ReadonlyMap<string, Inbound>;
  readonly outbounds: ReadonlyMap<string, OutboundLane>;
}

/** How long a row may wait for a wake-up that was lost, milliseconds. */
export const BACKSTOP_MS = 5_000;

/** Wakes every lane that waits for nothing and has something to do. */
export function nudgeLanes({ inbounds, outbounds }: Watched): void {
  for (const lane of outbounds.values()) lane.nudge();
  for (const inbound of inbounds.values()) inbound.nudge();
}

/** Does so until it is disposed; `running` is the graph at work, undefined while none is. */
export function startBackstop(running: () => Watched | undefined): Disposable {
  const timer = setInterval(() => {
    const lanes = running();
    if (lanes !== undefined) nudgeLanes(lanes);
  }, BACKSTOP_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
