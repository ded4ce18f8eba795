/**
 * A message laid open for those who look at all of it: strict validation, field-level diffs.
 *
 * Everything is raw and nothing is copied twice; what stands inside a field is split only by who
 * asks.
 */
import { MessageBody } from "./body.ts";
import type { Delimiters } from "./delimiters.ts";

export interface WalkedSegment {
  /** "" for a line that does not begin with an id. */
  readonly id: string;
  /** Which segment of this id, from 1. */
  readonly occurrence: number;
  /** Raw, field n at index n: `["PID", "1", …]`, `["MSH", "|", "^~\\&", …]`. */
  readonly fields: readonly string[];
}

export interface WalkedMessage {
  readonly delimiters: Delimiters;
  readonly segments: readonly WalkedSegment[];
}

/** @throws {Hl7SyntaxError} when `text` does not begin with a readable MSH. */
export function walkMessage(text: string): WalkedMessage {
  const body = new MessageBody(text);
  const seen = new Map<string, number>();
  const segments = body.records.map((record) => {
    const occurrence = (seen.get(record.id) ?? 0) + 1;
    seen.set(record.id, occurrence);
    return { id: record.id, occurrence, fields: body.fieldsOf(record) };
  });
  return { delimiters: body.delimiters, segments };
}

/** The raw repetitions of a field; `[""]` when it is empty. */
export function splitRepetitions(field: string, { repetition }: Delimiters): readonly string[] {
  return split(field, repetition);
}

/** The raw components of one repetition. */
export function splitComponents(repetition: string, { component }: Delimiters): readonly string[] {
  return split(repetition, component);
}

/** The raw subcomponents of one component. */
export function splitSubcomponents(
  component: string,
  { subcomponent }: Delimiters,
): readonly string[] {
  return split(component, subcomponent);
}

function split(text: string, separator: string): readonly string[] {
  return text.indexOf(separator) < 0 ? [text] : text.split(separator);
}
