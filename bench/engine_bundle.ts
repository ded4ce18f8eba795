/**
 * Text of the bundle and the settings that the engine runs a profile on. Pure.
 *
 * Upstream: a profile and its ports. Downstream: `engine.ts` writes the files. Each inbound has a
 * router and a handler that does what a typical one does: reads four fields, maps one through a
 * code set, sets two, sends the message to the inbound's lanes.
 */
import { AUTH_LINES } from "./api_session.ts";
import { FACILITY, FACILITY_MAPPED } from "./messages.ts";
import { lanesOfInbound, type Profile } from "./profiles.ts";

export interface BundleOptions {
  readonly profile: Profile;
  readonly directory: string;
  readonly inboundPorts: readonly number[];
  readonly lanePorts: readonly number[];
  readonly apiPort: number;
  readonly synchronous: "full" | "normal";
  /** Lines of `[store]` for a store on a server; undefined: a file in the directory. */
  readonly storeLines: string | undefined;
}

/** Files by path inside the bundle's directory. */
export function bundleFiles(options: BundleOptions): Record<string, string> {
  return {
    "graph/bench.ts": graphText(options),
    "codesets/facilities.csv": `code,mnemonic\n${FACILITY},${FACILITY_MAPPED}\nOTHER,OTHERHOSP\n`,
    "environments/dev.toml": "",
    "messagefoundry.toml": settingsText(options),
  };
}

/** The graph of a profile. */
export function graphText(
  { profile, inboundPorts, lanePorts }: Pick<
    BundleOptions,
    "profile" | "inboundPorts" | "lanePorts"
  >,
): string {
  const interfaces = inboundPorts.map((port, inbound) => ({
    port,
    lanes: lanesOfInbound(profile, inbound),
  }));
  return `/** Load for the benchmark: ${profile.title}. */
import { codeSet, handler, inbound, mllp, outbound, router, send } from "messagefoundry";

const lanePorts = ${JSON.stringify(lanePorts)};
const interfaces: readonly { readonly port: number; readonly lanes: readonly number[] }[] =
  ${JSON.stringify(interfaces)};

const facilities = codeSet("facilities");

const partners = lanePorts.map((port, lane) =>
  outbound(\`OB_\${lane}\`, mllp({ host: "127.0.0.1", port, persistent: true }), {
    retry: { backoffSeconds: 1, maxBackoffSeconds: 2 },
  })
);

interfaces.forEach(({ port, lanes }, index) => {
  const convert = handler(\`convert_\${index}\`, (msg) => {
    if (msg.get("PID-3.1") === undefined) return null;
    const visit = msg.get("PV1-2") ?? "N";
    const mnemonic = facilities.get(msg.get("MSH-4"));
    if (mnemonic !== undefined) msg.set("MSH-4", mnemonic);
    msg.set("MSH-6", visit === "E" ? "EMERGENCY" : "WARD");
    return lanes.map((lane) => send(partners[lane]!, msg));
  });
  const route = router(\`route_\${index}\`, (msg) => msg.triggerEvent === undefined ? null : convert);
  inbound(\`IB_\${index}\`, mllp({ port, receiveTimeout: 3600 }), { router: route });
});
`;
}

function settingsText(
  { profile, directory, apiPort, synchronous, storeLines }: BundleOptions,
): string {
  return `[store]
path = ${JSON.stringify(`${directory}/messagefoundry.db`)}
${storeLines ?? `synchronous = "${synchronous}"`}

[api]
host = "127.0.0.1"
port = ${apiPort}

[auth]
${profile.apiCallsPerSecond > 0 ? AUTH_LINES : "enabled = false"}

[environments]
base_dir = ${JSON.stringify(directory)}

[logging]
level = "warning"
`;
}
