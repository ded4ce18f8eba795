/**
 * `deno task cluster:demo`: reads the command line, listens for Ctrl-C, ends with the exit code: 0
 * nothing was lost or out of order, 1 something was, 2 it cannot be run like this.
 */
import { runDemo } from "./demo.ts";
import { readOptions, usage } from "./options.ts";

async function main(): Promise<number> {
  let options;
  try {
    options = readOptions(Deno.args);
  } catch (thrown) {
    console.error((thrown as Error).message.split(". ")[0]);
    console.error('"deno task cluster:demo --help" lists the options');
    return 2;
  }
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  try {
    return await runDemo(options, stop.signal);
  } catch (thrown) {
    console.error(`Cannot go on with the demonstration: ${(thrown as Error).message}`);
    return 1;
  }
}

Deno.exit(await main());
