/**
 * Loopback: an inbound without a partner.
 *
 * Nobody stands upstream of its source; `pipeline/reingress.ts` gives its lane what partners
 * answered and what handlers sent to it. Nothing travels here, so sockets, files and framing do not
 * belong here.
 */
import type { ConnectionCounters, Connector, Source } from "../connector.ts";
import { newCounters } from "../counters.ts";

export const loopback: Connector = {
  type: "loopback",

  createSource(): LoopbackSource {
    return new LoopbackSource();
  },

  reach(): readonly [] {
    return [];
  },
};

/** Live as long as it is started; never calls `receive`. */
class LoopbackSource implements Source {
  readonly counters: ConnectionCounters = newCounters();

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
