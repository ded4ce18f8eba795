/**
 * `messagefoundry serve`: starts the engine and keeps it running.
 *
 * The process a person starts is the launcher: it derives the engine's permissions and starts the
 * engine as a child under exactly those. Where it may not run the runtime, it is the engine itself,
 * under whatever flags it was given; `--engine` asks for that.
 */
import { Option } from "commander";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { addAnchorOptions } from "./options.ts";
import type { ServeOptions } from "./serve/options.ts";

export function declareServe(program: CliCommand, context: CliContext): void {
  const command = program.command("serve").description("Run the engine until it is stopped");
  addAnchorOptions(command)
    .option("--db <file>", "SQLite store, instead of [store] path")
    .option("--host <address>", "interface of the API, instead of [api] host")
    .option("--port <number>", "port of the API, instead of [api] port")
    .option("--log-level <level>", "debug, info, warning, error or critical")
    .option("--allow-insecure-bind", "let listeners take messages in the clear off loopback")
    .option("--allow-broad-permissions", "run in production with wider permissions than needed")
    .option("--watch", "load the bundle again whenever a file of it changes; not in production")
    .option("--engine", "run the engine in this process, under the flags it has")
    .option("--no-launcher", "the same as --engine")
    .addOption(new Option("--hangup-stops", "a terminal is behind the launcher").hideHelp())
    .addOption(new Option("--launched", "the launcher started this engine").hideHelp());
  command.runs(async (options: ServeOptions & { launcher: boolean }) => {
    if (options.engine || !options.launcher || !mayRunRuntime()) {
      const { serveEngine } = await import("./serve/engine.ts");
      return await serveEngine(options, context);
    }
    const { launch } = await import("./serve/launcher.ts");
    return await launch(options, context);
  });
}

function mayRunRuntime(): boolean {
  const descriptor = { name: "run", command: Deno.execPath() } as const;
  return Deno.permissions.querySync(descriptor).state === "granted";
}
