/**
 * Builds the settings: flag > environment variable > file > default, for every declared key.
 *
 * Nothing here reads the world: the caller hands in the text of the file and the variables. All
 * problems are collected and thrown together, so one run shows everything there is to correct.
 */
import { parse, TomlError } from "@std/toml";
import { adviceOn } from "./advice.ts";
import { catalogue, type Settings } from "./catalogue.ts";
import { checks } from "./checks.ts";
import { coerce, defaultOf, type Fault, isTable } from "./coerce.ts";
import {
  camelName,
  type KeySpec,
  propertyName,
  type SectionSpec,
  variableName,
} from "./declaration.ts";
import { nearest } from "./nearest.ts";
import { withDerivedPosture } from "./posture.ts";
import { SettingsError, type SettingsProblem } from "./settings_error.ts";
import { type TomlLines, tomlLines } from "./toml_lines.ts";

export type SettingSource = "flag" | "environment" | "file" | "default" | "derived";

export interface SettingsInput {
  /** By `"section.key"`: `{ "api.port": "8765" }`; undefined means the flag was not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Environment variables; only those starting with `MEFOR_` are looked at. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Path as shown in errors, and the text of the settings file or why there is none. */
  readonly file?:
    | { readonly path: string; readonly text: string }
    | { readonly path: string; readonly fault: string };
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Where each value came from, by `"section.key"`. */
  readonly sources: Readonly<Record<string, SettingSource>>;
  /** Sentences for the operator: keys that are accepted but not in effect, likely typos. */
  readonly warnings: readonly string[];
}

/**
 * Loads and checks every section.
 * @throws {SettingsError} `settings.invalid`, with every problem found.
 */
export function loadSettings(input: SettingsInput): LoadedSettings {
  const loader = new Loader(input);
  return loader.load();
}

class Loader {
  readonly #flags: Readonly<Record<string, unknown>>;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #file: string | undefined;
  readonly #problems: SettingsProblem[] = [];
  readonly #warnings: string[] = [];
  readonly #sources: Record<string, SettingSource> = {};
  /** `camelCase` names of sections and keys whose value is not what stands in `settings`. */
  readonly #faulty = new Set<string>();
  #isReadable = true;
  #tables: Record<string, unknown> = {};
  #lines: TomlLines | undefined;

  constructor({ flags = {}, env = {}, file }: SettingsInput) {
    this.#flags = flags;
    this.#env = env;
    this.#file = file?.path;
    if (file === undefined) return;
    if ("text" in file) this.#parse(file.text);
    else {
      this.#isReadable = false;
      this.#problems.push({ message: file.fault, file: file.path });
    }
  }

  load(): LoadedSettings {
    this.#refuseUnknownFileKeys();
    this.#refuseUnknownVariables();
    this.#refuseUnknownFlags();
    const sections: Record<string, unknown> = {};
    for (const section of catalogue) {
      sections[camelName(section.name)] = this.#section(section);
    }
    const settings = this.#derive(sections as unknown as Settings);
    if (this.#isReadable) this.#check(settings);
    if (this.#problems.length > 0) throw new SettingsError(this.#problems);
    this.#warnings.push(...adviceOn(settings));
    return {
      settings,
      sources: Object.freeze(this.#sources),
      warnings: Object.freeze(this.#warnings),
    };
  }

  #parse(text: string): void {
    try {
      this.#tables = parse(text) as Record<string, unknown>;
      this.#lines = tomlLines(text);
    } catch (thrown) {
      if (!(thrown instanceof TomlError)) throw thrown;
      this.#isReadable = false;
      // Only the first line: what follows quotes the file, which may hold a secret.
      const reason = thrown.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "";
      const { section, key } = placeAt(text, thrown.line);
      const name = section === undefined ? "" : `[${section}]${key === undefined ? "" : ` ${key}`}`;
      const isTwice = name !== "" && /redefine/.test(reason);
      this.#problems.push({
        message: isTwice
          ? `${name} stands twice`
          : `Cannot read the settings file${name && ` at ${name}`}: ${reason}`,
        section,
        key,
        file: this.#file,
        line: thrown.line,
      });
    }
  }

  #section(section: SectionSpec): Readonly<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    for (const [key, spec] of Object.entries(section.keys)) {
      values[propertyName(key, spec)] = this.#value(section.name, key, spec);
    }
    return Object.freeze(values);
  }

  #value(section: string, key: string, spec: KeySpec): unknown {
    const name = `${section}.${key}`;
    const variable = variableName(section, key);
    const inFile = this.#fileValue(section, key);
    if (spec.secret && inFile !== undefined) {
      this.#problems.push({
        ...this.#place(section, key),
        message: `[${section}] ${key} is a secret and may not stand in the file: set ${variable}`,
      });
    }
    if (this.#flags[name] !== undefined) {
      const label = spec.flag === undefined ? `flag for ${name}` : `flag "${spec.flag}"`;
      return this.#read({ section, key, spec, raw: this.#flags[name], source: "flag", label });
    }
    // An empty variable is one that is not set: a lock in the file stays locked.
    if (this.#env[variable] !== undefined && this.#env[variable] !== "") {
      const raw = this.#env[variable];
      return this.#read({ section, key, spec, raw, source: "environment", label: variable });
    }
    if (inFile !== undefined && !spec.secret) {
      return this.#read({ section, key, spec, raw: inFile, source: "file", label: undefined });
    }
    this.#sources[name] = "default";
    return defaultOf(spec);
  }

  #read(given: {
    section: string;
    key: string;
    spec: KeySpec;
    raw: unknown;
    source: SettingSource;
    label: string | undefined;
  }): unknown {
    const { section, key, spec, raw, source, label } = given;
    this.#sources[`${section}.${key}`] = source;
    const result = coerce(spec, raw, source === "file" ? "toml" : "text");
    if (!result.ok) {
      const from = label === undefined ? "" : ` (from ${label})`;
      for (const fault of result.faults) {
        const place = label === undefined
          ? this.#place(section, key, fault.path)
          : { section, key };
        this.#problems.push({ ...place, message: `${faultText(given, fault)}${from}` });
      }
      this.#faulty.add(`${camelName(section)}.${propertyName(key, spec)}`);
      return defaultOf(spec);
    }
    if (!spec.inEffect) {
      this.#warnings.push(`[${section}] ${key} is accepted but not in effect in this version`);
    }
    return result.value;
  }

  #derive(settings: Settings): Settings {
    const ai = withDerivedPosture(settings.ai);
    if (ai.dataClass !== settings.ai.dataClass) this.#sources["ai.data_class"] = "derived";
    if (ai.production !== settings.ai.production) this.#sources["ai.production"] = "derived";
    return Object.freeze({ ...settings, ai });
  }

  #check(settings: Settings): void {
    for (const check of checks) {
      // A rule that read a value of the wrong type judged the default in its place.
      const { watched, read } = watch(settings);
      const findings = check(watched);
      if (this.#faulty.size > 0 && !read.isDisjointFrom(this.#faulty)) continue;
      for (const { section, key, message, path } of findings) {
        const fromFile = this.#sources[`${section}.${key}`] === "file";
        const place = fromFile ? this.#place(section, key, path) : { section, key };
        this.#problems.push({ ...place, message });
      }
    }
  }

  #refuseUnknownFileKeys(): void {
    for (const [name, table] of Object.entries(this.#tables)) {
      const section = catalogue.find((candidate) => candidate.name === name);
      if (section === undefined) {
        const near = nearest(name, catalogue.map((candidate) => candidate.name));
        const what = isTable(table) ? `section [${name}]` : `key "${name}" outside any section`;
        this.#problems.push({
          ...this.#place(name),
          message: `Unknown ${what}${meant(near === undefined ? undefined : `[${near}]`)}`,
        });
      } else if (!isTable(table)) {
        this.#problems.push({
          ...this.#place(name),
          message: `[${name}] must be a table of keys`,
        });
      } else {
        for (const key of Object.keys(table)) {
          if (Object.hasOwn(section.keys, key)) continue;
          this.#problems.push({
            ...this.#place(name, key),
            message: `Unknown key "${key}" in [${name}]${
              meant(quoted(nearest(key, Object.keys(section.keys))))
            }`,
          });
        }
      }
    }
  }

  /** A variable of a known section with an unknown key is a typo; of no section, maybe. */
  #refuseUnknownVariables(): void {
    for (const variable of Object.keys(this.#env)) {
      if (!variable.startsWith("MEFOR_") || /^MEFOR_(VALUE|ALLOW|TEST)_/.test(variable)) continue;
      const section = sectionOfVariable(variable);
      if (section === undefined) {
        const word = variable.split("_")[1] ?? "";
        const near = nearest(word, catalogue.map(({ name }) => name));
        if (near !== undefined) {
          this.#warnings.push(
            `Variable ${variable} belongs to no section and is ignored${meant(`[${near}]`)}`,
          );
        }
        continue;
      }
      const key = variable.slice(`MEFOR_${section.name}_`.length).toLowerCase();
      if (Object.hasOwn(section.keys, key)) continue;
      const near = nearest(key, Object.keys(section.keys));
      this.#problems.push({
        section: section.name,
        key,
        message: `Unknown variable ${variable}${
          meant(near === undefined ? undefined : variableName(section.name, near))
        }`,
      });
    }
  }

  #refuseUnknownFlags(): void {
    for (const name of Object.keys(this.#flags)) {
      const [section = "", key = ""] = name.split(".");
      const spec = catalogue.find((candidate) => candidate.name === section)?.keys;
      if (spec === undefined || !Object.hasOwn(spec, key)) {
        throw new TypeError(`No settings key "${name}" for a flag`);
      }
    }
  }

  #fileValue(section: string, key: string): unknown {
    const table = Object.hasOwn(this.#tables, section) ? this.#tables[section] : undefined;
    return isTable(table) && Object.hasOwn(table, key) ? table[key] : undefined;
  }

  #place(
    section: string,
    key?: string,
    path: readonly (string | number)[] = [],
  ): Omit<SettingsProblem, "message"> {
    const whole = key === undefined ? [section] : [section, key, ...path];
    return { section, key, file: this.#file, line: this.#lines?.lineOf(whole) };
  }
}

/**
 * Returns the section and key that stand at a line of a text the parser refused, counted from 1.
 * Only declared names: what else looks like a key may be the rest of a secret.
 */
function placeAt(text: string, line: number): { section?: string; key?: string } {
  const lines = text.split("\n").slice(0, line);
  const headers = lines.map((row) => /^\s*\[\s*(\w+)\s*\]/.exec(row)?.[1]);
  const section = catalogue.find(({ name }) => name === headers.findLast(Boolean));
  if (section === undefined) return {};
  const key = /^\s*["']?(\w+)["']?\s*=/.exec(lines.at(-1) ?? "")?.[1] ?? "";
  return { section: section.name, key: Object.hasOwn(section.keys, key) ? key : undefined };
}

function sectionOfVariable(variable: string): SectionSpec | undefined {
  return catalogue
    .filter(({ name }) => variable.startsWith(`MEFOR_${name.toUpperCase()}_`))
    .sort((a, b) => b.name.length - a.name.length)[0];
}

function meant(near: string | undefined): string {
  return near === undefined ? "" : `; is ${near} meant?`;
}

function quoted(word: string | undefined): string | undefined {
  return word === undefined ? undefined : `"${word}"`;
}

function faultText(
  { section, key, spec }: { section: string; key: string; spec: KeySpec },
  fault: Fault,
): string {
  const [index, ...inner] = fault.path;
  const entry = index === undefined ? "" : ` entry ${Number(index) + 1}`;
  const place = `[${section}] ${[key, ...inner].join(" ")}`;
  if ("unknownKey" in fault) {
    return `Unknown key "${fault.unknownKey}" in [[${section}.${key}]]${entry}${
      meant(quoted(fault.near))
    }`;
  }
  const shown = spec.secret ? "" : `, not ${show(fault.raw)}`;
  return `${place}${entry && ` of${entry}`} wants ${fault.wants}${shown}`;
}

/** Returns settings that note which keys are read: `"store.poolSize"`. */
function watch(settings: Settings): { watched: Settings; read: ReadonlySet<string> } {
  const read = new Set<string>();
  const sections = Object.entries(settings).map(([section, values]) => [
    section,
    new Proxy(values as object, {
      get(target, key) {
        read.add(`${section}.${String(key)}`);
        return Reflect.get(target, key);
      },
    }),
  ]);
  return { watched: Object.fromEntries(sections), read };
}

/** Shows a value as the operator wrote it, at most 80 characters. */
function show(value: unknown): string {
  const text = value instanceof Date
    ? "a date"
    : typeof value === "number"
    ? String(value)
    : JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
