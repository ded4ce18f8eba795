/** What the declarations say, for people: the values that hold and the reference page. */
import { catalogue, type Settings } from "./catalogue.ts";
import { wanted } from "./coerce.ts";
import {
  camelName,
  type KeySpec,
  propertyName,
  type SectionKeys,
  variableName,
} from "./declaration.ts";
import type { LoadedSettings, SettingSource } from "./load.ts";
import { Secret } from "./secret.ts";

/** One key as it stands: what holds, and who said so. Times are in the unit of the key. */
export interface SettingRow {
  readonly section: string;
  readonly key: string;
  /** Null when the key is unset; `***` for a secret that is set, `https://host/***` for an address. */
  readonly value: unknown;
  /** Null for a key without a default. */
  readonly default: unknown;
  readonly source: SettingSource;
  readonly secret: boolean;
  readonly in_effect: boolean;
}

/** Returns every key of the catalogue with its effective value, in the order of the reference. */
export function settingRows({ settings, sources }: LoadedSettings): readonly SettingRow[] {
  return catalogue.flatMap(({ name: section, keys }) =>
    Object.entries(keys).map(([key, spec]) => ({
      section,
      key,
      value: shownValue(valueAt(settings, { section, key, spec }), spec),
      default: spec.type === "tables" ? [] : spec.default ?? null,
      source: sources[`${section}.${key}`] ?? "default",
      secret: spec.secret === true,
      in_effect: spec.inEffect,
    }))
  );
}

/** Returns the value of a row for people: as the file writes it, `***`, or `unset`. */
export function settingText({ value, secret }: SettingRow): string {
  if (value === null) return "unset";
  return secret ? String(value) : JSON.stringify(value);
}

/**
 * Returns one line a value that somebody set: `api.port = 9000 (environment)`. Secrets are `***`,
 * times are shown in the unit of their key.
 */
export function settingsSummary(loaded: LoadedSettings): readonly string[] {
  return settingRows(loaded)
    .filter(({ source }) => source !== "default")
    .map((row) => `${row.section}.${row.key} = ${settingText(row)} (${row.source})`);
}

function valueAt(
  settings: Settings,
  { section, key, spec }: { section: string; key: string; spec: KeySpec },
): unknown {
  const values = (settings as unknown as Record<string, Record<string, unknown>>)[
    camelName(section)
  ];
  return values?.[propertyName(key, spec)];
}

/** Turns what rooms read back into what the operator writes. */
function shownValue(value: unknown, spec: KeySpec): unknown {
  if (value === undefined) return null;
  if (value instanceof Secret) return value.toString();
  if (spec.type === "string" && spec.isSecretAddress) return shownAddress(String(value));
  if (spec.type === "tables") {
    return (value as readonly Readonly<Record<string, unknown>>[]).map((table) =>
      Object.fromEntries(
        Object.entries(spec.keys).map(([key, inner]) => [
          key,
          shownValue(table[propertyName(key, inner)], inner),
        ]),
      )
    );
  }
  const inSeconds = "unit" in spec && spec.unit === "seconds" && typeof value === "number";
  return inSeconds ? value / 1000 : value;
}

/** Its path and query may be all that its owner asks for. */
function shownAddress(address: string): string {
  const url = URL.parse(address);
  return url === null ? "***" : `${url.origin}/***`;
}

/** Returns docs/reference/settings.md: every key with type, default, variable and help. */
export function settingsReference(): string {
  const parts = ["# Settings\n"];
  for (const { name, help, keys } of catalogue) {
    parts.push(
      `## [${name}]\n\n${help}\n`,
      ...tableOf(["Key", "Takes", "Default", "Variable", "Meaning"], keys, (key, spec) => {
        const { takes, fallback, notes } = described(spec);
        const variable = spec.type === "tables" ? "–" : `\`${variableName(name, key)}\``;
        return [`\`${key}\``, takes, fallback, variable, notes];
      }),
      "",
    );
    for (const [key, spec] of Object.entries(keys)) {
      if (spec.type !== "tables") continue;
      parts.push(
        `### [[${name}.${key}]]\n`,
        ...tableOf(["Key", "Takes", "Default", "Meaning"], spec.keys, (inner, innerSpec) => {
          const { takes, fallback, notes } = described(innerSpec);
          return [`\`${inner}\``, takes, fallback, notes];
        }),
        "",
      );
    }
  }
  return parts.join("\n");
}

function tableOf(
  titles: readonly string[],
  keys: SectionKeys,
  cells: (key: string, spec: KeySpec) => readonly string[],
): readonly string[] {
  const line = (row: readonly string[]) =>
    `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(titles),
    `|${titles.map(() => "---").join("|")}|`,
    ...Object.entries(keys).map(([key, spec]) => line(cells(key, spec))),
  ];
}

function described(spec: KeySpec): { takes: string; fallback: string; notes: string } {
  const fallback = spec.type === "tables" ? [] : spec.default;
  const notes = [
    spec.help,
    spec.secret ? "Environment only." : "",
    spec.flag === undefined ? "" : `Flag \`${spec.flag}\`.`,
    spec.inEffect ? "" : "Not in effect yet.",
  ];
  return {
    takes: wanted(spec),
    fallback: fallback === undefined ? "–" : `\`${JSON.stringify(fallback)}\``,
    notes: notes.filter((note) => note !== "").join(" "),
  };
}
