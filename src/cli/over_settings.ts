/**
 * What the commands share that look at the service settings and at nothing else.
 *
 * They refuse as `serve` would, with its text and its exit code; with `--json` the error goes to
 * standard output, where editors read. Source: spec api §5.
 */
import { errorText } from "../errors.ts";
import type { Anchor } from "./anchor.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes, tellError } from "./failure.ts";
import type { ServiceOptions } from "./options.ts";
import { requireVariables } from "./variables.ts";

export interface OverSettingsOptions extends ServiceOptions {
  readonly json?: boolean;
}

/** Loads the settings and lets `print` show them; returns the exit code. */
export async function overSettings(
  { terminal, env, isDebug }: CliContext,
  options: OverSettingsOptions,
  print: (anchor: Anchor) => Promise<void>,
): Promise<number> {
  try {
    const { findAnchor } = await import("./anchor.ts");
    // Without the variables the answer would be another than the engine's.
    const anchor = await findAnchor({
      options: { ...options, config: "." },
      env: requireVariables(env),
    });
    await print(anchor);
    return exitCodes.ok;
  } catch (thrown) {
    if (options.json === true) terminal.out(JSON.stringify({ error: errorText(thrown) }));
    else tellError(terminal, thrown, isDebug);
    const { SettingsError } = await import("../settings/mod.ts");
    if (thrown instanceof CommandFailure) return thrown.exitCode;
    return thrown instanceof SettingsError ? exitCodes.refused : exitCodes.failed;
  }
}
