/**
 * One HL7 v2 message, as authors read and change it.
 *
 * Nothing is parsed before it is asked for, and a message nobody wrote to encodes to the very text
 * it came from. Source: HL7 v2.5.1 chapter 2; paths as in `path.ts`.
 */
import { absentSegment, MessageBody, protectedHeader } from "./body.ts";
import type { Delimiters } from "./delimiters.ts";
import { Hl7CharsetError, Hl7SyntaxError } from "./errors.ts";
import { listGroups, type SegmentGroup } from "./group.ts";
import {
  type Address,
  parseFieldPath,
  parsePath,
  type Path,
  requireOccurrence,
  requireSegmentId,
} from "./path.ts";
import { Segment } from "./segment.ts";
import { buildRecord, type SegmentFields } from "./segment_fields.ts";
import { decodeUtf8 } from "./utf8.ts";
import type { FieldValue } from "./values.ts";

const messageTypeField = parseFieldPath("9");
const messageCodePart = parseFieldPath("9.1");
const triggerEventPart = parseFieldPath("9.2");
const controlIdField = parseFieldPath("10");

export class Message {
  readonly #body: MessageBody;

  private constructor(body: MessageBody) {
    this.#body = body;
  }

  /**
   * Takes a message from text, or from UTF-8 bytes. Line ends may be CR, LF or CRLF.
   *
   * @throws {Hl7SyntaxError} when it does not begin with a readable MSH.
   * @throws {Hl7CharsetError} when the bytes are not UTF-8.
   */
  static parse(text: string | Uint8Array): Message {
    return new Message(new MessageBody(typeof text === "string" ? text : textOf(text)));
  }

  get contentType(): "hl7v2" {
    return "hl7v2";
  }

  get delimiters(): Delimiters {
    return this.#body.delimiters;
  }

  /** MSH-9 as it stands: `ADT^A01^ADT_A01`. */
  get messageType(): string | undefined {
    return this.#body.read(this.#body.header, messageTypeField);
  }

  /** MSH-9.1: `ADT`. */
  get messageCode(): string | undefined {
    return this.#body.read(this.#body.header, messageCodePart);
  }

  /** MSH-9.2: `A01`. */
  get triggerEvent(): string | undefined {
    return this.#body.read(this.#body.header, triggerEventPart);
  }

  /** MSH-10. */
  get controlId(): string | undefined {
    return this.#body.read(this.#body.header, controlIdField);
  }

  /**
   * Reads what `path` names; undefined when it is absent or empty.
   *
   * A whole field or repetition comes as it stands; components and subcomponents come unescaped
   * and from the first repetition unless `[r]` names another. An HL7 null (`""`) is returned as
   * those two characters: `isNull()` tells.
   *
   * @throws {Hl7PathError} when the path is malformed.
   */
  get(path: Path): string | undefined {
    const address = parsePath(path);
    const record = this.#body.find(address.segment, address.occurrence);
    return record && this.#body.read(record, address);
  }

  /** True when `get(path)` would return something, an HL7 null included. */
  has(path: Path): boolean {
    return this.get(path) !== undefined;
  }

  /** True when the sender asks to delete what `path` names: `""`. Source: HL7 v2.5.1 §2.5.3. */
  isNull(path: Path): boolean {
    const address = parsePath(path);
    const record = this.#body.find(address.segment, address.occurrence);
    return record !== undefined && this.#body.readRaw(record, address) === '""';
  }

  /**
   * Reads every repetition of a field (`PID-3`, raw) or of a part of it (`PID-3.1`, unescaped);
   * undefined where one is empty, `[]` when the field is.
   */
  repetitions(path: Path): readonly (string | undefined)[] {
    const address = parsePath(path);
    const record = this.#body.find(address.segment, address.occurrence);
    return record === undefined ? [] : this.#body.repetitions(record, address);
  }

  /**
   * Writes what `path` names.
   *
   * Text for a whole field or repetition is structure and written as it is; text for a component or
   * subcomponent is data and escaped. An array is the components of a field, or the subcomponents
   * of a component, each escaped.
   *
   * @throws {Hl7PathError} when the path is malformed or its segment absent.
   * @throws {Hl7SyntaxError} when the value would break the message: CR, LF, a stray separator.
   */
  set(path: Path, value: FieldValue): this {
    const address = parsePath(path);
    this.#body.write(this.#require(address), address, value);
    return this;
  }

  /** Empties what `path` names. An absent segment has nothing to empty. */
  clear(path: Path): this {
    const address = parsePath(path);
    const record = this.#body.find(address.segment, address.occurrence);
    if (record !== undefined) this.#body.clear(record, address);
    return this;
  }

  /** Adds a repetition to a whole field, or its first one. Text is structure, as in `set()`. */
  addRepetition(path: Path, value: FieldValue): this {
    const address = parsePath(path);
    this.#body.addRepetition(this.#require(address), address, value);
    return this;
  }

  /** The ids in order; a line that has none counts as "". */
  segmentIds(): readonly string[] {
    return this.#body.records.map((record) => record.id);
  }

  /** The nth segment with this id, from 1. */
  segment(id: string, occurrence = 1): Segment | undefined {
    requireSegmentId(id);
    requireOccurrence(occurrence, `segment "${id}"`);
    const record = this.#body.find(id, occurrence);
    return record && new Segment(this.#body, record);
  }

  /** A snapshot of all segments, or of those with this id: safe to remove from while iterating. */
  segments(id?: string): readonly Segment[] {
    if (id !== undefined) requireSegmentId(id);
    const views: Segment[] = [];
    for (const record of this.#body.records) {
      if (id === undefined || record.id === id) views.push(new Segment(this.#body, record));
    }
    return views;
  }

  count(id: string): number {
    requireSegmentId(id);
    let count = 0;
    for (const record of this.#body.records) if (record.id === id) count++;
    return count;
  }

  /**
   * Adds one segment, from a line or from an id and its fields; at the end unless `at` says where
   * (1 is right after MSH). Values given as fields are data: every text is escaped.
   *
   * @throws {Hl7SyntaxError} when the line holds more than one segment, or its id is none or MSH.
   */
  addSegment(line: string, options?: { at?: number }): Segment;
  addSegment(id: string, fields: SegmentFields, options?: { at?: number }): Segment;
  addSegment(
    line: string,
    second: { at?: number } | SegmentFields = {},
    third?: { at?: number },
  ): Segment {
    const hasFields = third !== undefined || !Object.hasOwn(second, "at");
    const { at } = third ?? (hasFields ? {} : second as { at?: number });
    const record = hasFields
      ? buildRecord(this.#body, line, second as SegmentFields)
      : this.#body.newRecord(line);
    this.#body.insert(record, at ?? this.#body.records.length);
    return new Segment(this.#body, record);
  }

  /** Removes every segment with this id; returns how many. @throws {Hl7SyntaxError} for MSH. */
  deleteSegments(id: string): number {
    requireSegmentId(id);
    if (id === "MSH") throw protectedHeader();
    return this.#body.remove((record) => record.id === id);
  }

  /** The runs of segments from each `boundary` to before the next; what stands before is header. */
  groups(boundary = "OBR"): readonly SegmentGroup[] {
    return listGroups(this.#body, boundary);
  }

  /** A message of its own with the same content; costs next to nothing until one is written to. */
  copy(): Message {
    return new Message(this.#body.copy());
  }

  /** The message as text. Untouched: the text it came from. */
  encode(): string {
    return this.#body.encode();
  }

  #require(address: Address) {
    const record = this.#body.find(address.segment, address.occurrence);
    if (record === undefined) throw absentSegment(address);
    return record;
  }
}

function textOf(bytes: Uint8Array): string {
  if (!(bytes instanceof Uint8Array)) {
    throw new Hl7SyntaxError("hl7.not_a_message", "Cannot parse message: want text or bytes");
  }
  const decoded = decodeUtf8(bytes);
  if (decoded.ok) return decoded.text;
  throw new Hl7CharsetError("hl7.undecodable", "Cannot decode message as utf-8", {
    position: decoded.at,
  });
}
