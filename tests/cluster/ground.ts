/** Where a cluster's machines stand, as far as their programs see: addresses, and how one is started. */
import type { Wire } from "./network/wire.ts";

export interface Ground {
  /** Where the database is, seen from a node. */
  readonly databaseHost: string;
  /** Where the partner is, seen from a node. */
  readonly partnerHost: string;
  /** Where node `number` takes messages. */
  nodeHost(number: number): string;
  /** Where its API is. */
  apiHost(number: number): string;
  /** What precedes the program of that node on its command line. */
  commandOf(number: number): readonly string[];
  /** What `--allow-net` grants it. */
  netOf(number: number): readonly string[];
  /** Its cable to the database, where it has one. */
  readonly wireTo?: (number: number) => Wire;
}

/** All on loopback, each node at an address of its own. */
export const loopback: Ground = {
  databaseHost: "127.0.0.1",
  partnerHost: "127.0.0.1",
  nodeHost: (number) => `127.0.0.1${number}`,
  apiHost: () => "127.0.0.1",
  commandOf: () => [],
  netOf: () => ["127.0.0.0/8"],
};
