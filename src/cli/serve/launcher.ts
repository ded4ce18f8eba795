/**
 * The launcher: derives the engine's permissions, starts it under them, and starts it again when it
 * crashes.
 *
 * It never opens the store or a socket. It reads settings and graph, as the engine will, prints the
 * flag line, passes signals on and ends with the engine's exit code.
 */
import { fileURLToPath } from "node:url";
import { backoffMs } from "../../backoff.ts";
import { type Anchor, findAnchor } from "../anchor.ts";
import type { CliContext } from "../context.ts";
import { exitCodes, tellError } from "../failure.ts";
import { requireReadableValues } from "../value_file.ts";
import { exitCodeOf } from "./exit_code.ts";
import { passGates } from "./gates.ts";
import { deriveForInstance } from "./instance.ts";
import { type ServeOptions, settingFlags } from "./options.ts";
import { flagsOf } from "./permission_set.ts";
import { hangup, hangupStops, stopSignals } from "./stop_signals.ts";

/** Waits between restarts: 1 s, 2 s, … 30 s; from the start again after a quiet minute. */
const RESTART = { backoffMs: 1_000, multiplier: 2, maxBackoffMs: 30_000 };
const QUIET_MS = 60_000;

/** Runs engines until one ends by itself or the operator says so; returns the exit code. */
export async function launch(options: ServeOptions, context: CliContext): Promise<number> {
  using launcher = new Launcher(options, context);
  return await launcher.run();
}

class Launcher implements Disposable {
  readonly #options: ServeOptions;
  readonly #context: CliContext;
  readonly #listeners = new Map<Deno.Signal, () => void>();
  readonly #stopped = Promise.withResolvers<void>();
  #child: Deno.ChildProcess | undefined;
  #isStopping = false;
  #lastSignal: Deno.Signal | undefined;
  readonly #hangupStops = hangupStops();

  constructor(options: ServeOptions, context: CliContext) {
    this.#options = options;
    this.#context = context;
    for (const signal of stopSignals) this.#listen(signal, () => this.#onSignal(signal));
    if (Deno.build.os === "windows") return;
    this.#listen(hangup, () => this.#hangupStops ? this.#onSignal(hangup) : this.#pass(hangup));
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    this.#listeners.set(signal, listener);
    Deno.addSignalListener(signal, listener);
  }

  async run(): Promise<number> {
    for (let crashes = 0;;) {
      const flags = await this.#deriveFlags();
      if (typeof flags === "number") return flags;
      if (this.#isStopping) return exitCodes.ok;
      const startedAt = performance.now();
      const status = await this.#runEngine(flags);
      if (status.code === exitCodes.again && !this.#isStopping) continue;
      if (!isCrash(status) || this.#isStopping) return this.#exitCodeOf(status);
      crashes = performance.now() - startedAt > QUIET_MS ? 1 : crashes + 1;
      const waitMs = backoffMs(RESTART, crashes);
      const how = status.signal === null ? `exit code ${status.code}` : status.signal;
      this.#context.terminal.err(`The engine ended with ${how}; restart in ${waitMs / 1000} s`);
      await this.#pause(waitMs);
      if (this.#isStopping) return exitCodes.ok;
    }
  }

  /** Returns the flags, or the exit code of a start that cannot be. */
  async #deriveFlags(): Promise<readonly string[] | number> {
    const { terminal, env = {}, isDebug } = this.#context;
    const options = this.#options;
    let anchor: Anchor;
    try {
      anchor = await findAnchor({ options, env, flags: settingFlags(options) });
      passGates(anchor, { options, terminal, tellsAll: false });
      await requireReadableValues(anchor);
    } catch (thrown) {
      tellError(terminal, thrown, isDebug);
      return exitCodes.refused;
    }
    try {
      const { grants } = await deriveForInstance(anchor, {
        env,
        allowInsecureBind: options.allowInsecureBind === true,
      });
      const flags = flagsOf(grants);
      terminal.err(`engine permissions: ${flags.join(" ")}`);
      return flags;
    } catch (thrown) {
      tellError(terminal, thrown, isDebug);
      return exitCodeOf(thrown, anchor);
    }
  }

  async #runEngine(flags: readonly string[]): Promise<Deno.CommandStatus> {
    const [, ...args] = this.#context.args;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        ...flags,
        fileURLToPath(Deno.mainModule),
        "serve",
        "--engine",
        "--launched",
        ...(this.#hangupStops ? ["--hangup-stops"] : []),
        ...args,
      ],
      // Never written to: its end tells the engine that this process is gone.
      stdin: "piped",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    this.#child = child;
    const status = await child.status;
    this.#child = undefined;
    return status;
  }

  /** An engine that ends by the very signal was not up yet, so there was nothing to stop. */
  #exitCodeOf({ code, signal }: Deno.CommandStatus): number {
    if (signal === null) return code;
    return signal === this.#lastSignal ? exitCodes.ok : exitCodes.failed;
  }

  #onSignal(signal: Deno.Signal): void {
    this.#isStopping = true;
    this.#lastSignal = signal;
    this.#stopped.resolve();
    this.#pass(signal);
  }

  #pass(signal: Deno.Signal): void {
    try {
      this.#child?.kill(signal);
    } catch {
      // It ended between the signal and now.
    }
  }

  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const passed = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([passed, this.#stopped.promise]);
    clearTimeout(timer);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/** 0 was a stop, 2 and 3 would only happen again. */
function isCrash({ code, signal }: Deno.CommandStatus): boolean {
  if (signal !== null) return true;
  const final: readonly number[] = [exitCodes.ok, exitCodes.refused, exitCodes.startup];
  return !final.includes(code);
}
