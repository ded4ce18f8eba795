/**
 * One subcommand, on top of the argument parser: errors are thrown with their usage line, and an
 * action returns the exit code.
 */
import { Command, type ErrorOptions } from "commander";

/** The arguments are not what the command takes. */
export class UsageError extends Error {
  readonly usage: string;

  constructor(message: string, usage: string) {
    super(message);
    this.name = "UsageError";
    this.usage = usage;
  }
}

export class CliCommand extends Command {
  override createCommand(name?: string): CliCommand {
    return new CliCommand(name).helpOption("-h, --help", "show this help");
  }

  /** Every fault the parser finds comes through here. */
  override error(message: string, _options?: ErrorOptions): never {
    const text = message.replace(/^error: /, "").replace(/\n\(Did you mean (.+)\?\)$/s, didYouMean)
      .replace(/^unknown command '(.*)'/, "invalid choice '$1'");
    throw new UsageError(text, `${pathOf(this)} ${this.usage()}`);
  }

  /** Sets what the command does; the value is the exit code. */
  runs<O>(action: (options: O, args: readonly string[]) => Promise<number>): this {
    return this.action(async (...given: unknown[]) => {
      const root = rootOf(this);
      const args = given.slice(0, -2).flat() as string[];
      root.#exitCode = await action(this.opts() as O, args);
    });
  }

  /** What the action returned; undefined when none ran. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  #exitCode: number | undefined;
}

function didYouMean(_: string, names: string): string {
  return `; did you mean ${names.replace(/^one of /, "")}?`;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function rootOf(command: CliCommand): CliCommand {
  return command.parent instanceof CliCommand ? rootOf(command.parent) : command;
}
