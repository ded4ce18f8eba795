/**
 * Starts every room in order and stops them in reverse; holds handles, no rules.
 *
 * Upstream: `cli/serve/engine.ts`. Downstream: the API and `operations/`, which act on the handles.
 */
import { dirname } from "node:path";
import { Alerts, type CertificateFile, type Raised, startWatch } from "./alerts/mod.ts";
import { SummaryAccessLog } from "./audit/mod.ts";
import { Auth, securityMail, type TakeNotice } from "./auth/mod.ts";
import type { Clock } from "./clock.ts";
import type { Cluster } from "./cluster/mod.ts";
import { connectors } from "./connectors/mod.ts";
import { readKeys } from "./crypto/keys.ts";
import type { ConfigConvergence } from "./engine/config_convergence.ts";
import { contend, type Touched } from "./engine/contend.ts";
import type { JoinOptions } from "./engine/join_cluster.ts";
import { openNodeStore, type StoreOptions } from "./engine/stores.ts";
import { errorClass } from "./errors.ts";
import { noFailpoints, parseFailpoints } from "./failpoints.ts";
import {
  findReloadRoots,
  type Graph,
  readFingerprint,
  type ReloadDir,
  resolveReloadDir,
} from "./graph/mod.ts";
import { type Logger, redact } from "./logging/mod.ts";
import {
  Maintenance,
  type MaintenanceFigures,
  type OwnWindows,
  References,
} from "./maintenance/mod.ts";
import { startBackstop } from "./pipeline/backstop.ts";
import { LiveGraph, type ReloadOptions } from "./pipeline/live_graph.ts";
import { Pipeline, type PipelineOptions } from "./pipeline/pipeline.ts";
import { StrictValidation } from "./pipeline/strict_validation.ts";
import type { Settings } from "./settings/mod.ts";
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
  /** Takes notices to people about their own account instead of the mail of `[alerts]`; for tests. */
  readonly takeNotice?: TakeNotice;
  /** Sees each graph before anything of it starts; throws to refuse it. */
  readonly admit?: (graph: Graph) => void;
}

const STOP_GRACE_MS = 5_000;

export class Engine implements AsyncDisposable {
  readonly settings: Settings;
  /** What the API reads and writes; in a cluster not the store of the running graph. */
  readonly store: Store;
  /** Undefined: this engine stands alone. */
  readonly cluster: Cluster | undefined;
  /** Undefined with `[auth] enabled = false`: nobody signs in, whoever asks may do everything. */
  readonly auth: Auth | undefined;
  /** Told of fields of patient data that lists show. */
  readonly summaryAccess: SummaryAccessLog;
  /** Told of whatever needs a person; also sends the mail of other rooms. */
  readonly alerts: Alerts;
  readonly logger: Logger;
  readonly logDropped: () => Readonly<Record<string, number>>;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** `--config`, which a reload loads when it names no other. */
  readonly bundleDir: string;
  readonly #reloadRoots: readonly string[];
  readonly #live: LiveGraph;
  readonly #validation: StrictValidation;
  readonly #env: EngineOptions["env"];
  /** Reference sets and the sources they come from. */
  readonly references: References;

  /**
   * Opens the store, loads the graph, starts the pipeline.
   *
   * @throws {EngineError} `crypto.key_invalid`: a key of the store is none.
   * @throws {StoreError} the store cannot be opened.
   * @throws {AuthError} `auth.bootstrap_file`: the first administrator cannot be told.
   * @throws {DirectoryError} `directory.ca_file`.
   * @throws {BundleError} the graph is not usable; every problem is listed.
   */
  static async start(options: EngineOptions): Promise<Engine> {
    await using stack = new AsyncDisposableStack();
    const { settings, logger } = options;
    const keys = readKeys({
      active: settings.store.encryptionKey?.reveal(),
      retired: settings.store.encryptionKeysRetired?.reveal(),
    });
    const failpoints = options.env.MEFOR_FAILPOINTS;
    const ownOptions = { settings, keys, clock: options.clock, logger, failpoints };
    const store = stack.use(await openNodeStore(ownOptions));
    logger.info("store.opened", {
      sealed: store.keyId !== undefined,
      key_id: store.keyId,
      retired_keys: keys?.retired.length,
    });
    // Its version of the configuration is read before the graph is loaded that is to match it.
    const cluster = settings.cluster.enabled
      ? stack.use(await join({ settings, clock: options.clock, logger }))
      : undefined;
    // Nodes of a cluster take their time from the one clock that all of them see.
    const clock = cluster?.clock ?? options.clock;
    const summaryAccess = stack.use(
      new SummaryAccessLog({
        clock,
        append: (audit) => store.submit({ kind: "register", changes: [], audit }),
        tell: (record) => logger.audit(record),
        onFailed: (thrown) =>
          logger.error("operation.audit_failed", {
            act: "summary_access",
            error: errorClass(thrown),
          }),
      }),
    );
    const alerts = stack.use(
      new Alerts({
        settings: settings.alerts,
        clock,
        logger,
        write: (raised) => writeRaised(store, raised),
      }),
    );
    if (store.recovered > 0) logger.info("store.recovered", { rows: store.recovered });
    const auth = settings.auth.enabled
      ? stack.use(
        await Auth.open({
          settings: settings.auth,
          store,
          bootstrapDir: dirname(settings.store.path),
          clock,
          logger,
          takeNotice: options.takeNotice ?? mailNotices(alerts),
        }),
      )
      : undefined;
    const live = stack.use(
      await LiveGraph.load({
        settings,
        environment: options.environment,
        env: options.env,
        connectors,
        logger,
        allowInsecureBind: options.allowInsecureBind ?? false,
        admit: options.admit,
      }, { bundleDir: options.bundleDir, state: await store.state() }),
    );
    const roots = await findReloadRoots([options.bundleDir, ...settings.api.configReloadRoots]);
    for (const dir of roots.missing) logger.warning("engine.reload_root_missing", { dir });
    const validation = stack.use(new StrictValidation());
    const references = stack.use(
      await References.open({
        settings: settings.reference,
        store,
        clock,
        logger,
        isLeader: () => cluster?.status.isLeader ?? true,
        definitions: () => live.graph.references,
        publish: (snapshot) => live.setReference(snapshot),
      }),
    );
    await references.prepare(live.graph.references, (snapshot) => live.setReference(snapshot));
    const engine = new Engine(options, {
      store,
      summaryAccess,
      auth,
      alerts,
      cluster,
      live,
      references,
      validation,
      reloadRoots: roots.roots,
    });
    stack.defer(() => engine.pipeline.stop());
    stack.use(startBackstop(() => engine.pipeline.isRunning ? engine.pipeline : undefined));
    if (cluster === undefined) await engine.pipeline.start();
    references.start();
    stack.use(engine.#watch());
    if (cluster === undefined) {
      engine.#maintenance = stack.use(engine.#maintain(store, () => true));
    } else {
      stack.defer(() => cluster[Symbol.asyncDispose]());
      engine.#contend(cluster, { ...ownOptions, clock });
    }
    // Before all else: no graph takes the place of one that stops.
    stack.defer(() => live.close());
    engine.#rooms = stack.move();
    return engine;
  }

  #rooms = new AsyncDisposableStack();
  #pipeline: Pipeline;
  #config: ConfigConvergence | undefined;
  /** Loads, swaps, promotions and demotions run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #maintenance: Maintenance | undefined;

  private constructor(
    { settings, logger, logDropped, clock: ownClock, env, bundleDir }: EngineOptions,
    { store, summaryAccess, auth, alerts, cluster, live, references, validation, reloadRoots }: {
      store: Store;
      summaryAccess: SummaryAccessLog;
      auth: Auth | undefined;
      alerts: Alerts;
      cluster: Cluster | undefined;
      live: LiveGraph;
      references: References;
      validation: StrictValidation;
      reloadRoots: readonly string[];
    },
  ) {
    this.settings = settings;
    this.store = store;
    this.summaryAccess = summaryAccess;
    this.auth = auth;
    this.alerts = alerts;
    this.cluster = cluster;
    this.logger = logger;
    this.logDropped = logDropped ?? (() => ({}));
    this.clock = cluster?.clock ?? ownClock;
    this.startedAt = this.clock.now();
    this.bundleDir = bundleDir;
    this.#reloadRoots = reloadRoots;
    this.#live = live;
    this.references = references;
    this.#validation = validation;
    this.#env = env;
    this.#pipeline = cluster === undefined ? this.#makePipeline(store) : this.#makeIdle();
  }

  /** The graph at work; on a standby what it would be, and nothing of it runs. */
  get pipeline(): Pipeline {
    return this.#pipeline;
  }

  /** Builds the graph over a store; nothing of it runs yet. */
  #makePipeline(
    store: Store,
    rules: Pick<PipelineOptions, "mayAct" | "mayAnswer" | "openLanes"> = {},
  ): Pipeline {
    const { settings, alerts, clock, logger } = this;
    const env = this.#env;
    const { graph, runner } = this.#live;
    return new Pipeline({
      store,
      graph,
      runner,
      connectors: this.#live.connectorsFor(graph),
      clock,
      logger,
      failpoints: env.MEFOR_FAILPOINTS ? parseFailpoints(env.MEFOR_FAILPOINTS) : noFailpoints,
      redact,
      validateStrict: (text, hl7Version) => this.#validation.validate(text, hl7Version),
      bindHost: settings.inbound.bindHost,
      internalError: settings.delivery.internalError,
      recordsEvents: settings.diagnostics.connectionEvents,
      simulateAll: settings.shadow.simulateAllEgress,
      correlationDepthMax: settings.pipeline.maxCorrelationDepth,
      allowInsecureTls: env.MEFOR_ALLOW_INSECURE_TLS === "1",
      stopGraceMs: STOP_GRACE_MS,
      onStopped: (event) => alerts.raise(event),
      ...rules,
    });
  }

  /** What a standby shows of the graph; how many rows wait the leader knows. */
  #makeIdle(): Pipeline {
    return this.#makePipeline(this.store, { openLanes: [] });
  }

  /** Shows another graph, once it is loaded, or one that runs no more. */
  #showIdle(): void {
    this.#show(this.#makeIdle());
  }

  /** What was shown and never ran lets its connections go. */
  #show(pipeline: Pipeline): void {
    if (!this.#pipeline.hasStarted) void this.#pipeline.stop();
    this.#pipeline = pipeline;
  }

  #maintain(store: Store, isLeader: () => boolean): Maintenance {
    const { settings, clock, logger, alerts } = this;
    return new Maintenance({
      settings: settings.retention,
      ownWindows: () => ownWindows(this.#live.graph),
      store,
      clock,
      logger,
      isLeader,
      purgeState: (purge) => this.#live.purgeState(purge),
      onStorage: ({ store: connection, ...sizes }) =>
        alerts.raise({ type: "storage_threshold", connection, ...sizes }),
    });
  }

  /** Begins to contend for leadership; the graph runs whenever it is won. */
  #contend(cluster: Cluster, store: StoreOptions): void {
    const { logger, bundleDir, settings, references } = this;
    this.#config = contend({
      ...{ settings, logger, cluster, store, references, live: this.#live },
      load: async () => {
        await this.#load({ bundleDir, dryRun: false });
        if (!this.#pipeline.isRunning) this.#showIdle();
      },
      makePipeline: (store, rules) => this.#makePipeline(store, rules),
      onPipeline: (pipeline) => this.#show(pipeline ?? this.#makeIdle()),
      maintain: (store, isLeader) => this.#maintenance = this.#maintain(store, isLeader),
      onTouched: ({ lanes, edges }) => void this.#pipeline.touched(lanes, edges),
      inTurn: (act) => this.#inTurn(act),
      stopMs: STOP_GRACE_MS,
    });
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  /**
   * Rows of these lanes were changed by an operator: whoever runs them looks at the store. On a
   * standby the leader is told, and has heard of it within a second.
   */
  async touched(lanes: Touched["lanes"], edges: Touched["edges"] = []): Promise<void> {
    const { cluster } = this;
    if (cluster === undefined || cluster.isServing) return this.#pipeline.touched(lanes, edges);
    try {
      await cluster.noteAct(JSON.stringify({ lanes, edges } satisfies Touched));
    } catch (thrown) {
      // The rows stand as they were changed; the next leader counts all of them.
      this.logger.error("cluster.act_not_told", { error: errorClass(thrown) });
    }
  }

  /** Watches lanes and certificates until it is disposed. */
  #watch(): AsyncDisposable {
    const { alerts, clock, logger, settings, store } = this;
    const { buildupMaxDepth: maxDepth = null, buildupMaxOldestMs } = settings.delivery;
    const shared = { maxDepth, maxOldestMs: buildupMaxOldestMs === 0 ? null : buildupMaxOldestMs };
    const { warnDays, checkIntervalMs } = settings.certMonitor;
    return startWatch({
      alerts,
      clock,
      logger,
      lanes: {
        lanes: () => this.#pipeline.isRunning ? this.#pipeline.gauges(shared) : [],
        oldestOpen: (stage, lane) => store.oldestInLane(stage, lane),
      },
      isStopped: (connection) => this.#pipeline.hasStopped(connection),
      isOverSize: () => this.#maintenance?.figures.isOverSize ?? false,
      certificates: warnDays === 0 ? undefined : {
        warnDays,
        intervalMs: checkIntervalMs,
        files: () => certificateFiles(settings, this.graph),
        readText: (path) => Deno.readTextFile(path),
      },
    });
  }

  get graph(): Graph {
    return this.#live.graph;
  }

  /** Undefined while the engine starts. */
  get maintenance(): MaintenanceFigures | undefined {
    return this.#maintenance?.figures;
  }

  /** Sandbox threads given up while they may still spin. */
  get leakedThreads(): number {
    return this.#live.leakedThreads;
  }

  /** Whether a reload may load this directory, by the roots as they were at the start. */
  findReloadDir(requested: string): Promise<ReloadDir> {
    return resolveReloadDir(this.#reloadRoots, requested);
  }

  /**
   * Loads a bundle and, unless that is all that was asked, runs it in place of the graph that runs.
   *
   * @throws see `LiveGraph.reload()`; the running graph is as it was.
   */
  async reload(options: ReloadOptions): Promise<Graph> {
    const graph = await this.#inTurn(() => this.#load(options));
    if (options.dryRun) return graph;
    if (this.cluster !== undefined && !this.#pipeline.isRunning) this.#showIdle();
    await this.#config?.announce();
    return graph;
  }

  async #load(options: ReloadOptions): Promise<Graph> {
    const { references } = this;
    const graph = await this.#live.reload(this.#pipeline, {
      ...options,
      makeReady: (graph, publish) => references.prepare(graph.references, publish),
    });
    references.lookAgain();
    return graph;
  }

  /** Whether the files of the running graph differ from what was loaded of them. Never throws. */
  async hasDrifted(): Promise<boolean> {
    const { bundleDir, fingerprint } = this.graph;
    const now = await readFingerprint(bundleDir, this.settings.environments);
    return now !== undefined && now !== fingerprint;
  }

  /** Stops intake, lets running work end, closes everything in reverse order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rooms.disposeAsync();
  }
}

/** An engine that stands alone has no use for the driver behind it. */
async function join(options: JoinOptions): Promise<Cluster> {
  const { joinCluster } = await import("./engine/join_cluster.ts");
  return joinCluster(options);
}

/** Undefined without a mail server: nobody is told then. */
function mailNotices(alerts: Alerts): TakeNotice | undefined {
  if (!alerts.hasMail) return undefined;
  return (notice) => void alerts.sendMail(securityMail(notice), notice.event);
}

/** Adds raised events to their live instances, all of them in one commit. */
async function writeRaised(store: Store, raised: readonly Raised[]): Promise<void> {
  const changes = raised.map((one) => {
    const { type, connection, severity, reason, firstAt, lastAt, count } = one;
    const times = [firstAt, lastAt].map((ms) => Math.round(ms * 1000));
    const values = [type, connection, severity, ...times, count, reason];
    return { name: "alertRaise" as const, values };
  });
  await store.submit({ kind: "register", changes, audit: [] });
}

/** Connections that keep bodies for a time of their own. */
function ownWindows({ inbounds, outbounds }: Graph): OwnWindows {
  const messages = new Map<string, number>();
  const deadLetters = new Map<string, number>();
  for (const { name, messagesDays } of inbounds.values()) {
    if (messagesDays !== undefined) messages.set(name, messagesDays);
  }
  for (const { name, deadLetterDays } of outbounds.values()) {
    if (deadLetterDays !== undefined) deadLetters.set(name, deadLetterDays);
  }
  return { messages, deadLetters };
}

/** The certificates that others are shown: the API's own and those of connections under TLS. */
function certificateFiles({ api }: Settings, graph: Graph): readonly CertificateFile[] {
  const files: CertificateFile[] = [];
  const add = (connection: string, path: unknown) => {
    if (typeof path === "string") files.push({ connection, path });
  };
  add("api", api.tlsCertFile);
  for (const { name, settings } of [...graph.inbounds.values(), ...graph.outbounds.values()]) {
    if (settings.tls === true) add(name, settings.tls_cert_file);
  }
  return files;
}
