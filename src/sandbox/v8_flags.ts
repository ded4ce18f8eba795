/**
 * V8 flags that the engine's process is started with, as in `--v8-flags=<flag>`.
 *
 * Upstream: whoever builds the engine's command line. They cannot be set later.
 */

/**
 * Without it the optimizer (V8 15.0) takes the look at the clock out of some endless loops, such as
 * `for (;;) [1, 2, 3].map((x) => x)`, and no time limit ends them: the thread would be lost. Measured
 * cost: none.
 */
export const sandboxV8Flags: readonly string[] = ["--no-turboshaft-loop-unrolling"];
