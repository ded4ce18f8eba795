/**
 * The Loopback transport: an inbound without a partner, which takes in what the engine already has.
 *
 * It has no settings: who feeds it says so. Source: spec connectors-and-graph §2.9.
 */
import type { SettingSpec, TransportSchema } from "./schema.ts";

const settings = [] as const satisfies readonly SettingSpec[];

export const loopbackSchema = {
  type: "loopback",
  listen: false,
  poll: false,
  inboundOnly: true,
  settings,
} as const satisfies TransportSchema;
