/** `messagefoundry hl7schema`: names and types of every field and component, for editors. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";
import { printJson } from "./offline.ts";

export function declareHl7Schema(program: CliCommand, context: CliContext): void {
  program.command("hl7schema")
    .description("Print the segments of HL7 v2.5.1 as JSON")
    .option("--json", "one line of JSON")
    .runs(async ({ json }: { readonly json?: boolean }) => {
      const { hl7Schema } = await import("../hl7/validation/mod.ts");
      printJson(context, hl7Schema(), json);
      return exitCodes.ok;
    });
}
