/**
 * Rewrites a message with other delimiters (`encoding_characters`), keeping what it says.
 *
 * Source: HL7 v2.5.1 §2.5.4 (delimiters) and §2.7.1 (escape sequences for them).
 */
import { type Delimiters, Message } from "../../hl7/mod.ts";
import { DeliveryError } from "../connector.ts";

/**
 * Returns `text` written with `wanted`: structure is translated, `\F\` and its kin become the
 * characters they stand for, and data that would now be structure is escaped. Other escape
 * sequences stay, in the new escape character.
 *
 * @throws {DeliveryError} `delivery.not_hl7`, permanent, when the delimiters in use cannot be read.
 */
export function recode(text: string, wanted: Delimiters): string {
  const current = delimitersOf(text);
  const isSame = current.field === wanted.field &&
    current.encodingCharacters === wanted.encodingCharacters;
  if (isSame) return text;
  const start = text.indexOf("MSH");
  const afterDelimiters = start + 4 + current.encodingCharacters.length;
  return "MSH" + wanted.field + wanted.encodingCharacters +
    translate(text.slice(afterDelimiters), current, wanted);
}

function delimitersOf(text: string): Delimiters {
  try {
    const { delimiters } = Message.parse(text);
    if (delimiters.isComplete) return delimiters;
  } catch {
    // Told below: the parser's failure adds nothing an operator could use.
  }
  throw new DeliveryError(
    "delivery.not_hl7",
    "Cannot rewrite message with encoding_characters: its own delimiters cannot be read",
    { reached: "no", permanent: true },
  );
}

function translate(text: string, from: Delimiters, to: Delimiters): string {
  const structure = new Map([
    [from.field, to.field],
    [from.component, to.component],
    [from.repetition, to.repetition],
    [from.subcomponent, to.subcomponent],
  ]);
  const asData = dataWriter(to);
  const literals = new Map([
    ["F", from.field],
    ["S", from.component],
    ["R", from.repetition],
    ["T", from.subcomponent],
    ["E", from.escape],
  ]);
  let written = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character !== from.escape) {
      written += structure.get(character) ?? asData(character);
      continue;
    }
    const sequence = escapeSequence(text, at, from);
    if (sequence === undefined) {
      written += asData(character);
      continue;
    }
    const literal = literals.get(sequence);
    if (literal !== undefined) written += asData(literal);
    else if ([...sequence].every((inner) => asData(inner) === inner)) {
      written += to.escape + sequence + to.escape;
    }
    at += sequence.length + 1;
  }
  return written;
}

/** The text between the escape character at `at` and the next, within one part of one segment. */
function escapeSequence(text: string, at: number, from: Delimiters): string | undefined {
  const end = text.indexOf(from.escape, at + 1);
  if (end === -1) return undefined;
  const inner = text.slice(at + 1, end);
  const stops = [from.field, from.component, from.repetition, from.subcomponent, "\r", "\n"];
  return stops.some((stop) => inner.includes(stop)) ? undefined : inner;
}

/** Writes one character of data, escaped where the new delimiters would read structure. */
function dataWriter(to: Delimiters): (character: string) => string {
  const escapes = new Map([
    [to.field, "F"],
    [to.component, "S"],
    [to.repetition, "R"],
    [to.subcomponent, "T"],
    [to.escape, "E"],
  ]);
  return (character) => {
    const letter = escapes.get(character);
    return letter === undefined ? character : to.escape + letter + to.escape;
  };
}
