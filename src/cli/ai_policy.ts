/** `messagefoundry ai-policy`: what `GET /ai/policy` answers, without a running engine. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { addServiceOptions } from "./options.ts";
import { overSettings, type OverSettingsOptions } from "./over_settings.ts";

export function declareAiPolicy(program: CliCommand, context: CliContext): void {
  const command = program.command("ai-policy")
    .description("Show what a coding assistant may see on this instance");
  addServiceOptions(command).option("--json", "one line of JSON, as GET /ai/policy answers");
  command.runs((options: OverSettingsOptions) =>
    overSettings(context, options, async ({ loaded }) => {
      const { aiPolicy } = await import("../settings/mod.ts");
      const { terminal } = context;
      const { reason, ...policy } = aiPolicy(loaded.settings.ai);
      // Nobody signs in here, so whether this person may is not known.
      const shown = { ...policy, assist_permitted: null, reason };
      if (options.json) return terminal.out(JSON.stringify(shown));
      for (const [key, value] of Object.entries(shown)) {
        terminal.out(`${key.padEnd("assist_permitted".length)}  ${value ?? "–"}`);
      }
    })
  );
}
