/**
 * Checks one segment against its definition: required fields, repetitions, lengths, shapes, codes.
 *
 * Every function returns what is wrong as a path below its caller's with a reason, `"-3[2].1: …"`,
 * or undefined; never a value, for the value may be a patient's.
 */

import type { Delimiters } from "../delimiters.ts";
import type { DataType, Definitions, Element, SegmentDefinition } from "./definitions.ts";
import { universalIdShapes } from "./shapes.ts";

/** HL7 null: the value is to be deleted. */
const nullValue = '""';

/** Segments whose last defined field may be followed by more of a query's own. */
const openSegments = new Set(["QPD", "RDT"]);

/** Fields, by segment, whose type another field of the segment names: position, and of the name. */
const typedElsewhere: Readonly<Record<string, readonly [value: number, type: number]>> = {
  OBX: [5, 2],
  MFE: [4, 5],
};

/** Checks the segment `id` whose fields, from position 1, are `values`. */
export function checkSegment(
  id: string,
  values: readonly string[],
  { definitions, delimiters }: { definitions: Definitions; delimiters: Delimiters },
): string | undefined {
  const { fields, requiredEnd } = definitions.segment(id) as SegmentDefinition;
  const isHeader = id === "MSH" || id === "FHS" || id === "BHS";
  const typed = typedElsewhere[id];
  const end = Math.min(fields.length, Math.max(values.length, requiredEnd));
  for (let index = 0; index < end; index++) {
    const field = fields[index] as Element;
    const value = values[index];
    if (value === undefined || value === "") {
      if (field.isRequired) return `-${index + 1}: required field empty`;
      continue;
    }
    if (field.isWithdrawn || (isHeader && index < 2)) continue;
    const fault = typed !== undefined && index + 1 === typed[0]
      ? checkTyped(values, { field, typed, definitions, delimiters })
      : checkField(value, field, delimiters);
    if (fault === undefined) continue;
    return fault.startsWith("-") ? fault : `-${index + 1}${fault}`;
  }
  if (openSegments.has(id)) return undefined;
  for (let index = fields.length; index < values.length; index++) {
    if (values[index] !== "") return `-${index + 1}: field not defined in this version`;
  }
  return undefined;
}

function checkTyped(
  values: readonly string[],
  { field, typed: [valueAt, nameAt], definitions, delimiters }: {
    field: Element;
    typed: readonly [number, number];
    definitions: Definitions;
    delimiters: Delimiters;
  },
): string | undefined {
  const name = values[nameAt - 1] ?? "";
  if (name === "") return `-${nameAt}: required field empty`;
  if (name === nullValue) return undefined;
  const type = definitions.observedType(name);
  if (type === undefined) return `-${nameAt}: code not in HL7 table`;
  return checkField(values[valueAt - 1] as string, { ...field, type }, delimiters);
}

function checkField(value: string, field: Element, delimiters: Delimiters): string | undefined {
  if (value.indexOf(delimiters.repetition) < 0) return checkRepetition(value, field, delimiters);
  const repetitions = value.split(delimiters.repetition);
  if (repetitions.length > field.repetitionsMax) return ": too many repetitions";
  for (let index = 0; index < repetitions.length; index++) {
    const fault = checkRepetition(repetitions[index] as string, field, delimiters);
    if (fault !== undefined) return index === 0 ? fault : `[${index + 1}]${fault}`;
  }
  return undefined;
}

function checkRepetition(
  value: string,
  field: Element,
  delimiters: Delimiters,
): string | undefined {
  if (value === "" || value === nullValue) return undefined;
  const { type } = field;
  if (type.isOpen && field.codes === undefined) return checkLength(value, field, delimiters);
  if (type.components.length === 0) {
    if (value.indexOf(delimiters.component) >= 0) return ".2: component not defined for its type";
    return checkPrimitive(value, field, delimiters);
  }
  return checkLength(value, field, delimiters) ?? checkComponents(value, type, delimiters);
}

function checkComponents(
  value: string,
  type: DataType,
  delimiters: Delimiters,
): string | undefined {
  const parts = value.indexOf(delimiters.component) < 0
    ? [value]
    : value.split(delimiters.component);
  const { components } = type;
  const end = Math.min(components.length, Math.max(parts.length, type.requiredEnd));
  for (let index = 0; index < end; index++) {
    const component = components[index] as Element;
    const part = parts[index];
    if (part === undefined || part === "") {
      if (component.isRequired) return `.${index + 1}: required component empty`;
      continue;
    }
    if (part === nullValue || component.isWithdrawn) continue;
    const fault = component.type.components.length === 0
      ? checkPrimitive(part, component, delimiters)
      : checkSubcomponents(part, component, delimiters);
    if (fault !== undefined) return `.${index + 1}${fault}`;
  }
  for (let index = components.length; index < parts.length; index++) {
    if (parts[index] !== "") return `.${index + 1}: component not defined for its type`;
  }
  return checkUniversalId(parts, type.name);
}

function checkSubcomponents(
  value: string,
  component: Element,
  delimiters: Delimiters,
): string | undefined {
  const length = checkLength(value, component, delimiters);
  if (length !== undefined) return length;
  const isSingle = value.indexOf(delimiters.subcomponent) < 0;
  const parts = isSingle ? [value] : value.split(delimiters.subcomponent);
  const { components, name } = component.type;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as string;
    if (part === "" || part === nullValue) continue;
    const element = components[index];
    if (element === undefined) return `.${index + 1}: subcomponent not defined for its type`;
    const fault = element.isWithdrawn
      ? undefined
      : checkPrimitive(part, innermost(element), delimiters);
    if (fault !== undefined) return isSingle ? fault : `.${index + 1}${fault}`;
  }
  return checkUniversalId(parts, name);
}

/** Returns what stands for `element` where no further delimiter is left: its first leaf. */
function innermost(element: Element): Element {
  let leaf = element;
  for (let depth = 0; depth < 4; depth++) {
    const [inner] = leaf.type.components;
    if (inner === undefined) return leaf;
    leaf = inner;
  }
  return leaf;
}

function checkPrimitive(
  value: string,
  { type, codes, lengthMax }: Element,
  delimiters: Delimiters,
): string | undefined {
  if (!type.isOpen && value.indexOf(delimiters.subcomponent) >= 0) {
    return ": subcomponent not defined for its type";
  }
  if (value.length > lengthMax && lengthOf(value, delimiters.escape) > lengthMax) {
    return ": too long";
  }
  if (type.shape !== undefined && !type.shape(value)) return `: not a valid ${type.name}`;
  if (codes !== undefined && !codes.has(value) && !isLocalEvent(value)) {
    return ": code not in HL7 table";
  }
  return undefined;
}

function checkLength(value: string, element: Element, delimiters: Delimiters): string | undefined {
  if (value.length <= element.lengthMax) return undefined;
  return lengthOf(value, delimiters.escape) > element.lengthMax ? ": too long" : undefined;
}

/** Sites name events and codes of their own `Zxx`. Source: HL7 v2.5.1 §2.17. */
function isLocalEvent(value: string): boolean {
  return value.length === 3 && value.startsWith("Z");
}

/** A universal ID and its type come together. Source: HL7 v2.5.1 §2.A.28 (EI), §2.A.33 (HD). */
function checkUniversalId(parts: readonly string[], type: string): string | undefined {
  const at = type === "HD" ? 1 : type === "EI" ? 2 : -1;
  if (at < 0 || parts.length <= at) return undefined;
  const id = parts[at] ?? "";
  const idType = parts[at + 1] ?? "";
  if (id === "" && idType === "") return undefined;
  if (id === "") return `.${at + 1}: required component empty`;
  if (idType === "") return `.${at + 2}: required component empty`;
  const shape = universalIdShapes[idType];
  return shape === undefined || shape(id) ? undefined : `.${at + 1}: not a valid universal ID`;
}

/** Counts characters, an escape sequence as one. */
function lengthOf(value: string, escape: string): number {
  let length = value.length;
  let open = value.indexOf(escape);
  while (open >= 0) {
    const close = value.indexOf(escape, open + 1);
    if (close < 0) break;
    length -= close - open;
    open = value.indexOf(escape, close + 1);
  }
  return length;
}
