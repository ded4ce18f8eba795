/**
 * Reading and replacing the nth part of a delimited text, without splitting the rest of it.
 *
 * Pure string work below paths and delimiters: a repetition within a field, a component within a
 * repetition, a subcomponent within a component. Positions count from 1.
 */
import type { Delimiters } from "./delimiters.ts";

/** Where inside a field something stands; 0 means "not addressed". */
export interface PartAddress {
  readonly repetition: number;
  readonly component: number;
  readonly subcomponent: number;
}

/** Returns part `n` of `text`, or undefined when the text has fewer parts. */
export function nthPart(text: string, separator: string, n: number): string | undefined {
  let start = 0;
  for (let i = 1; i < n; i++) {
    const at = text.indexOf(separator, start);
    if (at < 0) return undefined;
    start = at + 1;
  }
  const end = text.indexOf(separator, start);
  if (end >= 0) return text.slice(start, end);
  return start === 0 ? text : text.slice(start);
}

/** Replaces part `n` of `text`, adding empty parts before it when there are fewer. */
export function replacePart(text: string, separator: string, n: number, part: string): string {
  let start = 0;
  for (let i = 1; i < n; i++) {
    const at = text.indexOf(separator, start);
    if (at < 0) return part === "" ? text : text + separator.repeat(n - i) + part;
    start = at + 1;
  }
  const end = text.indexOf(separator, start);
  return text.slice(0, start) + part + (end < 0 ? "" : text.slice(end));
}

/** Returns the raw text at `address` within a raw field; the first repetition unless addressed. */
export function readPart(
  field: string,
  address: PartAddress,
  delimiters: Delimiters,
): string | undefined {
  let part: string | undefined = field;
  if (address.repetition > 0 || address.component > 0) {
    part = nthPart(part, delimiters.repetition, address.repetition || 1);
  }
  if (part !== undefined && address.component > 0) {
    part = nthPart(part, delimiters.component, address.component);
    if (part !== undefined && address.subcomponent > 0) {
      part = nthPart(part, delimiters.subcomponent, address.subcomponent);
    }
  }
  return part;
}

/** Returns `field` with the raw `value` at `address`; everything else keeps its place. */
export function writePart(
  field: string,
  address: PartAddress,
  { value, delimiters }: { value: string; delimiters: Delimiters },
): string {
  const { repetition, component, subcomponent } = address;
  if (repetition === 0 && component === 0) return value;

  const nth = repetition || 1;
  if (component === 0) return replacePart(field, delimiters.repetition, nth, value);

  const oldRepetition = nthPart(field, delimiters.repetition, nth) ?? "";
  let newComponent = value;
  if (subcomponent > 0) {
    const oldComponent = nthPart(oldRepetition, delimiters.component, component) ?? "";
    newComponent = replacePart(oldComponent, delimiters.subcomponent, subcomponent, value);
  }
  const newRepetition = replacePart(
    oldRepetition,
    delimiters.component,
    component,
    newComponent,
  );
  return replacePart(field, delimiters.repetition, nth, newRepetition);
}
