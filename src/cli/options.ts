/** Options that several subcommands take. */
import type { AnchorOptions } from "./anchor.ts";
import type { CliCommand } from "./command.ts";

/** What {@link addServiceOptions} adds. */
export type ServiceOptions = Omit<AnchorOptions, "config">;

/** `--config`, and where settings and values are found. */
export function addAnchorOptions(command: CliCommand): CliCommand {
  return addServiceOptions(
    command.option("--config <dir>", "the bundle: graph/, codesets/, connections.toml", "."),
  );
}

/** Where settings and values are found. */
export function addServiceOptions(command: CliCommand): CliCommand {
  return command
    .option("--project-root <dir>", "base of relative paths and of environments/")
    .option("--env <name>", "the active environment")
    .option("--service-config <file>", "service settings (default: messagefoundry.toml)");
}
