/** Starts the command line: `deno task messagefoundry`, `deno task serve`. */
import { runCli } from "./src/cli/mod.ts";

Deno.exit(await runCli(Deno.args));
