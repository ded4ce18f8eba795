/**
 * The segments of one message, split when first needed and rebuilt only where touched.
 *
 * `Message`, `Segment` and `SegmentGroup` are views on one `MessageBody`; nothing else in the
 * engine uses it but the validation walk. An untouched body returns the very text it came from.
 */
import {
  type Delimiters,
  findMsh,
  mshLine,
  readDelimiters,
  requireComplete,
  standardDelimiters,
} from "./delimiters.ts";
import { Hl7PathError, Hl7SyntaxError } from "./errors.ts";
import { escapeGrowthMax, type GrowthBudget, unescape } from "./escapes.ts";
import { readPart, writePart } from "./parts.ts";
import type { Address, FieldAddress } from "./path.ts";
import { isHeaderSegment, newRecord, SegmentRecord } from "./record.ts";
import { encodeValue, type FieldValue } from "./values.ts";

/** Segments the engine admits in one message; the same bound holds for what authors add. */
export const segmentsMax = 10_000;

export class MessageBody implements GrowthBudget {
  readonly delimiters: Delimiters;
  /** Characters that escapes may still add to this message. */
  left = escapeGrowthMax;
  /** The encoded message; undefined once something was written. */
  #text: string | undefined;
  #start: number;
  #header: SegmentRecord | undefined;
  #records: SegmentRecord[] | undefined;

  /** @throws {Hl7SyntaxError} when `text` does not begin with a readable MSH. */
  constructor(text: string) {
    this.#text = text;
    // Looks first at what nearly every message begins with.
    if (text.startsWith("MSH|^~\\&|")) {
      this.#start = 0;
      this.delimiters = standardDelimiters;
      return;
    }
    this.#start = findMsh(text);
    if (this.#start < 0) throw noMsh(text);
    const delimiters = readDelimiters(text, this.#start);
    if (delimiters === undefined) {
      throw new Hl7SyntaxError(
        "hl7.delimiters_unreadable",
        "Cannot parse message: the character after MSH cannot separate fields",
      );
    }
    this.delimiters = delimiters;
  }

  /** All segments in order, MSH first. Not for writing by callers. */
  get records(): readonly SegmentRecord[] {
    return this.#records ?? this.#split();
  }

  /** The MSH, found without splitting the rest. */
  get header(): SegmentRecord {
    if (this.#records !== undefined) return this.#records[0] as SegmentRecord;
    if (this.#header !== undefined) return this.#header;
    const text = this.#text as string;
    return this.#header = new SegmentRecord("MSH", mshLine(text, this.#start));
  }

  /** Returns the nth segment with this id; `occurrence` counts from 1. */
  find(id: string, occurrence: number): SegmentRecord | undefined {
    if (id === "MSH" && occurrence === 1) return this.header;
    let left = occurrence;
    for (const record of this.records) {
      if (record.id === id && --left === 0) return record;
    }
    return undefined;
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
    const delimiters = this.delimiters;
    this.#replaceField(
      record,
      address.field,
      writePart(old, address, { value: encoded, delimiters }),
    );
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
    this.#replaceField(record, address.field, joined);
  }

  /** Checks a line and makes a segment of it that is not yet in the message. */
  newRecord(line: string): SegmentRecord {
    return newRecord(line, this.delimiters.field);
  }

  /** Puts a segment at `index` (1 = right after MSH). */
  insert(record: SegmentRecord, index: number): void {
    const records = this.#split();
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
    const records = this.#split();
    const kept: SegmentRecord[] = [];
    const doomed: SegmentRecord[] = [];
    for (const [index, record] of records.entries()) {
      (isDoomed(record, index) ? doomed : kept).push(record);
    }
    if (doomed.length === 0) return 0;
    if (doomed[0] === records[0]) throw protectedHeader();
    for (const record of doomed) record.isRemoved = true;
    this.#records = kept;
    this.#text = undefined;
    return doomed.length;
  }

  /** A body that shares what was parsed so far; writing to either leaves the other alone. */
  copy(): MessageBody {
    const copy = new MessageBody(this.encode());
    if (this.#records !== undefined) copy.#records = this.#records.map((record) => record.copy());
    return copy;
  }

  /** The message as text; every segment of a touched one ends with CR. */
  encode(): string {
    if (this.#text !== undefined) return this.#text;
    let text = "";
    for (const record of this.records) text += record.line + "\r";
    this.#start = 0;
    return this.#text = text;
  }

  #readWithin(raw: string, record: SegmentRecord, address: FieldAddress): string | undefined {
    requireComplete(this.delimiters, address.text);
    if (isDelimiterField(record, address.field)) return delimiterPart(raw, address);
    const part = readPart(raw, address, this.delimiters);
    if (part === undefined || part === "") return undefined;
    if (address.component === 0) return part;
    return unescape(part, this.delimiters, this) || undefined;
  }

  #split(): SegmentRecord[] {
    if (this.#records !== undefined) return this.#records;
    const whole = this.#text as string;
    const text = this.#start === 0 ? whole : whole.slice(this.#start);
    const lines = text.indexOf("\n") < 0 ? text.split("\r") : text.split(/[\r\n]+/);
    const separator = this.delimiters.field;
    const records: SegmentRecord[] = [this.header];
    for (let i = 1; i < lines.length; i++) {
      const line = lines[i] as string;
      if (line === "" || isBlankLine(line)) continue;
      records.push(SegmentRecord.ofLine(line, separator));
    }
    return this.#records = records;
  }

  #replaceField(record: SegmentRecord, field: number, raw: string): void {
    if (this.rawField(record, field) === raw) return;
    record.replaceField(field, this.delimiters.field, raw);
    if (this.#records === undefined) this.#split();
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

function isBlankLine(line: string): boolean {
  const code = line.charCodeAt(0);
  return (code === 0x20 || code === 0x09) && line.trim() === "";
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
