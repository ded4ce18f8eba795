/**
 * Strict validation: holds one message against what its own HL7 version says, first problem only.
 *
 * Source: HL7 v2.1 to v2.7.1, chapter 2 for rules, chapters 3 to 15 for definitions. The reason
 * names a path and never a value: it goes into an ERROR row and an acknowledgement.
 */

import { type Delimiters, findMsh, readDelimiters } from "../delimiters.ts";
import { type Definitions, definitionsOf } from "./definitions.ts";
import { checkSegment } from "./fields.ts";
import type { Grammar, GrammarState } from "./grammar.ts";

/** Valid, or the first problem as `OBX[2]-11: required field empty`. */
export type StrictResult =
  | { readonly ok: true; readonly version: string }
  | { readonly ok: false; readonly version: string | undefined; readonly error: string };

export interface StrictOptions {
  /** The connection's `hl7_version`: MSH-12 must equal it. */
  readonly hl7Version?: string;
}

/**
 * Validates the text of one message; line ends may be CR, LF or both.
 *
 * Checks, in this order: version, structure, then segment by segment order and cardinality, required
 * fields, repetitions, lengths, data types and HL7-defined codes. Z-segments are passed over.
 * `version` is undefined when MSH-12 names none that is known.
 */
export function validateStrict(text: string, options: StrictOptions = {}): StrictResult {
  const at = findMsh(text);
  if (at < 0) return { ok: false, version: undefined, error: "MSH: required segment missing" };
  const delimiters = readDelimiters(text, at);
  if (delimiters === undefined) {
    return { ok: false, version: undefined, error: "MSH-1: not a delimiter" };
  }
  if (!delimiters.isComplete) {
    return { ok: false, version: undefined, error: "MSH-2: four distinct delimiters required" };
  }
  const lines = text.slice(at).split(text.indexOf("\n", at) < 0 ? "\r" : /\r\n?|\n/);
  const header = fieldsOf(lines[0] as string, delimiters);
  const version = firstComponent(header[11], delimiters);
  const definitions = definitionsOf(version);
  if (definitions === undefined) {
    const reason = version === "" ? "required field empty" : "version not supported";
    return { ok: false, version: undefined, error: `MSH-12: ${reason}` };
  }
  if (options.hl7Version !== undefined && options.hl7Version !== version) {
    return { ok: false, version, error: "MSH-12: not the version this connection expects" };
  }
  const error = findFault(lines, header, { definitions, delimiters });
  return error === undefined ? { ok: true, version } : { ok: false, version, error };
}

interface Context {
  readonly definitions: Definitions;
  readonly delimiters: Delimiters;
}

function findFault(
  lines: readonly string[],
  header: readonly string[],
  context: Context,
): string | undefined {
  const { definitions, delimiters } = context;
  const structure = structureOf(header, context);
  const grammar = structure === undefined ? undefined : definitions.grammar(structure);
  if (structure === undefined || grammar === undefined) {
    return header[8] === undefined || header[8] === ""
      ? "MSH-9: required field empty"
      : "MSH-9: unknown message structure";
  }
  let state = grammar.start;
  const occurrences = new Map<string, number>();
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as string;
    if (line === "" || line.trim() === "") continue;
    const id = line.slice(0, 3);
    if (id.startsWith("Z")) continue;
    if (definitions.segment(id) === undefined || !isParted(line, delimiters)) {
      return `Segment ${index + 1}: not a segment of this version`;
    }
    const occurrence = (occurrences.get(id) ?? 0) + 1;
    occurrences.set(id, occurrence);
    const place = occurrence === 1 ? id : `${id}[${occurrence}]`;
    const next = grammar.step(state, id);
    if (next === undefined) return misplaced(place, id, { grammar, state, structure });
    state = next;
    const values = index === 0 ? header : fieldsOf(line, delimiters);
    const fault = checkSegment(id, values, context);
    if (fault !== undefined) return place + fault;
  }
  if (state.accepting) return undefined;
  return `${grammar.missingBefore(state, undefined) ?? structure}: required segment missing`;
}

function misplaced(
  place: string,
  id: string,
  { grammar, state, structure }: { grammar: Grammar; state: GrammarState; structure: string },
): string {
  if (!grammar.mentions(id)) return `${place}: segment not allowed in ${structure}`;
  const missing = grammar.missingBefore(state, id);
  return missing === undefined
    ? `${place}: segment out of order or repeated too often`
    : `${missing}: required segment missing before ${place}`;
}

/** Names the structure from MSH-9.3, else from code and trigger event. */
function structureOf(
  header: readonly string[],
  { definitions, delimiters }: Context,
): string | undefined {
  const [code = "", trigger = "", structure = ""] = (header[8] ?? "").split(delimiters.component);
  return structure === "" ? definitions.structureOf(code, trigger) : structure;
}

/** Splits a segment into its fields, the first at index 0; MSH-1 is the delimiter itself. */
function fieldsOf(line: string, { field }: Delimiters): string[] {
  const fields = line.split(field);
  if (line.startsWith("MSH")) fields[0] = field;
  else fields.shift();
  return fields;
}

function isParted(line: string, { field }: Delimiters): boolean {
  return line.length === 3 || line.startsWith(field, 3);
}

function firstComponent(value: string | undefined, { component }: Delimiters): string {
  if (value === undefined) return "";
  const end = value.indexOf(component);
  return end < 0 ? value : value.slice(0, end);
}
