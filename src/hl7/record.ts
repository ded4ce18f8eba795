/**
 * One segment of one message as the body keeps it: a line, and its fields once they are needed.
 */
import { Hl7SyntaxError } from "./errors.ts";
import { nthPart, replacePart } from "./parts.ts";

/** A segment read oftener than this is split: finding a field costs a little less than that. */
const readsBeforeSplit = 4;

export class SegmentRecord {
  /** "" for a line that does not begin with three characters and the field separator. */
  readonly id: string;
  /** The segment as text, without CR. */
  line: string;
  isRemoved = false;
  #fields: readonly string[] | undefined;
  /** How often a field was read without splitting the line. */
  #reads = 0;

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
    const isSplit = this.#fields !== undefined || this.#reads++ >= readsBeforeSplit;
    if (isSplit) return this.fields(separator)[n] ?? "";
    if (n === 1 && isHeaderSegment(this.id)) return separator;
    return nthPart(this.line, separator, this.#tokenOf(n)) ?? "";
  }

  replaceField(n: number, separator: string, raw: string): void {
    this.line = replacePart(this.line, separator, this.#tokenOf(n), raw);
    this.#fields = undefined;
    this.#reads = 0;
  }

  /** A segment of its own that starts from the same text. */
  copy(): SegmentRecord {
    const copy = new SegmentRecord(this.id, this.line);
    copy.#fields = this.#fields;
    return copy;
  }

  /** Which delimited token of the line holds field n, from 1; a header's separator is none. */
  #tokenOf(n: number): number {
    return isHeaderSegment(this.id) ? n : n + 1;
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
