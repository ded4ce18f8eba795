/**
 * Loads a bundle: reads it, runs its modules in the sandbox, checks and resolves the whole.
 *
 * Everything wrong is found in one pass and reported together; a graph comes out whole or not at
 * all, so a running one can stay as it is. Source: spec connectors-and-graph §4.1.
 */
import type { CodeSetData, LoadProblem, Registry } from "../sandbox/protocol.ts";
import type { Settings } from "../settings/mod.ts";
import { type Bundle, type BundleEdit, readBundle } from "./bundle.ts";
import { type CodeSet, loadCodeSets } from "./code_sets.ts";
import { type DeclaredInToml, readConnectionsToml } from "./connections_toml.ts";
import { type Declared, mergeDeclared } from "./declared.ts";
import { reachesOfReferences } from "./database_references.ts";
import { checkEgress, type ConnectionReach, type Reach } from "./egress.ts";
import {
  environmentsDir,
  type EnvironmentValues,
  loadEnvironmentValues,
} from "./environment_values.ts";
import { fingerprint, fingerprintFiles } from "./fingerprint.ts";
import { readGitHead } from "./git_head.ts";
import type { Graph, HandlerDefinition, RouterDefinition } from "./graph.ts";
import { BundleError, type GraphProblem, inOrder, problemAt, type Severity } from "./problems.ts";
import { resolveReferences } from "./references.ts";
import { isReference, type Resolved, resolveDeclared } from "./resolve.ts";
import { checkStoreFolder } from "./store_folder.ts";
import { validateDeclared } from "./validate.ts";

/** One source file for the sandbox; `path` is relative to the graph folder: `adt.ts`. */
export interface SourceModule {
  readonly path: string;
  readonly source: string;
}

export interface EvaluateInput {
  /** How positions name the graph folder, relative to the bundle. */
  readonly graphDir: string;
  /** Loaded in this order. */
  readonly modules: readonly SourceModule[];
  /** Importable by modules, never loaded for themselves. */
  readonly helpers: readonly SourceModule[];
  readonly codeSets: readonly CodeSetData[];
  readonly environment: string | undefined;
  /** Outbounds of `connections.toml`, which handlers may send to as well. */
  readonly outboundNames: readonly string[];
}

export interface Evaluated<S> {
  /** Undefined when nothing usable came to be; `problems` says why. */
  readonly sandbox: S | undefined;
  readonly registry: Registry;
  readonly problems: readonly LoadProblem[];
}

/** Runs the modules where they can do no harm: `sandbox/`, or a stand-in of a test. */
export type Evaluate<S extends Disposable> = (input: EvaluateInput) => Promise<Evaluated<S>>;

/** What a connection reaches, told by its connector; this room does not know connectors. */
export type ReachOf = (
  type: string,
  direction: "inbound" | "outbound",
  settings: Readonly<Record<string, unknown>>,
) => readonly Reach[];

export interface DeclareOptions<S extends Disposable> {
  readonly bundleDir: string;
  /** Name of the active environment; undefined offline. */
  readonly environment: string | undefined;
  /** The `MEFOR_` variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly evaluate: Evaluate<S>;
  /** Whom source files may belong to, beside root; by default the user this process runs as. */
  readonly uid?: number;
  /** An edit that is tried before it is made. */
  readonly edit?: BundleEdit;
}

export interface LoadOptions<S extends Disposable> extends DeclareOptions<S> {
  readonly settings: Settings;
  readonly reachOf: ReachOf;
}

export interface LoadedGraph<S> {
  readonly graph: Graph;
  /** Belongs to the caller from here on. */
  readonly sandbox: S;
  readonly codeSets: readonly CodeSet[];
  readonly declared: Declared;
  readonly environment: EnvironmentValues;
  readonly warnings: readonly GraphProblem[];
}

/** A bundle as far as it can be understood without an environment. */
export interface DeclaredBundle<S> {
  readonly bundle: Bundle | undefined;
  readonly declared: Declared | undefined;
  readonly codeSets: readonly CodeSet[];
  /** Undefined when there was nothing to run. Belongs to the caller. */
  readonly sandbox: S | undefined;
  readonly problems: readonly GraphProblem[];
}

/**
 * Loads, resolves and checks a graph for this instance.
 *
 * @throws {BundleError} `graph.invalid`, with every problem found.
 */
export async function loadGraph<S extends Disposable>(
  options: LoadOptions<S>,
): Promise<LoadedGraph<S>> {
  const declaredBundle = await declareBundle(options);
  const { sandbox } = declaredBundle;
  try {
    return await resolveBundle(options, declaredBundle);
  } catch (thrown) {
    sandbox?.[Symbol.dispose]();
    throw thrown;
  }
}

async function resolveBundle<S extends Disposable>(
  options: LoadOptions<S>,
  { bundle, declared, codeSets, sandbox, problems: found }: DeclaredBundle<S>,
): Promise<LoadedGraph<S>> {
  const { settings, bundleDir } = options;
  const values = await loadEnvironmentValues({
    settings: settings.environments,
    environment: options.environment,
    env: options.env,
  });
  const problems = [...found, ...values.problems];
  if (bundle === undefined || declared === undefined || sandbox === undefined) {
    throw new BundleError(bundleDir, inOrder(problems));
  }
  const { environment } = values;
  problems.push(...missingValueFile(declared, { settings, environment }));
  const resolved = resolveDeclared(declared, { settings, environment });
  problems.push(...resolved.problems);
  const { references, problems: inReferences } = resolveReferences(declared.references, {
    settings: settings.reference,
    environment,
    allowInsecureTls: options.env.MEFOR_ALLOW_INSECURE_TLS === "1",
  });
  problems.push(...inReferences);
  const reaches = [...reachesOf(resolved, options.reachOf), ...reachesOfReferences(references)];
  problems.push(...await checkEgress(reaches, settings.egress));
  problems.push(...await checkStoreFolder(reaches, settings.store.path));
  const ordered = inOrder(problems);
  if (ordered.some(({ severity }) => severity === "error")) {
    throw new BundleError(bundleDir, ordered);
  }
  const files = await fingerprintFiles(bundle, environmentsDir(settings.environments));
  const graph: Graph = Object.freeze({
    bundleDir: bundle.dir,
    references,
    readsResponses: declared.readsResponses,
    inbounds: resolved.inbounds,
    outbounds: resolved.outbounds,
    ...functionsOf(declared),
    fingerprint: fingerprint(files),
    files: files.length,
    gitHead: await readGitHead(bundle.dir),
  });
  return { graph, sandbox, codeSets, declared, environment, warnings: ordered };
}

/**
 * Reads a bundle and runs its modules, without an environment's values. Problems are returned.
 * The caller disposes the sandbox.
 */
export async function declareBundle<S extends Disposable>(
  { bundleDir, environment, env, evaluate, uid, edit }: DeclareOptions<S>,
): Promise<DeclaredBundle<S>> {
  const allowInsecureSource = env.MEFOR_ALLOW_INSECURE_CONFIG_SOURCE === "1";
  const { bundle, problems: found } = await readBundle(bundleDir, {
    allowInsecureSource,
    uid,
    edit,
  });
  const problems = [...found];
  const isUntrusted = problems.some(({ severity }) => severity === "error");
  if (bundle === undefined) {
    return { bundle, declared: undefined, codeSets: [], sandbox: undefined, problems };
  }
  const { codeSets, problems: inCodeSets } = loadCodeSets(bundle.codeSets);
  const toml = readConnectionsToml(bundle.connections);
  problems.push(...inCodeSets, ...toml.problems);
  // What others may have written is read for its faults, and never run.
  const evaluated = isUntrusted
    ? { sandbox: undefined, registry: EMPTY_REGISTRY, problems: [] }
    : await evaluate({
      graphDir: GRAPH_DIR,
      modules: bundle.modules.map(sourceOf),
      helpers: bundle.helpers.map(sourceOf),
      codeSets: codeSets.map(({ name, entries }) => ({ name, entries })),
      environment,
      outboundNames: destinationsOf(toml),
    });
  problems.push(...evaluated.problems.map((problem) => problemAt(problem, problem.message)));
  const { declared, problems: inNames } = mergeDeclared(evaluated.registry, toml);
  const incomplete = isUntrusted || evaluated.problems.length > 0 || toml.problems.length > 0;
  problems.push(...inNames, ...validateDeclared(declared, { incomplete }));
  return { bundle, declared, codeSets, sandbox: evaluated.sandbox, problems: inOrder(problems) };
}

const GRAPH_DIR = "graph";

const EMPTY_REGISTRY: Registry = {
  inbounds: [],
  outbounds: [],
  routers: [],
  handlers: [],
  codeSets: [],
  references: [],
  referencesRead: [],
  readsResponses: false,
};

/** What `connections.toml` adds to whom handlers may send. */
function destinationsOf({ inbounds, outbounds }: DeclaredInToml): readonly string[] {
  const loopbacks = inbounds.filter(({ type }) => type === "loopback");
  return [...outbounds, ...loopbacks].map(({ name }) => name);
}

function sourceOf({ path, text }: { path: string; text: string }): SourceModule {
  return { path: path.slice(GRAPH_DIR.length + 1), source: text };
}

/** One line of `messagefoundry validate --json`. */
export interface ValidationFinding {
  readonly message: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly severity: Severity;
}

/** Lists everything wrong with a bundle, best effort; runs no handler and opens no connection. */
export async function validateBundle<S extends Disposable>(
  options: DeclareOptions<S>,
): Promise<readonly ValidationFinding[]> {
  const { sandbox, problems } = await declareBundle(options);
  sandbox?.[Symbol.dispose]();
  return problems.map(({ message, file, line, severity }) => ({
    message,
    file: file ?? null,
    line: line ?? null,
    severity,
  }));
}

/** A project root was named, so a value file that is not there is a mistake. Source: api §5.1 (17). */
function missingValueFile(
  declared: Declared,
  { settings, environment }: { settings: Settings; environment: EnvironmentValues },
): readonly GraphProblem[] {
  const { file, fileExists } = environment;
  if (settings.environments.baseDir === "" || file === undefined || fileExists) return [];
  const usesValues =
    [...declared.inbounds, ...declared.outbounds].some((connection) =>
      Object.values(connection.settings).some(isReference)
    ) || declared.references.some(({ source }) => Object.values(source).some(isReference));
  return usesValues ? [problemAt({ file }, "The value file of this environment is missing")] : [];
}

function reachesOf(
  { inbounds, outbounds }: Resolved,
  reachOf: ReachOf,
): readonly ConnectionReach[] {
  const reaches: ConnectionReach[] = [];
  for (
    const [direction, definitions] of [["inbound", inbounds], ["outbound", outbounds]] as const
  ) {
    for (const { name, type, settings, position } of definitions.values()) {
      const reach = reachOf(type, direction, settings);
      reaches.push({ connection: name, direction, position, reach });
    }
  }
  return reaches;
}

function functionsOf(declared: Declared): Pick<Graph, "routers" | "handlers"> {
  const routers = new Map<string, RouterDefinition>();
  const handlers = new Map<string, HandlerDefinition>();
  const handlerNames = new Set(declared.handlers.map(({ name }) => name));
  const outboundNames = new Set([
    ...declared.outbounds.map(({ name }) => name),
    ...declared.inbounds.filter(({ type }) => type === "loopback").map(({ name }) => name),
  ]);
  for (const { name, position, mentions } of declared.routers) {
    const known = mentions.filter((mention) => handlerNames.has(mention));
    routers.set(name, { name, handlers: known, position });
  }
  for (const { name, position, mentions } of declared.handlers) {
    const known = mentions.filter((mention) => outboundNames.has(mention));
    handlers.set(name, { name, sends: known, position });
  }
  return { routers, handlers };
}
