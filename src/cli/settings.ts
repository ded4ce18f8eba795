/** `messagefoundry settings`: every value that holds, and who said so. */
import type { SettingRow } from "../settings/mod.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { addServiceOptions } from "./options.ts";
import { overSettings, type OverSettingsOptions } from "./over_settings.ts";
import type { Terminal } from "./terminal.ts";

/** A longer value pushes its own line only. */
const VALUE_WIDTH_MAX = 40;

export function declareSettings(program: CliCommand, context: CliContext): void {
  const command = program.command("settings")
    .description("Show every service setting with its value and where that comes from");
  addServiceOptions(command).option("--json", "one line of JSON: an array of all keys");
  command.runs((options: OverSettingsOptions) =>
    overSettings(context, options, async ({ loaded, serviceFile }) => {
      const { settingRows, settingText } = await import("../settings/mod.ts");
      const { terminal } = context;
      const rows = settingRows(loaded);
      if (options.json) terminal.out(JSON.stringify(rows));
      else {
        terminal.out(`settings file: ${serviceFile ?? "none"}`);
        printTable(rows.map((row) => ({ row, text: settingText(row) })), terminal);
      }
      for (const warning of loaded.warnings) {
        terminal.err(`${terminal.styleError("caution", "warning:")} ${warning}`);
      }
    })
  );
}

/** One line a key under the name of its section; what nobody set is quiet. */
function printTable(
  entries: readonly { readonly row: SettingRow; readonly text: string }[],
  terminal: Terminal,
): void {
  const keyWidth = Math.max(...entries.map(({ row }) => row.key.length));
  const valueWidth = Math.min(VALUE_WIDTH_MAX, Math.max(...entries.map(({ text }) => text.length)));
  let section: string | undefined;
  for (const { row, text } of entries) {
    if (row.section !== section) terminal.out(`\n[${row.section}]`);
    section = row.section;
    const note = row.in_effect ? "" : "  not in effect yet";
    const line = `  ${row.key.padEnd(keyWidth)}  ${text.padEnd(valueWidth)}  ${row.source}${note}`;
    terminal.out(row.source === "default" ? terminal.style("quiet", line) : line);
  }
}
