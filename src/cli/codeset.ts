/** `messagefoundry codeset`: the code sets of a bundle, `codesets/*.csv|toml`. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { type EditOptions, runEdit } from "./edit_command.ts";
import { addAct, addAnchorOptions } from "./options.ts";

export function declareCodeSet(program: CliCommand, context: CliContext): void {
  const command = program.command("codeset")
    .description("List, show, write, rename or remove the code sets of a bundle");
  addAct(command, ["list", "show", "upsert", "rename", "remove"]);
  addAnchorOptions(command)
    .option("--name <name>", "show, rename, remove: which code set")
    .option("--to <name>", "rename: its new name")
    .option("--data <json>", "upsert: the code set as JSON; standard input when left out")
    .option("--json", "one line of JSON");
  command.runs((options: EditOptions, [act = ""]) =>
    runEdit(context, {
      options,
      act,
      acts: async () => (await import("./codeset_acts.ts")).acts,
      what: "code sets",
    })
  );
}
