/** `messagefoundry completion`: what a shell needs to complete our words. */
import { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { actsOf, addAct } from "./options.ts";
import { type CommandWords, completionScripts } from "./completion_scripts.ts";

export function declareCompletion(program: CliCommand, { terminal }: CliContext): void {
  const command = program.command("completion")
    .description("Print a completion script for bash, zsh or fish");
  addAct(command, Object.keys(completionScripts), "shell")
    .runs((_options, [shell = ""]) => {
      const script = Object.hasOwn(completionScripts, shell)
        ? completionScripts[shell as keyof typeof completionScripts]
        : undefined;
      if (script === undefined) {
        throw new CommandFailure(`No completion for shell "${shell}"`, {
          exitCode: exitCodes.refused,
          hint: `There are: ${Object.keys(completionScripts).join(", ")}`,
        });
      }
      terminal.out(script(wordsOf(program)));
      return Promise.resolve(exitCodes.ok);
    });
}

/** Reads the declarations, so that a new option needs no second place. */
function wordsOf(program: CliCommand): readonly CommandWords[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    acts: command instanceof CliCommand ? actsOf(command) : [],
    options: command.options.flatMap(({ long, description, required, optional, hidden }) =>
      long === undefined || long === null || hidden
        ? []
        : [{ flag: long, description, takesValue: required || optional }]
    ),
  }));
}
