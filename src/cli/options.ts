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

/** The first word behind a command that does several things. */
export function addAct(
  command: CliCommand,
  acts: readonly string[],
  name: "act" | "shell" = "act",
): CliCommand {
  return command.argument(`<${name}>`, `${acts.slice(0, -1).join(", ")} or ${acts.at(-1)}`);
}

/** The acts of a command as {@link addAct} declared them; completions offer them. */
export function actsOf(command: CliCommand): readonly string[] {
  const argument = command.registeredArguments.find((one) => /^(act|shell)$/.test(one.name()));
  return argument?.description.split(/, | or /) ?? [];
}
