/**
 * The gates of `serve`, in their order: what is refused, what is warned about, what is worth saying.
 *
 * Each row is a condition over settings and posture, an action and one sentence for the operator.
 * Source: spec api §5.1; rulings D1, D2. Rules between settings alone stand in
 * `settings/checks.ts`, those that need the graph in `graph/`.
 */
import { isLoopback } from "../../graph/ports.ts";
import { type Posture, postureOf, type Settings } from "../../settings/mod.ts";
import { CommandFailure, exitCodes } from "../failure.ts";
import type { Terminal } from "../terminal.ts";

export type GateAction = "info" | "warn" | "refuse";

export interface GateFinding {
  readonly gate: string;
  readonly action: GateAction;
  readonly message: string;
  readonly hint?: string;
}

export interface GateInput {
  readonly settings: Settings;
  /** `--allow-insecure-bind`. */
  readonly allowInsecureBind: boolean;
}

interface GateContext extends GateInput {
  /** Undefined until the environment is known and complete. */
  readonly posture: Posture | undefined;
}

type Gate = (context: GateContext) => Omit<GateFinding, "gate"> | undefined;

/** Sign-in is not built yet, so whoever reaches the API may use it. */
function apiWithoutSignIn({ settings: { api, auth } }: GateContext) {
  if (isLoopback(api.host)) return undefined;
  return refuse(
    auth.enabled
      ? `Cannot serve the API on "${api.host}": this version has no sign-in, so it serves loopback only`
      : `Cannot serve the API on "${api.host}" with [auth] enabled = false`,
    'Set [api] host = "127.0.0.1"; no flag relaxes this',
  );
}

function storeBackendIsBuilt({ settings: { store } }: GateContext) {
  if (store.backend === "sqlite") return undefined;
  return refuse(
    `Cannot open a store of [store] backend "${store.backend}": this version has "sqlite" only`,
    'Set [store] backend = "sqlite"',
  );
}

function environmentIsComplete({ settings: { ai } }: GateContext) {
  const result = postureOf(ai);
  if ("posture" in result) return undefined;
  return refuse(
    result.problem.message,
    ai.environment === undefined ? 'For a first look: "serve --env dev"' : undefined,
  );
}

/** Whether new cells will be sealed. A provider that is not built has no key (gate 19). */
function hasStoreKey({ encryptionKey, keyProvider }: Settings["store"]): boolean {
  return encryptionKey !== undefined && builtKeyProviders.has(keyProvider);
}

function requiredEncryption({ settings: { store } }: GateContext) {
  if (!store.requireEncryption || hasStoreKey(store)) return undefined;
  return refuse(
    "Cannot start: [store] require_encryption is set and the store has no key",
    'Set MEFOR_STORE_ENCRYPTION_KEY to what "messagefoundry gen-key" prints',
  );
}

function keylessPatientData({ posture, settings: { store } }: GateContext) {
  if (posture?.dataClass !== "phi" || hasStoreKey(store)) return undefined;
  return warn(
    "Patient data is stored unencrypted: the store has no key. Set MEFOR_STORE_ENCRYPTION_KEY",
  );
}

function openEgress({ posture, settings: { egress } }: GateContext) {
  if (posture?.dataClass !== "phi" || egress.denyByDefault) return undefined;
  const isOpen = Object.values(egress).every((list) => !Array.isArray(list) || list.length === 0);
  if (!isOpen) return undefined;
  return warn("Patient data may go anywhere the graph says: no [egress] list is set");
}

function productionIsNotDebugged({ posture, settings: { logging } }: GateContext) {
  if (posture?.production !== true || logging.level !== "debug") return undefined;
  return refuse("Cannot log at level debug in production", 'Set [logging] level = "info"');
}

function apiTlsIsBuilt({ settings: { api } }: GateContext) {
  if (api.tlsCertFile === undefined) return undefined;
  return refuse(
    "Cannot serve the API over TLS: this version serves plain HTTP on loopback only",
    "Remove [api] tls_cert_file",
  );
}

function apiOffLoopback({ settings: { api }, allowInsecureBind }: GateContext) {
  if (isLoopback(api.host)) return undefined;
  if (api.tlsTerminatedUpstream && api.trustedProxies.length > 0) {
    return info(`The API on "${api.host}" relies on the proxy in front of it for TLS`);
  }
  if (allowInsecureBind) {
    return warn(`The API on "${api.host}" serves patient data and tokens in the clear`);
  }
  return refuse(
    `Cannot serve the API on "${api.host}" without TLS`,
    'Set [api] host = "127.0.0.1", or put a TLS proxy in front of it',
  );
}

/** Both read the variables; on a platform with a key file of its own, `auto` would look there too. */
const builtKeyProviders: ReadonlySet<string> = new Set(["auto", "env"]);

function keyProviderIsBuilt({ settings: { store } }: GateContext) {
  if (builtKeyProviders.has(store.keyProvider)) return undefined;
  return refuse(
    `Cannot use [store] key_provider "${store.keyProvider}": it is not built`,
    'Set key_provider = "env" and let what starts the engine put the key into ' +
      "MEFOR_STORE_ENCRYPTION_KEY",
  );
}

/** Every gate with its number in the specification, in the order they are asked. */
const gates: readonly (readonly [string, Gate])[] = [
  ["2", apiWithoutSignIn],
  ["3", storeBackendIsBuilt],
  ["4-5", environmentIsComplete],
  ["6", requiredEncryption],
  ["7", keylessPatientData],
  ["8", openEgress],
  ["9", productionIsNotDebugged],
  ["10", apiTlsIsBuilt],
  ["10", apiOffLoopback],
  ["19", keyProviderIsBuilt],
];

/** Asks every gate; the caller stops at the first that refuses. */
export function askGates(input: GateInput): readonly GateFinding[] {
  const result = postureOf(input.settings.ai);
  const posture = "posture" in result ? result.posture : undefined;
  return gates.flatMap(([gate, ask]) => {
    const finding = ask({ ...input, posture });
    return finding === undefined ? [] : [{ gate, ...finding }];
  });
}

/**
 * Asks every gate and tells what they find.
 *
 * @throws {CommandFailure} exit code 2, for the first that refuses.
 */
export function passGates(
  { loaded }: { readonly loaded: { readonly settings: Settings } },
  { options, terminal, tellsAll = true }: {
    readonly options: { readonly allowInsecureBind?: boolean };
    readonly terminal: Terminal;
    /** False: only refusals, for the engine itself will tell the rest. */
    readonly tellsAll?: boolean;
  },
): void {
  const allowInsecureBind = options.allowInsecureBind === true;
  for (
    const { action, message, hint } of askGates({ settings: loaded.settings, allowInsecureBind })
  ) {
    if (action === "refuse") {
      throw new CommandFailure(message, { exitCode: exitCodes.refused, hint });
    }
    if (!tellsAll) continue;
    const label = action === "warn" ? terminal.styleError("caution", "warning:") : "info:";
    terminal.err(`${label} ${message}`);
  }
}

function refuse(message: string, hint?: string) {
  return { action: "refuse", message, hint } as const;
}

function warn(message: string) {
  return { action: "warn", message } as const;
}

function info(message: string) {
  return { action: "info", message } as const;
}
