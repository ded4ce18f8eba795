/**
 * The segments of one message, made when first needed and written back only where touched.
 *
 * `Message`, `Segment` and `SegmentGroup` are views on one `MessageBody`; nothing else in the
 * engine uses it but the validation walk. An untouched body returns the very text it came from.
 */
import {
  type Delimiters,
  findMsh,
  readDelimiters,
  requireComplete,
  standardDelimiters,
} from "./delimiters.ts";
import { Hl7PathError, Hl7SyntaxError } from "./errors.ts";
import { escapeGrowthMax, type GrowthBudget, unescape } from "./escapes.ts";
import { readPart, writePart } from "./parts.ts";
import type { Address, FieldAddress } from "./path.ts";
import { isHeaderSegment, newRecord, type SegmentRecord } from "./record.ts";
import { SegmentLines } from "./segment_lines.ts";
import { encodeValue, type FieldValue } from "./values.ts";

/** Segments the engine admits in one message; the same bound holds for what authors add. */
export const segmentsMax = 10_000;

export class MessageBody implements GrowthBudget {
  readonly delimiters: Delimiters;
  /** Characters that escapes may still add to this message. */
  left = escapeGrowthMax;
  /** The encoded message; undefined once something was written. */
  #text: string | undefined;
  #lines: SegmentLines;

  /** @throws {Hl7SyntaxError} when `text` does not begin with a readable MSH. */
  constructor(text: string) {
    this.#text = text;
    // Looks first at what nearly every message begins with.
    if (text.startsWith("MSH|^~\\&|")) {
      this.delimiters = standardDelimiters;
      this.#lines = new SegmentLines(text, "|");
      return;
    }
    const start = findMsh(text);
    if (start < 0) throw noMsh(text);
    const delimiters = readDelimiters(text, start);
    if (delimiters === undefined) {
      throw new Hl7SyntaxError(
        "hl7.delimiters_unreadable",
        "Cannot parse message: the character after MSH cannot separate fields",
      );
    }
    this.delimiters = delimiters;
    this.#lines = new SegmentLines(start === 0 ? text : text.slice(start), delimiters.field);
  }

  /** All segments in order, MSH first. Not for writing by callers. */
  get records(): readonly SegmentRecord[] {
    return this.#lines.all();
  }

  /** The MSH, found without looking at the rest. */
  get header(): SegmentRecord {
    return this.#lines.header;
  }

  /** Returns the nth segment with this id; `occurrence` counts from 1. */
  find(id: string, occurrence: number): SegmentRecord | undefined {
    if (occurrence === 1 && id === "MSH") return this.#lines.header;
    return this.#lines.find(id, occurrence);
  }

  /** All raw fields of a segment; field n at index n. */
  fieldsOf(record: SegmentRecord): readonly string[] {
    return record.fields(this.delimiters.field);
  }

  /** The raw text of one field, "" when absent. */
  rawField(record: SegmentRecord, field: number): string {
    return record.field(field, this.delimiters.field);
  }

  /** Reads what `address` names in `record`; undefined when absent or empty. */
  read(record: SegmentRecord, address: FieldAddress): string | undefined {
    const raw = this.rawField(record, address.field);
    if (raw === "" || address.isWholeField) return raw || undefined;
    return this.#readWithin(raw, record, address);
  }

  /** The raw text at `address`, never unescaped; undefined when absent. */
  readRaw(record: SegmentRecord, address: FieldAddress): string | undefined {
    const raw = this.rawField(record, address.field);
    if (address.isWholeField) return raw;
    requireComplete(this.delimiters, address.text);
    if (isDelimiterField(record, address.field)) return delimiterPart(raw, address);
    return readPart(raw, address, this.delimiters);
  }

  /** Reads every repetition of what `address` names; `[]` when the field is empty. */
  repetitions(record: SegmentRecord, address: FieldAddress): readonly (string | undefined)[] {
    requireNoRepetition(address);
    const raw = this.rawField(record, address.field);
    if (raw === "") return [];
    requireComplete(this.delimiters, address.text);
    if (isDelimiterField(record, address.field)) return [delimiterPart(raw, address)];
    const parts = raw.split(this.delimiters.repetition);
    if (address.isWholeField) return parts.map((part) => part || undefined);
    return parts.map((part) => {
      const found = readPart(part, address, this.delimiters);
      return found ? unescape(found, this.delimiters, this) || undefined : undefined;
    });
  }

  /** Writes `value` at `address`; checks everything before it changes anything. */
  write(record: SegmentRecord, address: FieldAddress, value: FieldValue): void {
    requireWritable(record, address);
    const encoded = encodeValue(value, address, this.delimiters);
    if (!address.isWholeField) requireComplete(this.delimiters, address.text);
    const old = this.rawField(record, address.field);
    const raw = address.isWholeField
      ? encoded
      : writePart(old, address, { value: encoded, delimiters: this.delimiters });
    if (raw !== old) this.#replaceField(record, address.field, raw);
  }

  /** Writes `value` as data: a text is escaped even when it is a whole field. */
  writeData(record: SegmentRecord, address: FieldAddress, value: FieldValue): void {
    const isText = typeof value === "string" && address.component === 0;
    this.write(record, address, isText ? [value] : value);
  }

  /** Empties what `address` names; what is not there stays absent. */
  clear(record: SegmentRecord, address: FieldAddress): void {
    this.write(record, address, "");
  }

  /** Adds one repetition to a field, or its first. */
  addRepetition(record: SegmentRecord, address: FieldAddress, value: FieldValue): void {
    if (!address.isWholeField) {
      throw new Hl7PathError(
        "hl7.path_unsuitable",
        `Cannot add a repetition at "${address.text}": want a whole field`,
      );
    }
    requireWritable(record, address);
    requireComplete(this.delimiters, address.text);
    const asRepetition = { ...address, repetition: 1, isWholeField: false };
    const encoded = encodeValue(value, asRepetition, this.delimiters);
    const old = this.rawField(record, address.field);
    const joined = old === "" ? encoded : old + this.delimiters.repetition + encoded;
    if (joined !== old) this.#replaceField(record, address.field, joined);
  }

  /** Checks a line and makes a segment of it that is not yet in the message. */
  newRecord(line: string): SegmentRecord {
    return newRecord(line, this.delimiters.field);
  }

  /** Puts a segment at `index` (1 = right after MSH). */
  insert(record: SegmentRecord, index: number): void {
    const records = this.#lines.all();
    if (records.length >= segmentsMax) {
      throw new Hl7SyntaxError(
        "hl7.too_many_segments",
        `Cannot add segment: a message holds at most ${segmentsMax}`,
      );
    }
    if (!Number.isSafeInteger(index) || index < 1 || index > records.length) {
      throw new Hl7PathError(
        "hl7.position_invalid",
        `Cannot add segment: "at" counts from 1 (right after MSH) to ${records.length}`,
      );
    }
    records.splice(index, 0, record);
    this.#text = undefined;
  }

  /** Removes every segment that `isDoomed` names; returns how many. MSH is refused. */
  remove(isDoomed: (record: SegmentRecord, index: number) => boolean): number {
    const records = this.#lines.all();
    const kept: SegmentRecord[] = [];
    const doomed: SegmentRecord[] = [];
    for (const [index, record] of records.entries()) {
      (isDoomed(record, index) ? doomed : kept).push(record);
    }
    if (doomed.length === 0) return 0;
    if (doomed[0] === records[0]) throw protectedHeader();
    for (const record of doomed) record.isRemoved = true;
    this.#lines.keep(kept);
    this.#text = undefined;
    return doomed.length;
  }

  /** A body that shares what was parsed so far; writing to either leaves the other alone. */
  copy(): MessageBody {
    const copy = new MessageBody(this.encode());
    copy.#lines = this.#lines.copy();
    return copy;
  }

  /** The message as text; every segment of a touched one ends with CR. */
  encode(): string {
    return this.#text ??= this.#lines.encode();
  }

  #readWithin(raw: string, record: SegmentRecord, address: FieldAddress): string | undefined {
    requireComplete(this.delimiters, address.text);
    if (isDelimiterField(record, address.field)) return delimiterPart(raw, address);
    const part = readPart(raw, address, this.delimiters);
    if (part === undefined || part === "") return undefined;
    if (address.component === 0) return part;
    return unescape(part, this.delimiters, this) || undefined;
  }

  #replaceField(record: SegmentRecord, field: number, raw: string): void {
    record.replaceField(field, this.delimiters.field, raw);
    this.#text = undefined;
  }
}

/** The refusal to take MSH out of a message. */
export function protectedHeader(): Hl7SyntaxError {
  return new Hl7SyntaxError("hl7.segment_protected", "Cannot remove MSH: it begins the message");
}

/** The refusal to write into a segment that is not there. */
export function absentSegment(address: Address): Hl7PathError {
  return new Hl7PathError(
    "hl7.segment_absent",
    `Cannot write "${address.text}": the message has no such segment`,
    { hint: "Add the segment first" },
  );
}

/** MSH-1 and MSH-2 are characters, not data: never split, never unescaped, never rewritten. */
function isDelimiterField(record: SegmentRecord, field: number): boolean {
  return field <= 2 && isHeaderSegment(record.id);
}

function delimiterPart(raw: string, address: FieldAddress): string | undefined {
  const isFirst = address.repetition <= 1 && address.component <= 1 && address.subcomponent <= 1;
  return isFirst ? raw || undefined : undefined;
}

function requireWritable(record: SegmentRecord, address: FieldAddress): void {
  if (!isDelimiterField(record, address.field)) return;
  throw new Hl7SyntaxError(
    "hl7.delimiters_fixed",
    `Cannot write "${address.text}": the delimiters of a message are fixed`,
    { hint: "Set encoding_characters on the outbound connection" },
  );
}

function requireNoRepetition(address: FieldAddress): void {
  if (address.repetition === 0) return;
  throw new Hl7PathError(
    "hl7.path_unsuitable",
    `Cannot list repetitions of "${address.text}": leave out the repetition`,
  );
}

function noMsh(text: string): Hl7SyntaxError {
  return text.trim() === ""
    ? new Hl7SyntaxError("hl7.empty_message", "Cannot parse message: it is empty")
    : new Hl7SyntaxError("hl7.no_msh", "Cannot parse message: it does not begin with MSH");
}
