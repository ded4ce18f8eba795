/** `deno task demo`: reads the command line, listens for Ctrl-C, ends with the demo's exit code. */
import { exitCodes, tellError } from "../failure.ts";
import { processTerminal } from "../terminal.ts";
import { meforVariables } from "../variables.ts";
import { runDemo } from "./demo.ts";
import { readOptions, usage } from "./options.ts";

const terminal = processTerminal();
const env = meforVariables() ?? {};
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Windows knows no SIGTERM.
  if (Deno.build.os === "windows" && signal === "SIGTERM") continue;
  Deno.addSignalListener(signal, () => stop.abort());
}

async function main(): Promise<number> {
  try {
    const options = readOptions(Deno.args);
    if (options === undefined) {
      terminal.out(usage);
      return exitCodes.ok;
    }
    return await runDemo(options, { terminal, env, command: taskCommand(), signal: stop.signal });
  } catch (thrown) {
    tellError(terminal, thrown, env.MEFOR_DEBUG === "1");
    const { exitCode } = thrown as { exitCode?: unknown };
    return typeof exitCode === "number" ? exitCode : exitCodes.failed;
  }
}

/** Whoever came through npx has no `deno` of their own to type. */
function taskCommand(): string {
  const isNpx = /[/\\]_npx[/\\]/.test(Deno.execPath());
  return isNpx ? `npx -y deno@${Deno.version.deno} task` : "deno task";
}

Deno.exit(await main());
