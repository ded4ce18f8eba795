/**
 * The characters that structure one message, taken from its own MSH-1 and MSH-2.
 *
 * Source: HL7 v2.5.1 §2.5.4. A fifth character of MSH-2 (truncation, v2.7) is carried and ignored.
 */
import { Hl7SyntaxError } from "./errors.ts";

export interface Delimiters {
  /** MSH-1. */
  readonly field: string;
  readonly component: string;
  readonly repetition: string;
  readonly escape: string;
  readonly subcomponent: string;
  /** MSH-2 as it stands in the message. */
  readonly encodingCharacters: string;
  /**
   * True when MSH-2 names at least four usable, distinct characters. Otherwise the missing ones
   * are the usual defaults, good enough for whole fields but not for anything inside a field.
   */
  readonly isComplete: boolean;
}

/** `|^~\&`, which nearly every message uses. */
export const standardDelimiters: Delimiters = Object.freeze({
  field: "|",
  component: "^",
  repetition: "~",
  escape: "\\",
  subcomponent: "&",
  encodingCharacters: "^~\\&",
  isComplete: true,
});

/**
 * Returns the index of the `M` of a leading MSH, or -1. A BOM and blanks before it are allowed.
 */
export function findMsh(text: string): number {
  if (text.startsWith("MSH")) return 0;
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (isBlank(text.charCodeAt(at))) at++;
  return text.startsWith("MSH", at) ? at : -1;
}

/** The MSH that begins at index `start`, without its line end: CR, LF or CRLF. */
export function mshLine(text: string, start: number): string {
  const end = text.indexOf("\r", start);
  const line = end < 0 ? text.slice(start) : text.slice(start, end);
  const lineFeed = line.indexOf("\n");
  return lineFeed < 0 ? line : line.slice(0, lineFeed);
}

/**
 * Reads the delimiters of the MSH at index `at`, or returns undefined when the character after
 * `MSH` cannot separate fields.
 */
export function readDelimiters(text: string, at: number): Delimiters | undefined {
  if (text.startsWith("|^~\\&|", at + 3)) return standardDelimiters;
  const field = text.charAt(at + 3);
  if (!isUsable(field)) return undefined;
  return makeDelimiters(field, encodingCharactersAt(text, at + 4, field));
}

/** Builds delimiters from MSH-1 and MSH-2, filling in what MSH-2 leaves out. */
export function makeDelimiters(field: string, encodingCharacters: string): Delimiters {
  const [component = "^", repetition = "~", escape = "\\", subcomponent = "&"] = encodingCharacters
    .slice(0, 4);
  const named = field + encodingCharacters.slice(0, 4);
  return Object.freeze({
    field,
    component,
    repetition,
    escape,
    subcomponent,
    encodingCharacters,
    isComplete: named.length === 5 && [...named].every(isUsable) && new Set(named).size === 5,
  });
}

/** @throws {Hl7SyntaxError} when MSH-2 does not name all four characters. */
export function requireComplete(delimiters: Delimiters, path: string): void {
  if (delimiters.isComplete) return;
  throw new Hl7SyntaxError(
    "hl7.delimiters_incomplete",
    `Cannot address "${path}": MSH-2 does not name four distinct encoding characters`,
  );
}

/** True for one UTF-16 unit that can structure a message: no letter, digit, blank or surrogate. */
export function isUsable(character: string): boolean {
  return character.length === 1 && !/[A-Za-z0-9\s\ud800-\udfff]/.test(character);
}

function encodingCharactersAt(text: string, start: number, field: string): string {
  let end = start;
  while (end < text.length) {
    const character = text.charAt(end);
    if (character === field || character === "\r" || character === "\n") break;
    end++;
  }
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}
