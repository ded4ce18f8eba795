/**
 * One instance as far as it is known before it runs: settings, graph, and the permissions both ask
 * for. The launcher and `messagefoundry permissions` load the graph to derive them; the engine
 * derives them again from the graph it runs.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  environmentsDir,
  evaluateInSandbox,
  exposedListeners,
  type Graph,
  graphProblemText,
  type LoadedGraph,
  loadGraph,
  type Reach,
  reachesOfReferences,
} from "../../graph/mod.ts";
import type { Anchor } from "../anchor.ts";
import { isMissing, realPathOf } from "../paths.ts";
import { connectorOf, reachOf } from "../reach.ts";
import { tighten, type Tightened } from "./tighten.ts";
import { apiTlsFiles } from "./api_tls.ts";
import { derivePermissions, type Grant, type InstancePaths } from "./permission_set.ts";

export interface InstanceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly allowInsecureBind: boolean;
}

/**
 * Loads the graph and derives the engine's permissions.
 *
 * @throws {BundleError} the graph cannot be used.
 */
export async function deriveForInstance(
  anchor: Anchor,
  { env, allowInsecureBind }: InstanceOptions,
): Promise<{ grants: readonly Grant[]; warnings: readonly string[] }> {
  const { graph, warnings } = await loadOnce(anchor, env);
  return {
    grants: grantsFor(anchor, { graph, allowInsecureBind }),
    warnings: warnings.map(graphProblemText),
  };
}

/**
 * Loads the graph and finds what of its permissions could be narrower.
 *
 * @throws {BundleError} the graph cannot be used.
 */
export async function tightenInstance(
  anchor: Anchor,
  { env, allowInsecureBind }: InstanceOptions,
): Promise<Tightened> {
  const { graph } = await loadOnce(anchor, env);
  const reaches: Reach[] = (["inbound", "outbound"] as const).flatMap((direction) =>
    [...graph[`${direction}s`].values()].flatMap(({ type, settings }) =>
      connectorOf(type).reach(direction, settings)
    )
  );
  reaches.push(...reachesOfReferences(graph.references).flatMap(({ reach }) => reach));
  return tighten({
    settings: anchor.loaded.settings,
    grants: grantsFor(anchor, { graph, allowInsecureBind }),
    paths: pathsOf(anchor),
    reaches,
    realPathOf: (path) => realPathOf(resolve(path)),
  });
}

/** Loads the graph for what it says, and runs none of it afterwards. */
async function loadOnce(
  anchor: Anchor,
  env: InstanceOptions["env"],
): Promise<Pick<LoadedGraph<unknown>, "graph" | "warnings">> {
  const { settings } = anchor.loaded;
  const { graph, sandbox, warnings } = await loadGraph({
    bundleDir: anchor.bundleDir,
    settings,
    environment: settings.ai.environment,
    env,
    evaluate: evaluateInSandbox(),
    reachOf,
  });
  sandbox[Symbol.dispose]();
  return { graph, warnings };
}

/** Derives the grants of a loaded graph, or of the settings alone. */
export function grantsFor(
  anchor: Anchor,
  { graph, allowInsecureBind }: { readonly graph?: Graph; readonly allowInsecureBind: boolean },
): readonly Grant[] {
  const { settings } = anchor.loaded;
  // A listener that is refused gets no port either.
  const refused = graph === undefined || allowInsecureBind
    ? []
    : exposedListeners(graph, settings.inbound);
  return derivePermissions({
    settings,
    graph,
    paths: pathsOf(anchor),
    realPathOf,
    reachOf,
    listenOf: (inbound) =>
      refused.includes(inbound) ? undefined : connectorOf(inbound.type).listenAddress?.({
        settings: inbound.settings,
        bindHost: inbound.bindAddress ?? settings.inbound.bindHost,
        sourceIpAllowlist: inbound.sourceIpAllowlist,
        contentType: inbound.contentType,
      }),
  });
}

function pathsOf({ loaded: { settings }, bundleDir, serviceFile }: Anchor): InstancePaths {
  const storeDir = dirname(settings.store.path);
  const { backend, encrypt, tlsCaFile } = settings.store;
  const asksDatabaseOverTls = backend !== "sqlite" && encrypt;
  const { enabled, adEnabled, adTlsCaCertFile: caFile, breachCorpusFile: listed } = settings.auth;
  const readsList = enabled && settings.auth.passwordCheckBreached && listed !== undefined;
  return {
    program: programDir(),
    serviceFile,
    bundleDir,
    environmentsDir: environmentsDir(settings.environments),
    egressDirs: settings.egress.allowedFileDirs.map((dir) => resolve(dir)),
    reloadRoots: settings.api.configReloadRoots.map((dir) => resolve(dir)),
    apiTlsFiles: apiTlsFiles(settings.api),
    directoryCaFile: enabled && adEnabled && caFile !== undefined ? resolve(caFile) : undefined,
    storeCaFile: asksDatabaseOverTls && tlsCaFile !== undefined ? resolve(tlsCaFile) : undefined,
    breachListFile: readsList ? resolve(listed) : undefined,
    missingStoreDir: isMissing(storeDir) ? storeDir : undefined,
  };
}

/** The folder of our own modules; in a shipped bundle all of them stand beside this one. */
export function programDir(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return import.meta.url.endsWith("/src/cli/serve/instance.ts") ? resolve(here, "../..") : here;
}
