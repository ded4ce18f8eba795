/**
 * The command line: one file a subcommand, each loading what it needs only when it runs.
 *
 * Upstream: `main.ts`. Downstream: the engine, the graph, the generator, and a person or an editor
 * that reads the output.
 * Not here: what a command does beyond reading its arguments and printing its result.
 */
import { CommanderError } from "commander";
import { UsageError } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes, tellError } from "./failure.ts";
import { buildProgram } from "./program.ts";
import { processTerminal, type Terminal } from "./terminal.ts";
import { meforVariables } from "./variables.ts";

/** Runs one command line and returns the exit code. Never throws. */
export async function runCli(given: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  const env = meforVariables();
  const isDebug = env?.MEFOR_DEBUG === "1";
  const args = withoutModuleFlag(given);
  try {
    return await run({ terminal, args, env, isDebug });
  } catch (thrown) {
    if (thrown instanceof UsageError) return tellUsage(terminal, thrown);
    tellError(terminal, thrown, isDebug);
    return thrown instanceof CommandFailure ? thrown.exitCode : exitCodes.failed;
  }
}

async function run(context: CliContext): Promise<number> {
  const program = buildProgram(context);
  try {
    await program.parseAsync([...context.args], { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // The parser ends by throwing: asked for help or version, or given no subcommand at all.
    return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.refused;
  }
  return program.exitCode ?? exitCodes.ok;
}

/** Editors start us as they start Python: `<program> -m messagefoundry <args>`. */
function withoutModuleFlag(args: readonly string[]): readonly string[] {
  return args[0] === "-m" && args[1] === "messagefoundry" ? args.slice(2) : args;
}

function tellUsage(terminal: Terminal, { message, usage }: UsageError): number {
  terminal.err(`${terminal.styleError("bad", "error:")} ${message}`);
  terminal.err(`usage: ${usage}`);
  return exitCodes.refused;
}
