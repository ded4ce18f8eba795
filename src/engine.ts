/**
 * Starts every room in order and stops them in reverse; holds handles, no rules.
 *
 * Upstream: `cli/serve/engine.ts`. Downstream: the API and `operations/`, which act on the handles.
 */
import { Alerts, type CertificateFile, type Raised, startWatch } from "./alerts/mod.ts";
import { Auth, securityMail, type TakeNotice } from "./auth/mod.ts";
import type { Clock } from "./clock.ts";
import { connectors } from "./connectors/mod.ts";
import { readKeys } from "./crypto/keys.ts";
import { noFailpoints, parseFailpoints } from "./failpoints.ts";
import {
  findReloadRoots,
  type Graph,
  readFingerprint,
  type ReloadDir,
  resolveReloadDir,
} from "./graph/mod.ts";
import { type Logger, redact } from "./logging/mod.ts";
import { Maintenance, type MaintenanceFigures, References } from "./maintenance/mod.ts";
import { LiveGraph, type ReloadOptions } from "./pipeline/live_graph.ts";
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
  /** Takes notices to people about their own account instead of the mail of `[alerts]`; for tests. */
  readonly takeNotice?: TakeNotice;
  /** Sees each graph before anything of it starts; throws to refuse it. */
  readonly admit?: (graph: Graph) => void;
}

const STOP_GRACE_MS = 5_000;

export class Engine implements AsyncDisposable {
  readonly settings: Settings;
  readonly store: Store;
  /** Undefined with `[auth] enabled = false`: nobody signs in, whoever asks may do everything. */
  readonly auth: Auth | undefined;
  readonly pipeline: Pipeline;
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
        // One node is always the leader.
        isLeader: () => true,
        definitions: () => live.graph.references,
        publish: (snapshot) => live.setReference(snapshot),
      }),
    );
    await references.prepare(live.graph.references, (snapshot) => live.setReference(snapshot));
    const engine = new Engine(options, {
      store,
      auth,
      alerts,
      live,
      references,
      validation,
      reloadRoots: roots.roots,
    });
    stack.defer(() => engine.pipeline.stop());
    await engine.pipeline.start();
    references.start();
    stack.use(engine.#watch());
    engine.#maintenance = stack.use(
      new Maintenance({
        settings: settings.retention,
        store,
        clock,
        logger,
        // One node is always the leader.
        isLeader: () => true,
        purgeState: (purge) => live.purgeState(purge),
        onStorage: ({ store: connection, ...sizes }) =>
          alerts.raise({ type: "storage_threshold", connection, ...sizes }),
      }),
    );
    // Before all else: no graph takes the place of one that stops.
    stack.defer(() => live.close());
    engine.#rooms = stack.move();
    return engine;
  }

  #rooms = new AsyncDisposableStack();
  #maintenance: Maintenance | undefined;

  private constructor(
    { settings, logger, logDropped, clock, env, bundleDir }: EngineOptions,
    { store, auth, alerts, live, references, validation, reloadRoots }: {
      store: Store;
      auth: Auth | undefined;
      alerts: Alerts;
      live: LiveGraph;
      references: References;
      validation: StrictValidation;
      reloadRoots: readonly string[];
    },
  ) {
    this.settings = settings;
    this.store = store;
    this.auth = auth;
    this.alerts = alerts;
    this.logger = logger;
    this.logDropped = logDropped ?? (() => ({}));
    this.clock = clock;
    this.startedAt = clock.now();
    this.bundleDir = bundleDir;
    this.#reloadRoots = reloadRoots;
    this.#live = live;
    this.references = references;
    this.#validation = validation;
    const failpoints = env.MEFOR_FAILPOINTS ? parseFailpoints(env.MEFOR_FAILPOINTS) : noFailpoints;
    this.pipeline = new Pipeline({
      store,
      graph: live.graph,
      runner: live.runner,
      connectors: live.connectorsFor(live.graph),
      clock,
      logger,
      failpoints,
      redact,
      validateStrict: (text, hl7Version) => this.#validation.validate(text, hl7Version),
      bindHost: settings.inbound.bindHost,
      internalError: settings.delivery.internalError,
      simulateAll: settings.shadow.simulateAllEgress,
      correlationDepthMax: settings.pipeline.maxCorrelationDepth,
      allowInsecureTls: env.MEFOR_ALLOW_INSECURE_TLS === "1",
      stopGraceMs: STOP_GRACE_MS,
      onStopped: (event) => alerts.raise(event),
    });
  }

  /** Watches lanes and certificates until it is disposed. */
  #watch(): AsyncDisposable {
    const { alerts, clock, logger, pipeline, settings, store } = this;
    const { buildupMaxDepth: maxDepth = null, buildupMaxOldestMs } = settings.delivery;
    const shared = { maxDepth, maxOldestMs: buildupMaxOldestMs === 0 ? null : buildupMaxOldestMs };
    const { warnDays, checkIntervalMs } = settings.certMonitor;
    return startWatch({
      alerts,
      clock,
      logger,
      lanes: {
        lanes: () => pipeline.gauges(shared),
        oldestOpen: (stage, lane) => store.oldestInLane(stage, lane),
      },
      isStopped: (connection) => pipeline.hasStopped(connection),
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
  reload(options: ReloadOptions): Promise<Graph> {
    const { references } = this;
    return this.#live.reload(this.pipeline, {
      ...options,
      makeReady: (graph, publish) => references.prepare(graph.references, publish),
    });
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
