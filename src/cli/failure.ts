/** How a command says that it failed: one sentence, one hint, an exit code; never a stack. */
import { EngineError, errorText } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Exit codes of every command. Source: spec api §5. `again` passes between engine and launcher only:
 * the graph that is watched needs other permissions than this process has.
 */
export const exitCodes = { ok: 0, failed: 1, refused: 2, startup: 3, again: 75 } as const;

/** A command that cannot go on, with the exit code it asks for. */
export class CommandFailure extends EngineError {
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: number; hint?: string; cause?: unknown }) {
    super("cli.failed", message, options);
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}

/** Prints an error of a server-type command on standard error. */
export function tellError(terminal: Terminal, thrown: unknown, isDebug: boolean): void {
  terminal.err(`${terminal.styleError("bad", "error:")} ${errorText(thrown)}`);
  const hint = hintOf(thrown);
  if (hint !== undefined) terminal.err(`${terminal.styleError("quiet", "hint:")} ${hint}`);
  if (isDebug && thrown instanceof Error && thrown.stack !== undefined) terminal.err(thrown.stack);
}

/** Returns the hint of the error, or of what caused it. */
export function hintOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const own = thrown instanceof EngineError ? thrown.hint : undefined;
  return own ?? hintOf(thrown.cause);
}
