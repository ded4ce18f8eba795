/**
 * `deno task docs`: writes the pages that follow from declarations in the source.
 *
 * Settings come from `src/settings`, connection keys from `src/authoring/connectors`, commands from
 * `src/cli`. `tests/docs/reference_test.ts` fails when a page is not what this would write.
 */
import type {
  SettingDirection,
  SettingSpec,
  TransportSchema,
} from "../src/authoring/connectors/schema.ts";
import { buildProgram } from "../src/cli/program.ts";
import type { Terminal } from "../src/cli/terminal.ts";
import { databaseRefSchema, transports } from "../src/graph/mod.ts";
import { settingsReference } from "../src/settings/mod.ts";

/** Every generated page by its path from the repository's root. */
export function generatedPages(): Readonly<Record<string, string>> {
  return {
    "docs/reference/settings.md": settingsPage(),
    "docs/reference/connectors.md": connectorsPage(),
    "docs/reference/cli.md": cliPage(),
  };
}

function settingsPage(): string {
  const intro = `# Settings

Every key of \`messagefoundry.toml\`. A flag wins over its variable, the variable over the file, the
file over the default. A key that is not declared here is refused at start, with its line. Secrets are
taken from variables only and shown as \`***\`. "Not in effect yet" means accepted, checked, warned
about, and read by nothing.
`;
  return settingsReference().replace(/^# Settings\n/, intro);
}

function connectorsPage(): string {
  const parts = [`# Connection settings

What \`mllp({ … })\`, \`file({ … })\` and \`loopback()\` take, as TypeScript writes it (\`timeoutSeconds\`); in
\`connections.toml\` the same keys are \`timeout_seconds\`. Times are seconds, sizes bytes. Every value
may be an \`env("key")\` instead; where the table says "secret" it has to be one. A \`null\` switches a
nullable setting off, and so does 0 for a number.

Options of the connection itself (\`router\`, \`retry\`, \`ordering\`, …) stand in
[Routers and handlers](../authoring/routers_and_handlers.md) and
[Connections](../authoring/connections.md).
`];
  for (const schema of transports.values()) {
    for (const [direction, title] of [["in", "inbound"], ["out", "outbound"]] as const) {
      if (direction === "out" && schema.inboundOnly === true) continue;
      parts.push(`## ${schema.type}, ${title}\n\n${tableOf(schema, direction)}\n`);
    }
  }
  parts.push(`## databaseRef

What \`databaseRef({ … })\` takes, of a [reference set](../authoring/references.md#from-a-database).

${tableOf(databaseRefSchema, "in")}
`);
  return parts.join("\n");
}

function tableOf({ settings }: TransportSchema, direction: SettingDirection): string {
  if (settings.length === 0) return "Has no settings.";
  const rows = settings
    .filter((spec) => spec.direction === "both" || spec.direction === direction)
    .map((spec) =>
      `| \`${camelCase(spec.key)}\` | ${takes(spec)} | ${fallback(spec)} | ${spec.help} |`
    );
  return ["| Setting | Takes | Default | Meaning |", "|---|---|---|---|", ...rows].join("\n");
}

function takes({ type, enum: values, min, max, nullable, secret }: SettingSpec): string {
  const base = values === undefined
    ? { string: "text", integer: "whole number", number: "number", boolean: "true or false" }[
      type as "string"
    ] ?? type
    : values.map((value) => `\`"${value}"\``).join(" or ");
  const bounds = min !== undefined && max !== undefined
    ? `${min} to ${max}`
    : min !== undefined
    ? `from ${min}`
    : "";
  return [base, bounds, nullable ? "or `null`" : "", secret ? "secret" : ""]
    .filter((part) => part !== "").join(", ");
}

function fallback({ required, default: value }: SettingSpec): string {
  if (required) return "required";
  return value === undefined ? "–" : `\`${JSON.stringify(value)}\``;
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const silent: Terminal = {
  out: () => {},
  err: () => {},
  progress: () => {},
  isInteractive: false,
  style: (_, text) => text,
  styleError: (_, text) => text,
};

function cliPage(): string {
  const parts = [`# Commands

\`deno task messagefoundry <command>\` in a checkout; \`messagefoundry <command>\` in the archive that
\`deno task bundle\` makes. \`deno task serve\` is \`serve\` under the launcher's own permissions.

| exit code | meaning |
|---|---|
| 0 | done, or a clean stop |
| 1 | failed: problems were found, a stop was cut short |
| 2 | refused: arguments, settings or permissions that cannot be |
| 3 | the engine could not start: its graph, its store |

Errors of \`serve\` go to standard error, as one sentence and a hint; so do those of \`permissions\`,
\`settings\`, \`ai-policy\`, \`rotate-key\`, \`audit-verify\` and \`admin\`, with \`--json\` on standard output as
\`{"error": "…"}\`. Commands that editors call
(\`validate\`, \`check\`, \`graph\`, \`connection\`, \`codeset\`, \`alert\`, \`dryrun\`, \`generate\`, \`init\`) print their result on standard output
whatever the exit code is; with \`--json\` it is one line, an error being \`{"error": "…"}\`.
`];
  const program = buildProgram({ terminal: silent, args: [], env: {}, isDebug: false });
  for (const command of program.commands) {
    parts.push(`## ${command.name()}\n\n${command.description()}.\n`);
    const given = command.registeredArguments.map((argument) => {
      const name = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
      return `| \`${name}\` | ${argument.description} |`;
    });
    const shown = command.options.filter(({ hidden }) => !hidden);
    const options = shown.map(({ flags, description, defaultValue }) => {
      const standard = typeof defaultValue === "string" ? ` (default \`${defaultValue}\`)` : "";
      return `| \`${flags}\` | ${description}${standard} |`;
    });
    const rows = [...given, ...options];
    if (rows.length > 0) parts.push(["| Option | Meaning |", "|---|---|", ...rows, ""].join("\n"));
  }
  return parts.join("\n");
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(generatedPages())) {
    await Deno.writeTextFile(new URL(`../${path}`, import.meta.url), text);
    console.log(path);
  }
}
