/**
 * The gates of `serve`, in their order: what is refused, what is warned about, what is worth saying.
 *
 * Each row is a condition over settings and posture, an action and one sentence for the operator.
 * Source: spec api §5.1; rulings C1, C2, D1, D2, D8. Rules between settings alone stand in
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

/** Whoever reaches an API without sign-in may use it. */
function apiWithoutSignIn({ settings: { api, auth } }: GateContext) {
  if (auth.enabled || isLoopback(api.host)) return undefined;
  return refuse(
    `Cannot serve the API on "${api.host}" with [auth] enabled = false`,
    'Set [api] host = "127.0.0.1"; no flag relaxes this',
  );
}

/** Behind a proxy the network reaches a loopback address too. */
function proxyWithoutSignIn({ settings: { api, auth } }: GateContext) {
  if (auth.enabled || !isLoopback(api.host) || api.trustedProxies.length === 0) return undefined;
  return refuse(
    "Cannot serve the API behind a proxy with [auth] enabled = false: whoever reaches the proxy " +
      "could use it",
    "Unset [api] trusted_proxies; no flag relaxes this",
  );
}

function databaseInTheClear({ settings: { store } }: GateContext) {
  const { backend, server = "", encrypt, trustServerCertificate } = store;
  if (backend === "sqlite" || isLoopback(server)) return undefined;
  if (!encrypt) {
    return warn(`Messages cross the network to "${server}" in the clear: [store] encrypt is off`);
  }
  if (!trustServerCertificate) return undefined;
  return warn(
    `Whoever answers as "${server}" gets the messages: [store] trust_server_certificate is set`,
  );
}

function environmentIsNamed({ settings: { ai } }: GateContext) {
  if (ai.environment !== undefined) return undefined;
  return refuse(postureProblem(ai), 'For a first look: "serve --env dev"');
}

function postureIsComplete({ settings: { ai }, posture }: GateContext) {
  if (ai.environment === undefined || posture !== undefined) return undefined;
  return refuse(postureProblem(ai));
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

function apiOffLoopback({ settings: { api }, allowInsecureBind }: GateContext) {
  if (isLoopback(api.host)) return undefined;
  if (api.tlsCertFile !== undefined) return info(`The API on "${api.host}" is served over TLS`);
  if (hasUpstreamTls(api)) {
    return info(`The API on "${api.host}" relies on the proxy in front of it for TLS`);
  }
  if (allowInsecureBind) {
    return warn(`The API on "${api.host}" serves patient data and tokens in the clear`);
  }
  return refuse(
    `Cannot serve the API on "${api.host}" without TLS`,
    'Set [api] tls_cert_file, or host = "127.0.0.1" with a TLS proxy in front of it',
  );
}

/** A browser would send its cookie in the clear; unlike for tokens, no flag relaxes it. */
function consoleHasTls({ settings: { api } }: GateContext) {
  if (!api.serveUi || isLoopback(api.host) || hasTls(api)) return undefined;
  return refuse(
    `Cannot serve the console on "${api.host}" without TLS`,
    'Set [api] host = "127.0.0.1" or serve_ui = false; no flag relaxes this',
  );
}

function consoleKnowsItsOrigin({ settings: { api } }: GateContext) {
  if (!api.serveUi || !hasUpstreamTls(api) || api.publicOrigin !== undefined) return undefined;
  return refuse(
    "Cannot serve the console behind a proxy: nothing says under which origin browsers reach it",
    'Set [api] public_origin, such as "https://engine.example.org"',
  );
}

function originFitsTls({ settings: { api } }: GateContext) {
  if (!api.serveUi || !hasTls(api) || !/^http:/i.test(api.publicOrigin ?? "")) return undefined;
  return refuse(
    "Cannot serve the console: it is served over TLS, and [api] public_origin says http",
    'Let [api] public_origin begin with "https://"',
  );
}

function originWithoutTls({ settings: { api } }: GateContext) {
  if (!api.serveUi || api.publicOrigin === undefined || hasTls(api)) return undefined;
  return warn("[api] public_origin is set, and nothing serves TLS for it");
}

function exposedWithoutOrigin({ settings: { api } }: GateContext) {
  if (!api.serveUi || isLoopback(api.host) || api.publicOrigin !== undefined) return undefined;
  return warn(`The console on "${api.host}" has no [api] public_origin to hold browsers to`);
}

function consoleIsExposed({ settings: { api } }: GateContext) {
  if (!isConsoleExposed(api)) return undefined;
  return info("The console can be reached from other machines");
}

function exposedWithoutStepUp({ settings: { api, auth }, posture }: GateContext) {
  if (!isConsoleExposed(api) || posture?.dataClass !== "phi") return undefined;
  if (auth.adminNewIpStepUp) return undefined;
  return warn(
    "The console can be reached from other machines, and [auth] admin_new_ip_step_up is off",
  );
}

/** A password alone would open patient data to the network. */
function exposedWithoutSecondFactor({ settings: { api, auth }, posture }: GateContext) {
  if (isLoopback(api.host) && !isConsoleExposed(api)) return undefined;
  if (!auth.enabled || auth.requireMfa || posture?.dataClass !== "phi") return undefined;
  const message = "Patient data can be reached from other machines, and [auth] require_mfa is off";
  return posture.production ? refuse(message, "Set [auth] require_mfa = true") : warn(message);
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

function kerberosIsBuilt({ settings: { auth } }: GateContext) {
  if (!auth.kerberosEnabled) return undefined;
  return refuse(
    "Cannot use [auth] kerberos_enabled: this version has no Windows sign-on",
    "Set [auth] kerberos_enabled = false",
  );
}

type ApiSettings = Settings["api"];

function hasUpstreamTls(api: ApiSettings): boolean {
  return api.tlsTerminatedUpstream && api.trustedProxies.length > 0;
}

function hasTls(api: ApiSettings): boolean {
  return api.tlsCertFile !== undefined || hasUpstreamTls(api);
}

function isConsoleExposed(api: ApiSettings): boolean {
  return api.serveUi && (!isLoopback(api.host) || hasUpstreamTls(api));
}

function postureProblem(ai: Settings["ai"]): string {
  const result = postureOf(ai);
  return "problem" in result ? result.problem.message : "";
}

/**
 * Every gate with its number in the specification, in the order they are asked. Gates 16 to 18 need
 * the value files (`value_file.ts`), 20 and 21 the graph (`engine.ts`).
 */
export const gates: readonly (readonly [string, Gate])[] = [
  ["2", apiWithoutSignIn],
  ["2", proxyWithoutSignIn],
  ["3", databaseInTheClear],
  ["4", environmentIsNamed],
  ["5", postureIsComplete],
  ["6", requiredEncryption],
  ["7", keylessPatientData],
  ["8", openEgress],
  ["9", productionIsNotDebugged],
  ["10", apiOffLoopback],
  ["11", consoleHasTls],
  ["12", consoleKnowsItsOrigin],
  ["12", originFitsTls],
  ["13", originWithoutTls],
  ["13", exposedWithoutOrigin],
  ["14", consoleIsExposed],
  ["14", exposedWithoutStepUp],
  ["15", exposedWithoutSecondFactor],
  ["19", keyProviderIsBuilt],
  ["19", kerberosIsBuilt],
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
 * Asks the gate of what opens the store and runs no engine.
 *
 * @throws {CommandFailure} exit code 2.
 */
export function passStoreGates(settings: Settings): void {
  const finding = keyProviderIsBuilt({ settings, allowInsecureBind: false, posture: undefined });
  if (finding === undefined) return;
  const { message, hint } = finding;
  throw new CommandFailure(message, { exitCode: exitCodes.refused, hint });
}

/**
 * Asks every gate and tells what they find.
 *
 * @throws {CommandFailure} exit code 2, for the first that refuses.
 */
export function passGates(
  { loaded }: { readonly loaded: { readonly settings: Settings } },
  { options, terminal, tellsAll = true }: {
    readonly options: { readonly allowInsecureBind?: boolean; readonly watch?: boolean };
    readonly terminal: Terminal;
    /** False: only refusals, for the engine itself will tell the rest. */
    readonly tellsAll?: boolean;
  },
): void {
  if (options.watch && loaded.settings.ai.production === true) {
    throw new CommandFailure("Cannot watch the bundle in production", {
      exitCode: exitCodes.refused,
      hint: "Send SIGHUP, or POST /config/reload, when a new bundle is complete",
    });
  }
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
