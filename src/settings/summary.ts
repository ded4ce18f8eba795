/** What the declarations say, for people: the startup summary and the reference page. */
import { catalogue, type Settings } from "./catalogue.ts";
import { wanted } from "./coerce.ts";
import { type KeySpec, propertyName, variableName } from "./declaration.ts";
import type { LoadedSettings } from "./load.ts";
import { Secret } from "./secret.ts";

/**
 * Returns one line a value that somebody set: `api.port = 9000 (environment)`. Secrets are `***`,
 * times are shown in the unit of their key.
 */
export function settingsSummary({ settings, sources }: LoadedSettings): readonly string[] {
  const lines: string[] = [];
  for (const section of catalogue) {
    for (const [key, spec] of Object.entries(section.keys)) {
      const source = sources[`${section.name}.${key}`];
      if (source === undefined || source === "default") continue;
      const value = valueAt(settings, { section: section.name, key, spec });
      lines.push(`${section.name}.${key} = ${shown(value, spec)} (${source})`);
    }
  }
  return lines;
}

function valueAt(
  settings: Settings,
  { section, key, spec }: { section: string; key: string; spec: KeySpec },
): unknown {
  const property = section.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const values = (settings as unknown as Record<string, Record<string, unknown>>)[property];
  return values?.[propertyName(key, spec)];
}

function shown(value: unknown, spec: KeySpec): string {
  if (value instanceof Secret) return "***";
  const inSeconds = "unit" in spec && spec.unit === "seconds" && typeof value === "number";
  return JSON.stringify(inSeconds ? value / 1000 : value) ?? "unset";
}

/** Returns docs/reference/settings.md: every key with type, default, variable and help. */
export function settingsReference(): string {
  const parts = ["# Settings\n"];
  for (const { name, help, keys } of catalogue) {
    parts.push(
      `## [${name}]\n\n${help}\n\n| Key | Takes | Default | Variable | Meaning |\n|---|---|---|---|---|`,
    );
    for (const [key, spec] of Object.entries(keys)) {
      parts.push(
        `| ${row(name, key, spec).map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
      );
    }
    parts.push("");
  }
  return parts.join("\n");
}

function row(section: string, key: string, spec: KeySpec): string[] {
  const fallback = spec.type === "tables" ? [] : spec.default;
  const notes = [
    spec.help,
    spec.secret ? "Environment only." : "",
    spec.flag === undefined ? "" : `Flag \`${spec.flag}\`.`,
    spec.inEffect ? "" : "Not in effect yet.",
  ];
  return [
    `\`${key}\``,
    wanted(spec),
    fallback === undefined ? "–" : `\`${JSON.stringify(fallback)}\``,
    `\`${variableName(section, key)}\``,
    notes.filter((note) => note !== "").join(" "),
  ];
}
