/** The environment variables this program looks at: `MEFOR_*`, and no others. */
import { CommandFailure, exitCodes } from "./failure.ts";

/**
 * Returns every `MEFOR_*` variable; undefined when this process may not read them.
 *
 * Listing is allowed under `--allow-env=MEFOR_* --ignore-env`, which hides all others.
 */
export function meforVariables(): Readonly<Record<string, string>> | undefined {
  try {
    return Object.fromEntries(
      Object.entries(Deno.env.toObject()).filter(([name]) => name.startsWith("MEFOR_")),
    );
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotCapable) return undefined;
    throw thrown;
  }
}

/** @throws {CommandFailure} exit code 2, where this process may not read them. */
export function requireVariables(
  variables: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  if (variables !== undefined) return variables;
  throw new CommandFailure("Cannot read the MEFOR_* variables: this process may not", {
    exitCode: exitCodes.refused,
    hint: "Start the runtime with --allow-env=MEFOR_* --ignore-env",
  });
}
