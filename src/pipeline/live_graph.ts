/**
 * The graph that runs, its sandbox, and how another graph takes their place.
 *
 * A reload loads the bundle anew in a fresh sandbox while the old graph runs on, builds every
 * connection that is new or changed, and then swaps graph and sandbox in a moment in which no
 * author code runs. Whatever fails before that moment leaves the old graph as it was. Source: spec
 * api §6.3, connectors-and-graph §4.1.
 */
import type { Connector } from "../connectors/connector.ts";
import { refuseSources } from "../connectors/refused_source.ts";
import { EngineError } from "../errors.ts";
import { evaluateInSandbox, type GraphSandbox } from "../graph/evaluate.ts";
import {
  exposedListeners,
  type Graph,
  graphProblemText,
  type LoadedGraph,
  loadGraph,
} from "../graph/mod.ts";
import { type Logger, redact } from "../logging/mod.ts";
import type { ReferenceData, StateEntry, StateKey } from "../sandbox/protocol.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Settings } from "../settings/mod.ts";
import type { NextGraph, Pipeline } from "./pipeline.ts";
import type { GraphRunner } from "./routing.ts";

export interface LiveGraphOptions {
  readonly settings: Settings;
  readonly environment: string | undefined;
  /** The `MEFOR_` variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly logger: Logger;
  /** Listeners may take messages in the clear off loopback; they are refused otherwise. */
  readonly allowInsecureBind: boolean;
  /** Sees each graph before anything of it starts; throws to refuse it. */
  readonly admit: ((graph: Graph) => void) | undefined;
}

export interface ReloadOptions {
  readonly bundleDir: string;
  /** Everything but the swap. */
  readonly dryRun: boolean;
  /** Gives the graph the reference sets it reads, before anything of it runs. Must not throw. */
  readonly makeReady?: (
    graph: Graph,
    publish: (reference: ReferenceData) => void,
  ) => Promise<void>;
}

/**
 * A graph that may not take the place of the running one: `graph.empty`, `graph.stopping`. What the
 * bundle itself has wrong is a `BundleError`.
 */
export class ReloadError extends EngineError {}

export class LiveGraph implements Disposable {
  /** Author code of whatever graph runs now. */
  readonly runner: GraphRunner;
  readonly #options: LiveGraphOptions;
  #loaded: LoadedGraph<GraphSandbox>;
  /** What became of state since a candidate began to load; it has to know before it runs. */
  #sinceLoad: ((sandbox: Sandbox) => void)[] | undefined;
  /** Keys written since the store was asked to delete old ones. */
  #sincePurge: Set<string> | undefined;
  /** Reloads run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #isClosing = false;
  /** Of sandboxes that are gone. */
  #leakedBefore = 0;

  private constructor(options: LiveGraphOptions, loaded: LoadedGraph<GraphSandbox>) {
    this.#options = options;
    this.#loaded = loaded;
    this.runner = {
      run: (requests) => this.#sandbox.run(requests),
      commitState: (inbound, entries) => {
        this.#sinceLoad?.push((sandbox) => sandbox.commitState("", entries));
        for (const entry of entries) this.#sincePurge?.add(nameOf(entry));
        this.#sandbox.commitState(inbound, entries);
      },
      discardState: (inbound) => this.#sandbox.discardState(inbound),
    };
  }

  /**
   * Loads the first graph.
   *
   * @throws {BundleError} the graph is not usable; every problem is listed.
   */
  static async load(
    options: LiveGraphOptions,
    { bundleDir, state }: {
      readonly bundleDir: string;
      readonly state: readonly StateEntry[];
    },
  ): Promise<LiveGraph> {
    return new LiveGraph(options, await loadFor(options, bundleDir, state));
  }

  get graph(): Graph {
    return this.#loaded.graph;
  }

  /** Sandbox threads given up while they may still spin. */
  get leakedThreads(): number {
    return this.#leakedBefore + this.#sandbox.leakedThreads;
  }

  /** The connectors for `graph`, without the listeners that policy refuses. */
  connectorsFor(graph: Graph): ReadonlyMap<string, Connector> {
    const { allowInsecureBind, settings, connectors } = this.#options;
    const exposed = allowInsecureBind ? [] : exposedListeners(graph, settings.inbound);
    return refuseSources(connectors, new Set(exposed.map(({ name }) => name)));
  }

  /**
   * Loads a bundle and lets `pipeline` run it; resolves to the graph it holds. Of a pipeline that
   * does not run nothing is started: it only says whether it could run the graph.
   *
   * @throws {BundleError} the graph is not usable; every problem is listed.
   * @throws {ConnectorError} a connection of it cannot be built.
   * @throws {ReloadError}
   * @throws what `admit` throws.
   */
  reload(pipeline: Pipeline, options: ReloadOptions): Promise<Graph> {
    const done = this.#turn.then(() => this.#reload(pipeline, options));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #reload(
    pipeline: Pipeline,
    { bundleDir, dryRun, makeReady }: ReloadOptions,
  ): Promise<Graph> {
    this.#refuseWhenClosing();
    this.#sinceLoad = [];
    let candidate: LoadedGraph<GraphSandbox> | undefined;
    try {
      candidate = await loadFor(this.#options, bundleDir, this.#sandbox.committedState());
      const { graph } = candidate;
      if (graph.inbounds.size === 0 && graph.outbounds.size === 0) {
        throw new ReloadError("graph.empty", `The bundle "${bundleDir}" declares no connection`);
      }
      const next = pipeline.prepare(graph, this.connectorsFor(graph));
      if (dryRun) {
        await discard(next);
        return graph;
      }
      const { sandbox } = candidate.sandbox;
      await makeReady?.(graph, (reference) => {
        sandbox.setReference(reference);
        // Behind what the running graph was given meanwhile: the exchange repeats that.
        this.#sinceLoad?.push((incoming) => incoming.setReference(reference));
      });
      if (this.#isClosing) await discard(next);
      this.#refuseWhenClosing();
      const incoming = candidate;
      candidate = undefined;
      if (pipeline.isRunning) {
        await pipeline.swap(next, () => this.#exchange(incoming));
      } else {
        await discard(next);
        this.#exchange(incoming);
      }
      return graph;
    } finally {
      this.#sinceLoad = undefined;
      candidate?.sandbox[Symbol.dispose]();
    }
  }

  /** Nothing runs and nothing is under way: what is durable now is all there is. */
  #exchange(incoming: LoadedGraph<GraphSandbox>): void {
    for (const tell of this.#sinceLoad ?? []) tell(incoming.sandbox.sandbox);
    this.#leakedBefore += this.#sandbox.leakedThreads;
    this.#loaded.sandbox[Symbol.dispose]();
    this.#loaded = incoming;
  }

  /** Lets author code see a version of a reference set, from the next batch on. */
  setReference(reference: ReferenceData): void {
    this.#sinceLoad?.push((sandbox) => sandbox.setReference(reference));
    this.#sandbox.setReference(reference);
  }

  /**
   * Has old state deleted and forgets it. Whatever became durable while the store was at it may be
   * newer than what was deleted, and stays.
   *
   * @param purge deletes entries in the store and says which; one call after the other.
   */
  async purgeState(purge: () => Promise<readonly StateKey[]>): Promise<void> {
    const since = this.#sincePurge = new Set<string>();
    try {
      const keys = (await purge()).filter((key) => !since.has(nameOf(key)));
      this.#sinceLoad?.push((sandbox) => sandbox.forgetState(keys));
      this.#sandbox.forgetState(keys);
    } finally {
      this.#sincePurge = undefined;
    }
  }

  /** Takes over state as the store has it; no author code may run meanwhile. */
  convergeState(entries: readonly StateEntry[]): void {
    const kept = new Set(entries.map(nameOf));
    const gone = this.#sandbox.committedState().filter((entry) => !kept.has(nameOf(entry)));
    this.#sinceLoad?.push((sandbox) => {
      sandbox.forgetState(gone);
      sandbox.commitState("", entries);
    });
    this.#sandbox.forgetState(gone);
    this.#sandbox.commitState("", entries);
  }

  /** Lets a reload that runs come to its end and begins no other. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#turn;
  }

  [Symbol.dispose](): void {
    this.#loaded.sandbox[Symbol.dispose]();
  }

  get #sandbox() {
    return this.#loaded.sandbox.sandbox;
  }

  #refuseWhenClosing(): void {
    if (!this.#isClosing) return;
    throw new ReloadError("graph.stopping", "Cannot load a graph: the engine is stopping");
  }
}

async function loadFor(
  { settings, environment, env, connectors, logger, admit }: LiveGraphOptions,
  bundleDir: string,
  state: readonly StateEntry[],
): Promise<LoadedGraph<GraphSandbox>> {
  const loaded = await loadGraph({
    bundleDir,
    settings,
    environment,
    env,
    evaluate: evaluateInSandbox({ state, redact }),
    reachOf: (type, direction, connection) => {
      const connector = connectors.get(type);
      if (connector) return connector.reach(direction, connection);
      throw new EngineError("connector.unknown", `Cannot build a connection of type "${type}"`);
    },
  });
  try {
    admit?.(loaded.graph);
  } catch (thrown) {
    loaded.sandbox[Symbol.dispose]();
    throw thrown;
  }
  for (const warning of loaded.warnings) {
    logger.warning("graph.warning", { reason: graphProblemText(warning) });
  }
  return loaded;
}

function nameOf({ namespace, key }: StateKey): string {
  return JSON.stringify([namespace, key]);
}

/** What was built and will not run. */
async function discard({ destinations }: NextGraph): Promise<void> {
  for (const destination of destinations.values()) await destination.close();
}
