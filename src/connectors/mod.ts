/**
 * The transports: each turns a partner's bytes into calls of `receive`, or payloads into deliveries.
 *
 * Upstream of sources and downstream of destinations are partners; on our side stand
 * `pipeline/intake.ts` and `pipeline/delivery.ts`. What becomes of a message, retries and the
 * content of acknowledgements do not belong here.
 */
import type { Connector } from "./connector.ts";
import { file } from "./file/mod.ts";
import { loopback } from "./loopback/mod.ts";
import { mllp } from "./mllp/mod.ts";

export * from "./connector.ts";

/** Every transport by its type; a new one is one more line. */
export const connectors: ReadonlyMap<string, Connector> = new Map([
  [mllp.type, mllp],
  [file.type, file],
  [loopback.type, loopback],
]);
