/**
 * MLLP: HL7 version 2 over TCP or TLS, listening for partners or connecting to one.
 *
 * Upstream of the source are partners, downstream `pipeline/intake.ts`; the destination stands
 * between `pipeline/delivery.ts` and one partner. Reading messages, and deciding what an answer
 * means for a row, do not belong here.
 */
import type {
  Connector,
  ConnectorContext,
  ConnectorSettings,
  DestinationOptions,
  Reach,
  SourceOptions,
} from "../connector.ts";
import { MllpDestination } from "./destination.ts";
import { readDestinationOptions, readSourceOptions } from "./options.ts";
import { MllpSource } from "./source.ts";

export const mllp: Connector = {
  type: "mllp",

  createSource(options: SourceOptions, context: ConnectorContext): MllpSource {
    return new MllpSource(readSourceOptions(options), context);
  },

  createDestination(options: DestinationOptions, context: ConnectorContext): MllpDestination {
    const allowInsecureTls = context.allowInsecureTls ?? false;
    return new MllpDestination(readDestinationOptions(options, { allowInsecureTls }), context);
  },

  listenAddress({ bindHost, settings }) {
    return { host: bindHost, port: settings.port as number };
  },

  reach(direction, settings): readonly Reach[] {
    const files = tlsFiles(settings);
    if (direction === "inbound") return files;
    const host = settings.host as string;
    const port = settings.port as number;
    return [{ kind: "net", list: "allowed_mllp", host, port }, ...files];
  },
};

/** Read once, when the connection is built. */
function tlsFiles(settings: ConnectorSettings): Reach[] {
  if (settings.tls !== true) return [];
  return [settings.tls_cert_file, settings.tls_key_file, settings.tls_ca_file]
    .filter((path): path is string => typeof path === "string")
    .map((path) => ({ kind: "path", list: "", path, write: false }));
}
