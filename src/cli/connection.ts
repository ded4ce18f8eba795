/** `messagefoundry connection`: the connections that a bundle declares in `connections.toml`. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { type EditOptions, runEdit } from "./edit_command.ts";
import { addAct, addAnchorOptions } from "./options.ts";

export function declareConnection(program: CliCommand, context: CliContext): void {
  const command = program.command("connection")
    .description("List, write or remove the connections of connections.toml");
  addAct(command, ["list", "upsert", "remove"]);
  addAnchorOptions(command)
    .option("--name <name>", "remove: which connection")
    .option("--data <json>", "upsert: the connection as JSON; standard input when left out")
    .option("--json", "one line of JSON");
  command.runs((options: EditOptions, [act = ""]) =>
    runEdit(context, {
      options,
      act,
      acts: async () => (await import("./connection_acts.ts")).acts,
      what: "connections",
    })
  );
}
