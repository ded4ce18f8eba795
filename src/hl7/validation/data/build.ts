/**
 * Builds the definitions in this folder: the facts of npm `hl7-dictionary`, with our corrections.
 *
 * `deno run --allow-read --allow-env --allow-write=src/hl7/validation/data src/hl7/validation/data/build.ts`
 * writes them; a test compares them with what it would write. Nothing at run time imports this file.
 *
 * Notation of a field or component: type, `!` required, `*` repeats without bound, `*3` at most three
 * times, `-` withdrawn, `:20` at most 20 characters, `#119` codes of HL7 table 0119.
 * Notation of a structure: `[optional] {repeating} (group) <one|of|these>`, `*` any segment.
 */

import dictionary from "hl7-dictionary";
import {
  type Correction,
  corrections,
  repetitionsMax,
  repetitionsMaxVersions,
  singleChoices,
  tables,
} from "./corrections.ts";

/** Definitions of one version, as stored; lists are one string, so that each takes one line. */
export interface StoredDefinitions {
  /** Components, parted by spaces; a primitive type has none. */
  readonly types: Record<string, string>;
  /** Fields, parted by spaces. */
  readonly segments: Record<string, string>;
  readonly structures: Record<string, string>;
  /** Structures by code and trigger where the two differ: `"ADT_A04": "ADT_A01"`. */
  readonly events: Record<string, string>;
}

/** Names for people, of fields and components, parted by bars; positions as in the definitions. */
export interface StoredNames {
  readonly types: Record<string, string>;
  readonly segments: Record<string, string>;
}

// The dictionary's own shape, as far as it is read here.
interface Element {
  datatype: string;
  desc: string;
  /** 1 optional, 2 required, 3 conditional, 4 withdrawn. */
  opt: number;
  /** Most repetitions, 0 without bound. */
  rep: number;
  len?: number;
  table?: number;
}
interface Part {
  name: string | null;
  /** 0 or 1. */
  min: number;
  /** 1, or 0 without bound. */
  max: number;
  children?: Part[];
  compounds?: Part[];
}
interface Version {
  fields: Record<string, { subfields?: Element[] }>;
  segments: Record<string, { fields: Element[] }>;
  messages: Record<string, { segments: { segments: Part[] } }>;
}
interface Dictionary {
  definitions: Record<string, Version>;
  tables: Record<string, { values: Record<string, string> } | undefined>;
}

const { definitions, tables: dictionaryTables } = dictionary as unknown as Dictionary;

export const versions: readonly string[] = Object.keys(definitions);

/** Builds the definitions of one version. */
export function buildDefinitions(version: string): StoredDefinitions {
  const source = definitions[version];
  if (source === undefined) throw new RangeError(`Cannot build version ${version}`);
  const types: Record<string, string> = {};
  for (const [name, { subfields }] of sorted(source.fields)) {
    types[name] = (subfields ?? []).map(notation).join(" ");
  }
  const segments: Record<string, string> = {};
  for (const [name, { fields }] of sorted(source.segments)) {
    segments[name] = fields
      .map((field, index) => notation(completed(field, `${name}-${index + 1}`, version)))
      .join(" ");
  }
  const stored = { types, segments, ...buildStructures(source, version) };
  for (const correction of corrections) {
    if (correction.versions.includes(version)) correct(stored, correction);
  }
  return stored;
}

/** Builds the codes of the tables that are checked, parted by bars. */
export function buildTables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tables).map(([number, more]) => {
      const known = Object.keys(dictionaryTables[number]?.values ?? {});
      const codes = new Set([...known, ...more]);
      codes.delete("null");
      return [number, [...codes].sort().join("|")];
    }),
  );
}

/** Builds the names of one version. */
export function buildNames(version: string): StoredNames {
  const source = definitions[version];
  if (source === undefined) throw new RangeError(`Cannot build version ${version}`);
  const names = (elements: readonly Element[]) => elements.map(({ desc }) => desc.trim()).join("|");
  return {
    types: Object.fromEntries(
      sorted(source.fields).map(([name, { subfields }]) => [name, names(subfields ?? [])]),
    ),
    segments: Object.fromEntries(
      sorted(source.segments).map(([name, { fields }]) => [name, names(fields)]),
    ),
  };
}

function sorted<T>(record: Record<string, T>): [string, T][] {
  return Object.entries(record).sort(([one], [other]) => one < other ? -1 : 1);
}

function completed(field: Element, position: string, version: string): Element {
  const most = repetitionsMax[position];
  const lacks = most !== undefined && repetitionsMaxVersions.includes(version) && field.rep === 0;
  return lacks ? { ...field, rep: most } : field;
}

function notation({ datatype, opt, rep, len, table }: Element): string {
  const repeats = rep === 0 ? "*" : rep > 1 ? `*${rep}` : "";
  const checked = datatype === "ID" && table !== undefined && table in tables;
  return datatype + (opt === 2 ? "!" : "") + repeats + (opt === 4 ? "-" : "") +
    (len === undefined ? "" : `:${len}`) + (checked ? `#${table}` : "");
}

function buildStructures(
  source: Version,
  version: string,
): Pick<StoredDefinitions, "structures" | "events"> {
  const byEvent = version >= "2.3.1" ? structuresByEvent() : {};
  const structures: Record<string, string> = {};
  const events: Record<string, string> = {};
  for (const [name, message] of sorted(source.messages)) {
    const shared = byEvent[name];
    if (shared !== undefined && shared in source.messages) continue;
    // 2.6 has the right grammar of some structures under a name with 0 for O, which sorts first.
    const meant = name.replace(/_0(?=\d\d$)/, "_O");
    structures[meant] ??= message.segments.segments.map((part) => grammar(part, meant)).join(" ");
  }
  for (const [event, structure] of sorted(byEvent)) {
    if (structure in structures) events[event] = structure;
  }
  return { structures, events };
}

/** Reads table 0354: `ADT_A01: "A01, A04, A08, A13"`; an event named like its structure is left out. */
function structuresByEvent(): Record<string, string> {
  const byEvent: Record<string, string> = {};
  for (const [structure, events] of Object.entries(dictionaryTables["354"]?.values ?? {})) {
    const [code] = structure.split("_") as [string];
    for (const event of events.match(/\b[A-Z][A-Z0-9]{2}\b/g) ?? []) {
      const name = `${code}_${event}`;
      if (name !== structure) byEvent[name] ??= structure;
    }
  }
  return byEvent;
}

function grammar(part: Part, structure: string): string {
  let { min, max } = part;
  let text: string;
  if (part.children !== undefined) {
    text = `(${part.children.map((child) => grammar(child, structure)).join(" ")})`;
  } else if (part.compounds !== undefined) {
    const names = part.compounds.map(({ name }) => name);
    text = names.includes(null) ? "*" : `<${names.join("|")}>`;
    const single = singleChoices[structure];
    if (single !== undefined) [min, max] = [single ? 1 : 0, 1];
  } else {
    text = part.name === "GenericSegment" || part.name === null ? "*" : part.name;
  }
  if (max !== 1) text = `{${text}}`;
  return min === 0 ? `[${text}]` : text;
}

function correct(stored: StoredDefinitions, correction: Correction): void {
  const { fields = {}, components = {}, structures = {}, events = {} } = correction;
  for (const [path, text] of Object.entries(fields)) place(stored.segments, path.split("-"), text);
  for (const [path, text] of Object.entries(components)) place(stored.types, path.split("."), text);
  Object.assign(stored.structures, structures);
  Object.assign(stored.events, events);
}

function place(lists: Record<string, string>, path: readonly string[], text: string): void {
  const [name, position] = path as [string, string];
  const list = lists[name]?.split(" ");
  if (list?.[Number(position) - 1] === undefined) {
    throw new RangeError(`Cannot correct ${path.join(" ")}: the dictionary does not know it`);
  }
  list[Number(position) - 1] = text;
  lists[name] = list.join(" ");
}

function toText(content: unknown): string {
  return JSON.stringify(content, undefined, 2) + "\n";
}

/** Returns every file of this folder that is built, by name. */
export function buildFiles(): Record<string, string> {
  const files: Record<string, string> = {
    "tables.json": toText(buildTables()),
    "names_2_5_1.json": toText(buildNames("2.5.1")),
  };
  for (const version of versions) {
    const name = `v${version.replaceAll(".", "_")}.json`;
    files[name] = toText(buildDefinitions(version));
  }
  return files;
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(buildFiles())) {
    Deno.writeTextFileSync(new URL(name, import.meta.url), text);
  }
}
