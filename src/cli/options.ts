/** Options that several subcommands take. */
import type { CliCommand } from "./command.ts";

/** `--config`, and where settings and values are found. */
export function addAnchorOptions(command: CliCommand): CliCommand {
  return command
    .option("--config <dir>", "the bundle: graph/, codesets/, connections.toml", ".")
    .option("--project-root <dir>", "base of relative paths and of environments/")
    .option("--env <name>", "the active environment")
    .option("--service-config <file>", "service settings (default: messagefoundry.toml)");
}
