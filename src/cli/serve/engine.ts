/**
 * The engine process: settings, gates, permissions, start, wait for a signal, stop.
 *
 * Exit codes: 0 clean stop, 1 a stop that was cut short, 2 refused, 3 could not start.
 * Source: spec api §5, §5.1.
 */
import { dirname } from "node:path";
import { startApi } from "../../api/mod.ts";
import { systemClock, timerMsMax } from "../../clock.ts";
import { Engine } from "../../engine.ts";
import { EngineError, errorClass } from "../../errors.ts";
import { environmentsDir, type Graph, listenersOf } from "../../graph/mod.ts";
import { type Logger, openLog } from "../../logging/mod.ts";
import { hostAndPort, type Settings, storePort } from "../../settings/mod.ts";
import { VERSION } from "../../version.ts";
import { type Anchor, findAnchor } from "../anchor.ts";
import type { CliContext } from "../context.ts";
import { CommandFailure, exitCodes, tellError } from "../failure.ts";
import { isMissing } from "../paths.ts";
import { anchorWarnings, requireReadableValues, valueFileOf } from "../value_file.ts";
import { requireVariables } from "../variables.ts";
import { apiTls } from "./api_tls.ts";
import { exitCodeOf } from "./exit_code.ts";
import { passGates } from "./gates.ts";
import { grantsFor } from "./instance.ts";
import { type ServeOptions, settingFlags } from "./options.ts";
import { comparePermissions, missingText, queryProcess } from "./permission_check.ts";
import { flagsOf } from "./permission_set.ts";
import { Reloads } from "./reloads.ts";
import { hangupStops, StopSignals } from "./stop_signals.ts";

/** Runs the engine in this process until it is told to stop; returns the exit code. */
export async function serveEngine(options: ServeOptions, context: CliContext): Promise<number> {
  const { terminal, isDebug } = context;
  let anchor: Anchor;
  let env: Readonly<Record<string, string>>;
  try {
    env = requireVariables(context.env);
    anchor = await findAnchor({ options, env, flags: settingFlags(options) });
    passGates(anchor, { options, terminal });
    await requireReadableValues(anchor);
  } catch (thrown) {
    tellError(terminal, thrown, isDebug);
    return exitCodes.refused;
  }
  const { settings } = anchor.loaded;
  await using log = openLog({
    settings: settings.logging,
    stdout: (bytes) => Deno.stdout.write(bytes),
  });
  const { logger } = log;
  keepAlive(logger);
  using signals = new StopSignals({ hangupStops: stopsOnHangup(options) });
  if (options.launched) void stopWithLauncher(signals);
  try {
    return await run(anchor, { options, env, logger, signals, logDropped: log.dropped });
  } catch (thrown) {
    await log.flush();
    tellError(terminal, thrown, isDebug);
    return exitCodeOf(thrown, anchor);
  }
}

interface EngineRun {
  readonly options: ServeOptions;
  readonly env: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly signals: StopSignals;
  readonly logDropped: () => Readonly<Record<string, number>>;
}

async function run(anchor: Anchor, given: EngineRun): Promise<number> {
  const { options, env, logger, signals, logDropped } = given;
  const { settings } = anchor.loaded;
  logStart(anchor, logger);
  checkPermissions(anchor, given);
  // Before anything is opened: without its certificate the engine does not start.
  const tls = apiTls(settings.api);
  makeStoreDir(settings);
  const stack = new AsyncDisposableStack();
  // Of the graph that was loaded last.
  let lacksPermission = false;
  try {
    const engine = stack.use(
      await Engine.start({
        settings,
        bundleDir: anchor.bundleDir,
        environment: settings.ai.environment,
        env,
        logger,
        logDropped,
        clock: systemClock,
        allowInsecureBind: options.allowInsecureBind === true,
        admit: (graph) => {
          lacksPermission = true;
          checkPermissions(anchor, given, graph);
          lacksPermission = false;
        },
      }),
    );
    const { host, port } = settings.api;
    const api = stack.use(await startApi(engine, { host, port, tls }));
    const url = `${tls === undefined ? "http" : "https"}://${hostAndPort(api)}`;
    logRunning(engine, url);
    // A launcher can give the next process what this one lacks.
    const again = "the bundle needs other permissions";
    stack.use(
      new Reloads(engine, {
        onHangup: !stopsOnHangup(options),
        watch: options.watch
          ? { bundleDir: anchor.bundleDir, environmentsDir: environmentsDir(settings.environments) }
          : undefined,
        onDone: (isLoaded) => {
          if (!isLoaded && lacksPermission && options.watch && options.launched) {
            signals.stop(again);
          }
        },
      }),
    );
    const signal = await signals.first;
    logger.info("engine.stopping", { signal });
    const exitCode = await stop(stack, { settings, logger, signals });
    return signal === again && exitCode === exitCodes.ok ? exitCodes.again : exitCode;
  } catch (thrown) {
    await stack.disposeAsync();
    throw thrown;
  }
}

/** Launched, it has no standard input of its own: the launcher has looked. */
function stopsOnHangup({ launched, hangupStops: isTold }: ServeOptions): boolean {
  return launched ? isTold === true : hangupStops();
}

/** Stops within `[engine] shutdown_timeout_seconds`, or at once on a second signal. */
async function stop(
  stack: AsyncDisposableStack,
  { settings, logger, signals }: { settings: Settings; logger: Logger; signals: StopSignals },
): Promise<number> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limitMs = settings.engine.shutdownTimeoutMs;
  const tooLate = new Promise<"timeout">((resolve) => {
    timer = setTimeout(() => resolve("timeout"), Math.min(limitMs, timerMsMax));
  });
  const done = stack.disposeAsync().then(
    () => "done" as const,
    (thrown: unknown) => {
      logger.error("engine.stop_failed", { error: errorClass(thrown), code: codeOf(thrown) });
      return "failed" as const;
    },
  );
  const outcome = await Promise.race([done, tooLate, signals.second.then(() => "signal" as const)]);
  clearTimeout(timer);
  if (outcome === "done") {
    logger.info("engine.stopped");
    return exitCodes.ok;
  }
  logger.warning("engine.stop_cut_short", { reason: outcome, limit_ms: limitMs });
  return exitCodes.failed;
}

/**
 * Refuses to run without a grant that settings or graph ask for; tells of wider ones.
 *
 * @throws {CommandFailure}
 */
function checkPermissions(anchor: Anchor, { options, logger }: EngineRun, graph?: Graph): void {
  const allowInsecureBind = options.allowInsecureBind === true;
  const grants = grantsFor(anchor, { graph, allowInsecureBind });
  const { missing, wider } = comparePermissions(grants, queryProcess);
  if (missing.length > 0) {
    throw new CommandFailure(
      `Cannot run under these permissions:\n${
        missing.map((grant) => `  - ${missingText(grant)}`).join("\n")
      }`,
      {
        exitCode: exitCodes.refused,
        hint: 'Let "deno task serve" derive them, or see "messagefoundry permissions"',
      },
    );
  }
  if (graph !== undefined) {
    logger.info("engine.permissions", { flags: flagsOf(grants).join(" ") });
    return;
  }
  if (wider.length === 0) return;
  const isProduction = anchor.loaded.settings.ai.production === true;
  if (isProduction && options.allowBroadPermissions !== true) {
    throw new CommandFailure(
      `Cannot run in production with more permission than needed: ${wider.join(", ")}`,
      {
        exitCode: exitCodes.refused,
        hint: 'Let "deno task serve" derive them, or pass --allow-broad-permissions',
      },
    );
  }
  logger.warning("engine.permissions_wide", { flags: wider.join(" ") });
}

function makeStoreDir({ store }: Settings): void {
  const dir = dirname(store.path);
  if (isMissing(dir)) Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
}

function logStart(anchor: Anchor, logger: Logger): void {
  const { loaded: { settings, warnings }, bundleDir, serviceFile } = anchor;
  const { environment, dataClass, production } = settings.ai;
  logger.info("engine.starting", {
    version: VERSION,
    environment,
    data_class: dataClass,
    production,
    settings: serviceFile ?? "none",
    values: valueFileOf(anchor),
    bundle: bundleDir,
    store: storeName(settings.store),
  });
  for (const reason of warnings) logger.warning("engine.settings", { reason });
  for (const reason of anchorWarnings(anchor)) logger.warning("engine.anchor", { reason });
}

/** Where the store is; a server's password is no part of it. */
function storeName(store: Settings["store"]): string {
  const { backend, path, server, database } = store;
  const port = storePort(store);
  if (port === undefined) return path;
  return `${backend} ${hostAndPort({ host: server!, port })}/${database}`;
}

/** What could not be bound has said so itself, and is tried again. */
function logRunning({ graph, pipeline, settings, logger }: Engine, url: string): void {
  for (const [name, definition] of graph.inbounds) {
    if (pipeline.inbounds.get(name)?.state !== "running") continue;
    const [, listener] = listenersOf(new Map([[name, definition]]), settings);
    if (listener === undefined) continue;
    const { host = settings.inbound.bindHost, port } = listener;
    logger.info("engine.listener", { connection: name, address: hostAndPort({ host, port }) });
  }
  logger.info("engine.started", { api: url });
}

/** Refusals of node's sockets surface here; listeners that work go on. Facts §2.1. */
function keepAlive(logger: Logger): void {
  const log = (event: string, thrown: unknown) =>
    logger.error(event, { error: errorClass(thrown), code: codeOf(thrown) });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log("engine.uncaught_error", event.error);
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log("engine.unhandled_rejection", event.reason);
  });
}

/** Ends the engine when the launcher ends, however it ends: two engines would share the ports. */
async function stopWithLauncher(signals: StopSignals): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
  signals.stop("launcher gone");
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof EngineError ? thrown.code : undefined;
}
