/**
 * The same message with other delimiters, for partners that insist on theirs.
 *
 * Structure stays, and what was data stays data: a character that becomes a delimiter is escaped, an
 * escaped one that no longer is becomes itself.
 */
import {
  type Delimiters,
  findMsh,
  makeDelimiters,
  readDelimiters,
  requireComplete,
} from "./delimiters.ts";
import { Hl7SyntaxError } from "./errors.ts";
import { MessageBody } from "./body.ts";

/**
 * Checks the five characters of `encoding_characters`: MSH-1, then MSH-2.
 *
 * @throws {Hl7SyntaxError} `hl7.delimiters_invalid`
 */
export function parseEncodingCharacters(characters: string): Delimiters {
  const delimiters = makeDelimiters(characters.slice(0, 1), characters.slice(1));
  if (characters.length === 5 && delimiters.isComplete) return delimiters;
  throw new Hl7SyntaxError(
    "hl7.delimiters_invalid",
    "Cannot use encoding characters: want five distinct ones, no letters, digits or blanks",
  );
}

/**
 * Writes a message with the delimiters `to`; the same string when it has them already.
 *
 * @throws {Hl7SyntaxError} when the text is no message or does not name all its delimiters.
 */
export function redelimit(text: string, to: Delimiters): string {
  const start = findMsh(text);
  const from = start < 0 ? undefined : readDelimiters(text, start);
  if (from?.field === to.field && from.encodingCharacters === to.encodingCharacters) return text;

  const body = new MessageBody(text);
  requireComplete(body.delimiters, "MSH-2");
  const translator = new Translator(body.delimiters, to);
  let result = "";
  for (const { id, line } of body.records) {
    result += translator.translateLine(id, line) + "\r";
  }
  return result;
}

class Translator {
  readonly #from: Delimiters;
  readonly #to: Delimiters;
  /** Old structural character to new one. */
  readonly #structure: ReadonlyMap<string, string>;
  /** New delimiter to the letter that escapes it. */
  readonly #letters: ReadonlyMap<string, string>;
  readonly #data: ReadonlyMap<string, string>;

  constructor(from: Delimiters, to: Delimiters) {
    this.#from = from;
    this.#to = to;
    this.#structure = new Map([
      [from.field, to.field],
      [from.component, to.component],
      [from.repetition, to.repetition],
      [from.subcomponent, to.subcomponent],
    ]);
    this.#letters = new Map([
      [to.field, "F"],
      [to.component, "S"],
      [to.repetition, "R"],
      [to.subcomponent, "T"],
      [to.escape, "E"],
    ]);
    this.#data = new Map([
      ["F", from.field],
      ["S", from.component],
      ["R", from.repetition],
      ["T", from.subcomponent],
      ["E", from.escape],
    ]);
  }

  translateLine(id: string, line: string): string {
    const isHeader = id === "MSH" || id === "FHS" || id === "BHS";
    if (!isHeader || line.length < 4) return this.#translate(line);
    const rest = line.indexOf(this.#from.field, 4);
    const head = id + this.#to.field + this.#to.encodingCharacters;
    return rest < 0 ? head : head + this.#translate(line.slice(rest));
  }

  #translate(text: string): string {
    let result = "";
    for (let i = 0; i < text.length; i++) {
      const character = text.charAt(i);
      if (character !== this.#from.escape) {
        result += this.#structure.get(character) ?? this.#asData(character);
        continue;
      }
      const close = this.#closingEscape(text, i);
      if (close < 0) {
        result += this.#asData(character);
      } else {
        result += this.#translateSequence(text.slice(i + 1, close));
        i = close;
      }
    }
    return result;
  }

  /** Where the sequence that opens at `open` closes, within its part; -1 when it does not. */
  #closingEscape(text: string, open: number): number {
    for (let i = open + 1; i < text.length; i++) {
      const character = text.charAt(i);
      if (character === this.#from.escape) return i;
      if (this.#structure.has(character)) return -1;
    }
    return -1;
  }

  #translateSequence(name: string): string {
    const character = this.#data.get(name);
    if (character !== undefined) return this.#asData(character);
    // A sequence that holds a new delimiter could not be read again; unknown ones mean nothing.
    for (const each of name) if (this.#letters.has(each)) return "";
    return this.#to.escape + name + this.#to.escape;
  }

  #asData(character: string): string {
    const letter = this.#letters.get(character);
    return letter === undefined ? character : this.#to.escape + letter + this.#to.escape;
  }
}
