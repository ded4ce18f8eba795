/**
 * The demo: engine, senders and partners on one machine, and a reconciliation at the end.
 *
 * The engine is the real one, in a process of its own; everything else happens here.
 */
import { connectors } from "../../connectors/mod.ts";
import { EngineError } from "../../errors.ts";
import {
  evaluateInSandbox,
  type GraphSandbox,
  type LoadedGraph,
  loadGraph,
} from "../../graph/mod.ts";
import { exitCodes } from "../failure.ts";
import type { Terminal } from "../terminal.ts";
import { type DataFolder, nearPath, prepareDataFolder } from "./data_folder.ts";
import { type DemoInstance, demoInstance, EngineProcess } from "./engine_process.ts";
import { EngineView } from "./engine_view.ts";
import { expectFrom } from "./expectation.ts";
import { DemoRun } from "./demo_run.ts";
import type { DemoOptions } from "./options.ts";
import { choosePorts } from "./ports.ts";
import { openScreen } from "./screen.ts";
import { closingLines, summaryOf } from "./summary.ts";
import { planTraffic } from "./traffic.ts";

export interface DemoContext {
  readonly terminal: Terminal;
  /** The `MEFOR_*` variables. */
  readonly env: Readonly<Record<string, string>>;
  /** How this person starts tasks: `deno task`. */
  readonly command: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Ctrl-C, as shells count it. */
const INTERRUPTED = 130;

/**
 * Runs the demo; returns the exit code: 0 when everything adds up, 1 when not, 130 after Ctrl-C.
 *
 * @throws {EngineError} when it cannot start or go on.
 */
export async function runDemo(options: DemoOptions, context: DemoContext): Promise<number> {
  const { terminal, env, signal, command } = context;
  const ports = choosePorts(options);
  const folder = await prepareDataFolder(options.dataDir, options);
  const instance = await demoInstance({ folder, ports, env });
  const seed = options.seed ?? (options.keep ? `demo-${Date.now()}` : "demo");
  const messages = planTraffic({ count: options.messages, seed });
  const loaded = await load(instance);
  const expectation = await expectFrom(loaded, messages);
  loaded.sandbox[Symbol.dispose]();

  const screen = openScreen(terminal, options);
  if (!options.json) {
    terminal.out(`Starting the engine; store and log lie in ${nearPath(folder.dir)}`);
  }
  await using run = new DemoRun({
    messages,
    expectation,
    outbounds: loaded.graph.outbounds,
    ports,
    folder,
    ratePerSecond: options.ratePerSecond,
    screen,
    signal,
  });
  let started: EngineProcess;
  try {
    started = await EngineProcess.start(instance, { log: folder.log, api: ports.api });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    terminal.err("Stopped before anything was sent.");
    return INTERRUPTED;
  }
  await using engine = started;
  if (!options.json) terminal.out(`The engine runs; its API is ${engine.apiUrl}`);
  const outcome = await run.play(new EngineView(engine.apiUrl), () => engine.hasEnded);
  if (outcome === undefined) {
    return await interrupted(engine, { terminal, folder, run, command });
  }
  const summary = summaryOf({
    ...outcome,
    seed,
    messages: messages.length,
    api: engine.apiUrl,
    store: folder.store,
    flags: engine.flags,
  });
  const isRunning = options.stay && !signal.aborted;
  if (!isRunning) await engine[Symbol.asyncDispose]();
  if (options.json) terminal.out(JSON.stringify(summary));
  else {
    for (const line of closingLines(summary, { folder, command, isRunning })) terminal.out(line);
  }
  if (isRunning) await aborted(signal);
  return summary.ok ? exitCodes.ok : exitCodes.failed;
}

/** The graph as the engine will run it, with a sandbox of the demo's own. */
function load({ anchor, env }: DemoInstance): Promise<LoadedGraph<GraphSandbox>> {
  const { settings } = anchor.loaded;
  return loadGraph({
    bundleDir: anchor.bundleDir,
    settings,
    environment: settings.ai.environment,
    env,
    evaluate: evaluateInSandbox(),
    reachOf: (type, direction, connection) => {
      const connector = connectors.get(type);
      if (connector !== undefined) return connector.reach(direction, connection);
      throw new EngineError("connector.unknown", `Cannot build a connection of type "${type}"`);
    },
  });
}

async function interrupted(
  engine: EngineProcess,
  { terminal, folder, run, command }: {
    terminal: Terminal;
    folder: DataFolder;
    run: DemoRun;
    command: string;
  },
): Promise<number> {
  await engine[Symbol.asyncDispose]();
  terminal.err(
    `Stopped after ${run.sent} messages. What was acknowledged is stored in ` +
      `"${nearPath(folder.store)}"; "${command} demo --keep" delivers what still waits there.`,
  );
  return INTERRUPTED;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
