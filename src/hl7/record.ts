/**
 * One segment of one message as the body keeps it: a line, and its fields once they are needed.
 */
import { Hl7SyntaxError } from "./errors.ts";

/** A segment searched from its beginning oftener than this is split into its fields. */
const searchesBeforeSplit = 4;

export class SegmentRecord {
  /** "" for a line that does not begin with three characters and the field separator. */
  readonly id: string;
  /** The segment as text, without CR. */
  line: string;
  isRemoved = false;
  /** True once the line is not the one the record was made of. */
  isChanged = false;
  #fields: readonly string[] | undefined;
  /** How often a field was looked for from the beginning of the line. */
  #searches = 0;
  /** The token found last, from 1, and where it begins: a field at or after it is near. */
  #foundToken = 1;
  #foundAt = 0;

  constructor(id: string, line: string) {
    this.id = id;
    this.line = line;
  }

  /** Makes a segment of a line of a message. */
  static ofLine(line: string, separator: string): SegmentRecord {
    const hasId = line.length === 3 || line[3] === separator;
    return new SegmentRecord(hasId ? line.slice(0, 3) : "", line);
  }

  /** All raw fields; field n at index n, in MSH too: `["MSH", "|", "^~\\&", "LAB"]`. */
  fields(separator: string): readonly string[] {
    return this.#fields ??= this.#split(separator);
  }

  /** The raw text of field n, "" when absent. */
  field(n: number, separator: string): string {
    if (this.#fields !== undefined) return this.#fields[n] ?? "";
    if (n === 1 && isHeaderSegment(this.id)) return separator;
    const start = this.#find(this.#tokenOf(n), separator);
    if (this.#searches > searchesBeforeSplit) return this.fields(separator)[n] ?? "";
    if (start < 0) return "";
    const end = this.line.indexOf(separator, start);
    return end < 0 ? this.line.slice(start) : this.line.slice(start, end);
  }

  replaceField(n: number, separator: string, raw: string): void {
    const token = this.#tokenOf(n);
    const start = this.#find(token, separator);
    if (start < 0) {
      // What was found last is the last token there is.
      this.line += separator.repeat(token - this.#foundToken) + raw;
    } else {
      const end = this.line.indexOf(separator, start);
      this.line = this.line.slice(0, start) + raw + (end < 0 ? "" : this.line.slice(end));
    }
    this.isChanged = true;
    this.#fields = undefined;
    this.#searches = 0;
  }

  /** A segment of its own that starts from the same text. */
  copy(): SegmentRecord {
    const copy = new SegmentRecord(this.id, this.line);
    copy.isChanged = this.isChanged;
    copy.#fields = this.#fields;
    return copy;
  }

  /** Which delimited token of the line holds field n, from 1; a header's separator is none. */
  #tokenOf(n: number): number {
    return isHeaderSegment(this.id) ? n : n + 1;
  }

  /** Returns the index at which a token begins, or -1 when the line has fewer. */
  #find(token: number, separator: string): number {
    if (token < this.#foundToken) {
      this.#foundToken = 1;
      this.#foundAt = 0;
      this.#searches++;
    }
    while (this.#foundToken < token) {
      const at = this.line.indexOf(separator, this.#foundAt);
      if (at < 0) return -1;
      this.#foundToken++;
      this.#foundAt = at + 1;
    }
    return this.#foundAt;
  }

  #split(separator: string): readonly string[] {
    const fields = this.line.split(separator);
    if (isHeaderSegment(this.id)) fields.splice(1, 0, separator);
    return fields;
  }
}

/** True for MSH, FHS and BHS, whose field 1 is the separator itself. */
export function isHeaderSegment(id: string): boolean {
  return id === "MSH" || id === "FHS" || id === "BHS";
}

/**
 * Checks a line from an author and makes a segment of it.
 *
 * @throws {Hl7SyntaxError} `hl7.value_unsafe` for more than one line, `hl7.segment_invalid` for one
 * that does not begin with a segment id other than MSH.
 */
export function newRecord(line: string, separator: string): SegmentRecord {
  if (typeof line !== "string" || /[\r\n]/.test(line)) {
    throw new Hl7SyntaxError(
      "hl7.value_unsafe",
      "Cannot add segment: want one line without CR or LF",
    );
  }
  const id = line.slice(0, 3);
  const isSegment = /^[A-Z][A-Z0-9]{2}$/.test(id) && (line.length === 3 || line[3] === separator);
  if (isSegment && id !== "MSH") return new SegmentRecord(id, line);
  throw new Hl7SyntaxError(
    "hl7.segment_invalid",
    "Cannot add segment: want a segment id other than MSH and then the field separator",
  );
}
