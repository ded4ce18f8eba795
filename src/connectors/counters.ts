/** The counters every connector starts with, and ids for its connections. */
import type { ConnectionCounters } from "./connector.ts";

export function newCounters(): ConnectionCounters {
  return { connectionsOpen: 0, connectionsRefused: 0, bytesIn: 0, bytesOut: 0 };
}

/**
 * Numbers the connections of one source. Sources start at random points far apart, so an id is
 * unique in the process without anything shared between them.
 */
export class ConnectionIds {
  #last = (crypto.getRandomValues(new Uint32Array(1))[0] as number) * 2 ** 20;

  next(): number {
    return ++this.#last;
  }
}
