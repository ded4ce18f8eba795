/** The environment variables this program looks at: `MEFOR_*`, and no others. */

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
