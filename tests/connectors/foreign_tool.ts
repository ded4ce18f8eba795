/** Programs that nobody here wrote: looked for, run with a bound, and missed aloud. */

/**
 * True when `program` can be run. On a laptop a missing one skips the test aloud; in CI (`CI=true`)
 * it fails, for there a skipped check is no check.
 */
export async function hasTool(program: string, probe: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args: [...probe],
      stdout: "null",
      stderr: "null",
    }).output();
    if (success) return true;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  const message = `"${program} ${probe.join(" ")}" cannot be run`;
  if (Deno.env.get("CI") === "true") throw new Error(`${message}, and CI=true`);
  console.log(`skipped: ${message}`);
  return false;
}

/** Runs a program to its end, for at most `ms`; returns its output. Throws when it fails. */
export async function runTool(
  program: string,
  args: readonly string[],
  options: { cwd?: string; ms?: number } = {},
): Promise<string> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: options.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), options.ms ?? 20_000);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  if (!success) throw new Error(`"${program}" failed: ${text.decode(stderr)}`);
  return text.decode(stdout);
}
