/** `messagefoundry alert`: the routing rules of alerts in the settings file. */
import { dirname, resolve } from "node:path";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";
import { offline, printJson } from "./offline.ts";
import { addAct, addServiceOptions, type ServiceOptions } from "./options.ts";

export interface AlertOptions extends ServiceOptions {
  readonly data?: string;
  readonly index?: string;
  readonly json?: boolean;
}

/** Where the settings file lies, or will. */
function folderOf({ projectRoot = ".", serviceConfig }: AlertOptions): string {
  return serviceConfig === undefined
    ? resolve(projectRoot)
    : dirname(resolve(projectRoot, serviceConfig));
}

export function declareAlert(program: CliCommand, context: CliContext): void {
  const command = program.command("alert")
    .description("List, add or remove the routing rules of alerts in the settings file");
  addAct(command, ["list", "add", "remove"]);
  addServiceOptions(command)
    .option("--data <json>", "add: the rule as JSON; standard input when left out")
    .option("--index <n>", "remove: which rule, counted from 0")
    .option("--json", "one line of JSON");
  command.runs((options: AlertOptions, [act = ""]) =>
    offline(context, options.json, async () => {
      const { acts } = await import("./alert_acts.ts");
      const { chosenAct } = await import("./edit_command.ts");
      const run = chosenAct(acts, act, "alert rules");
      const env = context.env ?? {};
      const { findAnchor } = await import("./anchor.ts");
      const { lockFolder } = await import("./edit_lock.ts");
      using _lock = act === "list" ? undefined : await lockFolder(folderOf(options));
      const anchor = await findAnchor({ options: { ...options, config: "." }, env });
      printJson(context, await run({ anchor, options, env }), options.json);
      return exitCodes.ok;
    })
  );
}
