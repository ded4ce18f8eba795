/** `messagefoundry permissions`: the engine's permissions, each with the setting behind it. */
import { errorText } from "../errors.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes, tellError } from "./failure.ts";
import { addAnchorOptions } from "./options.ts";
import { type ServeOptions, settingFlags } from "./serve/options.ts";

const formats = ["table", "flags", "json", "systemd", "container"] as const;

const FROM_A_CHECKOUT =
  "warning: this is a checkout, whose packages lie in a user's own cache: write the file with the " +
  "program of an archive";

interface PermissionsOptions extends ServeOptions {
  readonly format: string;
  readonly tighten?: boolean;
  readonly audit?: string;
  readonly json?: boolean;
}

export function declarePermissions(program: CliCommand, context: CliContext): void {
  const command = program.command("permissions")
    .description("Show the permissions the engine runs under, and why");
  addAnchorOptions(command)
    .option("--db <file>", "as for serve")
    .option("--host <address>", "as for serve")
    .option("--port <number>", "as for serve")
    .option("--allow-insecure-bind", "as for serve")
    .option("--tighten", "show what could be narrower, and the [egress] that pins this graph")
    .option("--audit <file>", "hold the runtime's log of an engine that ran against them")
    .option("--json", "as JSON, with --tighten and --audit too")
    .option("--format <format>", "table, flags, json, systemd or container", "table");
  command.runs(async (options: PermissionsOptions) => {
    try {
      if (options.tighten === true) {
        const { showTightenings } = await import("./tighten.ts");
        return await showTightenings(options, context);
      }
      return await showPermissions(options, context);
    } catch (thrown) {
      const isJson = options.json === true || options.format === "json";
      if (isJson) context.terminal.out(JSON.stringify({ error: errorText(thrown) }));
      else tellError(context.terminal, thrown, context.isDebug);
      return exitCodes.refused;
    }
  });
}

async function showPermissions(
  options: PermissionsOptions,
  context: CliContext,
): Promise<number> {
  const { terminal, env = {} } = context;
  const format = formatOf(options.json === true ? "json" : options.format);
  const { findAnchor } = await import("./anchor.ts");
  const { deriveForInstance } = await import("./serve/instance.ts");
  const { fixedFlags, flagsOf } = await import("./serve/permission_set.ts");
  const anchor = await findAnchor({ options, env, flags: settingFlags(options) });
  const { grants } = await deriveForInstance(anchor, {
    env,
    allowInsecureBind: options.allowInsecureBind === true,
  });
  if (options.audit !== undefined) {
    const { auditPermissions } = await import("./permission_audit.ts");
    const given = { file: options.audit, isJson: options.json === true };
    return await auditPermissions(grants, given, context);
  }
  const flags = flagsOf(grants);
  if (format === "flags") terminal.out(flags.join(" "));
  else if (format === "json") terminal.out(JSON.stringify({ flags, grants }));
  else if (format === "systemd" || format === "container") {
    const { deploymentOf } = await import("./serve/deployment.ts");
    const { settings } = anchor.loaded;
    const deployment = deploymentOf({ settings, options, grants, flags });
    if (deployment.programDir === undefined) terminal.err(FROM_A_CHECKOUT);
    const { systemdUnit } = await import("./serve/systemd_unit.ts");
    const { containerFile } = await import("./serve/container_file.ts");
    terminal.out(format === "systemd" ? systemdUnit(deployment) : containerFile(deployment));
  } else {
    const rows = grants.map(({ kind, action, value, reason }) =>
      [`--${action}-${kind}`, value, reason] as const
    );
    const widths = [0, 1].map((column) =>
      Math.max(...rows.map((row) => row[column as 0 | 1].length))
    );
    for (const [flag, value, reason] of rows) {
      terminal.out(
        `${flag.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${reason}`,
      );
    }
    terminal.out(`${fixedFlags.join(" ")}  always`);
    terminal.out("--ignore-env  other variables read as unset");
  }
  return exitCodes.ok;
}

function formatOf(given: string): (typeof formats)[number] {
  const found = formats.find((format) => format === given);
  if (found !== undefined) return found;
  throw new CommandFailure(`Unknown format "${given}"`, {
    exitCode: exitCodes.refused,
    hint: 'Use "table", "flags", "json", "systemd" or "container"',
  });
}
