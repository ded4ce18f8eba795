/**
 * What one HL7 version says of segments, types, structures and codes, compiled when first asked for.
 *
 * The files in `data/` hold the facts; `data/build.ts` tells where they come from and explains their
 * notation.
 */

import { Grammar } from "./grammar.ts";
import { type Shape, shapes } from "./shapes.ts";
import tables from "./data/tables.json" with { type: "json" };
import v21 from "./data/v2_1.json" with { type: "json" };
import v22 from "./data/v2_2.json" with { type: "json" };
import v23 from "./data/v2_3.json" with { type: "json" };
import v231 from "./data/v2_3_1.json" with { type: "json" };
import v24 from "./data/v2_4.json" with { type: "json" };
import v25 from "./data/v2_5.json" with { type: "json" };
import v251 from "./data/v2_5_1.json" with { type: "json" };
import v26 from "./data/v2_6.json" with { type: "json" };
import v27 from "./data/v2_7.json" with { type: "json" };
import v271 from "./data/v2_7_1.json" with { type: "json" };

interface Stored {
  readonly types: Readonly<Record<string, string>>;
  readonly segments: Readonly<Record<string, string>>;
  readonly structures: Readonly<Record<string, string>>;
  readonly events: Readonly<Record<string, string>>;
}

/** A data type; without components it is a primitive. */
export interface DataType {
  readonly name: string;
  readonly components: readonly Element[];
  /** Index after the last required component. */
  readonly requiredEnd: number;
  /** Undefined when any text will do. */
  readonly shape: Shape | undefined;
  /** True when nothing is known of the inside: VARIES, timing expressions, much of 2.1. */
  readonly isOpen: boolean;
}

/** A field of a segment or a component of a type. */
export interface Element {
  readonly type: DataType;
  readonly isRequired: boolean;
  /** Withdrawn elements may hold what an older version put there. */
  readonly isWithdrawn: boolean;
  readonly repetitionsMax: number;
  readonly lengthMax: number;
  readonly codes: ReadonlySet<string> | undefined;
}

/** The fields of one segment. */
export interface SegmentDefinition {
  /** The first at index 0. */
  readonly fields: readonly Element[];
  /** Index after the last required field. */
  readonly requiredEnd: number;
}

const stored: Readonly<Record<string, Stored>> = {
  "2.1": v21,
  "2.2": v22,
  "2.3": v23,
  "2.3.1": v231,
  "2.4": v24,
  "2.5": v25,
  "2.5.1": v251,
  "2.6": v26,
  "2.7": v27,
  "2.7.1": v271,
};

/** Versions that can be validated, oldest first. */
export const supportedVersions: readonly string[] = Object.keys(stored);

const openTypes = new Set(["VARIES", "CM", "GTS"]);

/** Version 2.1 calls locations, names of staff and more ID, and shows them with components. */
const openTypesOf21 = new Set([...openTypes, "ID"]);

/** The table of OBX-2: every data type of the version, and what older ones called theirs. */
const valueTypes = "125";

/** Types that OBX-2 may not name. Source: HL7 v2.5.1 §7.4.2.2. */
const neverObserved = new Set(["CM", "CQ", "SI", "ID", "VARIES"]);

const notation = /^(\w+)(!?)(\*\d*)?(-?)(?::(\d+))?(?:#(\d+))?$/;

/** The definitions of one version; each part is compiled at its first use and kept. */
export class Definitions {
  readonly #stored: Stored;
  readonly #openTypes: ReadonlySet<string>;
  readonly #types = new Map<string, DataType>();
  readonly #segments = new Map<string, SegmentDefinition>();
  readonly #grammars = new Map<string, Grammar>();
  #valueTypes: ReadonlySet<string> | undefined;

  constructor(version: string) {
    this.#stored = stored[version] as Stored;
    this.#openTypes = version === "2.1" ? openTypesOf21 : openTypes;
  }

  /** Returns the fields of segment `id`. */
  segment(id: string): SegmentDefinition | undefined {
    const known = this.#segments.get(id);
    if (known !== undefined || !Object.hasOwn(this.#stored.segments, id)) return known;
    const fields = this.#elements(this.#stored.segments[id] as string);
    const segment = { fields, requiredEnd: requiredEndOf(fields) };
    this.#segments.set(id, segment);
    return segment;
  }

  /** Returns the type that OBX-2, or MFE-5 likewise, may name. */
  observedType(name: string): DataType | undefined {
    if (!this.#codes(valueTypes).has(name)) return undefined;
    // Older types live on in OBX-2; what is not defined any more is taken as it comes.
    return Object.hasOwn(this.#stored.types, name) ? this.#type(name) : openType(name);
  }

  /** Returns the name of the structure that code and trigger event use. */
  structureOf(code: string, trigger: string): string | undefined {
    const event = `${code}_${trigger}`;
    if (Object.hasOwn(this.#stored.events, event)) return this.#stored.events[event];
    if (Object.hasOwn(this.#stored.structures, event)) return event;
    // An acknowledgment has one structure whatever it answers; some old messages have no trigger.
    const stands = (code === "ACK" || trigger === "") &&
      Object.hasOwn(this.#stored.structures, code);
    return stands ? code : undefined;
  }

  /** Returns the grammar of the structure `name`. */
  grammar(name: string): Grammar | undefined {
    const known = this.#grammars.get(name);
    if (known !== undefined || !Object.hasOwn(this.#stored.structures, name)) return known;
    const grammar = new Grammar(this.#stored.structures[name] as string);
    this.#grammars.set(name, grammar);
    return grammar;
  }

  /** Names every segment and structure, for tests and the schema. */
  get names(): { readonly segments: readonly string[]; readonly structures: readonly string[] } {
    const { segments, structures } = this.#stored;
    return { segments: Object.keys(segments), structures: Object.keys(structures) };
  }

  #elements(list: string): Element[] {
    return list === "" ? [] : list.split(" ").map((text) => this.#element(text));
  }

  #element(text: string): Element {
    const parts = notation.exec(text);
    if (parts === null) throw new SyntaxError(`Malformed definition "${text}"`);
    const [, type, required, repeats, withdrawn, length, table] = parts;
    return {
      type: this.#type(type as string),
      isRequired: required === "!",
      isWithdrawn: withdrawn === "-",
      repetitionsMax: repeats === undefined ? 1 : Number(repeats.slice(1)) || Infinity,
      lengthMax: length === undefined ? Infinity : Number(length),
      codes: table === undefined ? undefined : this.#codes(table),
    };
  }

  #codes(table: string): ReadonlySet<string> {
    if (table !== valueTypes) return codesOf(table);
    this.#valueTypes ??= new Set([
      ...codesOf(table),
      ...Object.keys(this.#stored.types).filter((name) => !neverObserved.has(name)),
    ]);
    return this.#valueTypes;
  }

  #type(name: string): DataType {
    const known = this.#types.get(name);
    if (known !== undefined) return known;
    const components: Element[] = [];
    const isOpen = this.#openTypes.has(name);
    const type = { name, components, requiredEnd: 0, shape: shapes[name], isOpen };
    // Kept before its components are read, for a type may lie inside itself.
    this.#types.set(name, type);
    components.push(...this.#elements(this.#stored.types[name] ?? ""));
    type.requiredEnd = requiredEndOf(components);
    // Before 2.5 the time in TS was called a string.
    const [time] = components;
    if (name === "TS" && time !== undefined) {
      components[0] = { ...time, type: { ...time.type, name: "DTM", shape: shapes.DTM } };
    }
    return type;
  }
}

function requiredEndOf(elements: readonly Element[]): number {
  return elements.findLastIndex(({ isRequired }) => isRequired) + 1;
}

const codeSets = new Map<string, ReadonlySet<string>>();

function codesOf(table: string): ReadonlySet<string> {
  let codes = codeSets.get(table);
  if (codes === undefined) {
    codes = new Set((tables as Record<string, string>)[table]?.split("|"));
    codeSets.set(table, codes);
  }
  return codes;
}

function openType(name: string): DataType {
  return { name, components: [], requiredEnd: 0, shape: undefined, isOpen: true };
}

// The data never changes, so one compiled copy serves every call of this thread.
const compiled = new Map<string, Definitions>();

/** Returns the definitions of `version`, or undefined when it is not supported. */
export function definitionsOf(version: string): Definitions | undefined {
  const known = compiled.get(version);
  if (known !== undefined || !Object.hasOwn(stored, version)) return known;
  const definitions = new Definitions(version);
  compiled.set(version, definitions);
  return definitions;
}
