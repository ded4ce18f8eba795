/** `messagefoundry graph`: what a bundle declares, with the edges its functions mention. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";
import { offline, type OfflineOptions, openBundle, printJson, requireSound } from "./offline.ts";
import { addAnchorOptions } from "./options.ts";

export function declareGraph(program: CliCommand, context: CliContext): void {
  const command = program.command("graph").description("Describe the graph of a bundle as JSON");
  addAnchorOptions(command).option("--json", "one line of JSON");
  command.runs((options: OfflineOptions) =>
    offline(context, options.json, async () => {
      const { describeDeclared } = await import("../graph/mod.ts");
      using opened = await openBundle({ options, env: context.env });
      await requireSound(opened);
      const { declared } = opened.declared;
      if (declared === undefined) throw new TypeError("A sound bundle declares something");
      printJson(context, describeDeclared(declared), options.json);
      return exitCodes.ok;
    })
  );
}
