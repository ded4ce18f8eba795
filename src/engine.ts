/**
 * Starts every room in order and stops them in reverse; holds handles, no rules.
 *
 * Upstream: `cli/serve/engine.ts`. Downstream: the API and `operations/`, which act on the handles.
 */
import type { Clock } from "./clock.ts";
import { connectors } from "./connectors/mod.ts";
import { refuseSources } from "./connectors/refused_source.ts";
import { readKeys } from "./crypto/keys.ts";
import { EngineError } from "./errors.ts";
import { noFailpoints, parseFailpoints } from "./failpoints.ts";
import { evaluateInSandbox, type GraphSandbox } from "./graph/evaluate.ts";
import {
  exposedListeners,
  type Graph,
  graphProblemText,
  type LoadedGraph,
  loadGraph,
} from "./graph/mod.ts";
import { type Logger, redact } from "./logging/mod.ts";
import { Pipeline } from "./pipeline/pipeline.ts";
import { StrictValidation } from "./pipeline/strict_validation.ts";
import type { Settings } from "./settings/mod.ts";
import { SqliteStore } from "./store/sqlite/store.ts";
import type { Store } from "./store/store.ts";

export interface EngineOptions {
  readonly settings: Settings;
  /** The bundle, `--config`. */
  readonly bundleDir: string;
  readonly environment: string | undefined;
  /** The `MEFOR_` variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Log records lost so far, by sink; for the metrics. */
  readonly logDropped?: () => Readonly<Record<string, number>>;
  readonly clock: Clock;
  /** Listeners may take messages in the clear off loopback; they are refused otherwise. */
  readonly allowInsecureBind?: boolean;
  /** Sees the graph before anything of it starts; throws to refuse the start. */
  readonly admit?: (graph: Graph) => void;
}

const STOP_GRACE_MS = 5_000;

export class Engine implements AsyncDisposable {
  readonly settings: Settings;
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly logger: Logger;
  readonly logDropped: () => Readonly<Record<string, number>>;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly #loaded: LoadedGraph<GraphSandbox>;
  readonly #validation: StrictValidation;

  /**
   * Opens the store, loads the graph, starts the pipeline.
   *
   * @throws {EngineError} `crypto.key_invalid`: a key of the store is none.
   * @throws {StoreError} the store cannot be opened.
   * @throws {BundleError} the graph is not usable; every problem is listed.
   */
  static async start(options: EngineOptions): Promise<Engine> {
    await using stack = new AsyncDisposableStack();
    const { settings, logger, clock } = options;
    const keys = readKeys({
      active: settings.store.encryptionKey?.reveal(),
      retired: settings.store.encryptionKeysRetired?.reveal(),
    });
    const store = stack.use(
      await SqliteStore.open({
        path: settings.store.path,
        synchronous: settings.store.synchronous,
        failpoints: options.env.MEFOR_FAILPOINTS,
        keys,
        logger,
        now: () => Math.round(clock.now() * 1000),
      }),
    );
    logger.info("store.opened", {
      sealed: store.keyId !== undefined,
      key_id: store.keyId,
      retired_keys: keys?.retired.length,
    });
    if (store.recovered > 0) logger.info("store.recovered", { rows: store.recovered });
    const loaded = await loadGraph({
      bundleDir: options.bundleDir,
      settings,
      environment: options.environment,
      env: options.env,
      evaluate: evaluateInSandbox({ state: await store.state(), redact }),
      reachOf: (type, direction, connection) => {
        const connector = connectors.get(type);
        if (!connector) throw unknownTransport(type);
        return connector.reach(direction, connection);
      },
    });
    stack.use(loaded.sandbox);
    options.admit?.(loaded.graph);
    for (const warning of loaded.warnings) {
      logger.warning("graph.warning", { reason: graphProblemText(warning) });
    }
    const validation = stack.use(new StrictValidation());
    const engine = new Engine(options, { store, loaded, validation });
    stack.defer(() => engine.pipeline.stop());
    await engine.pipeline.start();
    engine.#rooms = stack.move();
    return engine;
  }

  #rooms = new AsyncDisposableStack();

  private constructor(
    { settings, logger, logDropped, clock, env, allowInsecureBind = false }: EngineOptions,
    { store, loaded, validation }: {
      store: Store;
      loaded: LoadedGraph<GraphSandbox>;
      validation: StrictValidation;
    },
  ) {
    this.settings = settings;
    this.store = store;
    this.logger = logger;
    this.logDropped = logDropped ?? (() => ({}));
    this.clock = clock;
    this.startedAt = clock.now();
    this.#loaded = loaded;
    this.#validation = validation;
    const failpoints = env.MEFOR_FAILPOINTS ? parseFailpoints(env.MEFOR_FAILPOINTS) : noFailpoints;
    const exposed = allowInsecureBind ? [] : exposedListeners(loaded.graph, settings.inbound);
    this.pipeline = new Pipeline({
      store,
      graph: loaded.graph,
      runner: loaded.sandbox.sandbox,
      connectors: refuseSources(connectors, new Set(exposed.map(({ name }) => name))),
      clock,
      logger,
      failpoints,
      redact,
      validateStrict: (text, hl7Version) => this.#validation.validate(text, hl7Version),
      bindHost: settings.inbound.bindHost,
      internalError: settings.delivery.internalError,
      simulateAll: settings.shadow.simulateAllEgress,
      allowInsecureTls: env.MEFOR_ALLOW_INSECURE_TLS === "1",
      stopGraceMs: STOP_GRACE_MS,
    });
  }

  get graph(): Graph {
    return this.#loaded.graph;
  }

  /** Sandbox threads given up while they may still spin. */
  get leakedThreads(): number {
    return this.#loaded.sandbox.sandbox.leakedThreads;
  }

  /** Stops intake, lets running work end, closes everything in reverse order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rooms.disposeAsync();
  }
}

function unknownTransport(type: string): EngineError {
  return new EngineError("connector.unknown", `Cannot build a connection of type "${type}"`);
}
