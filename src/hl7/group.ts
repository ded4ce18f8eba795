/**
 * Runs of segments within a message, such as one order and its results.
 *
 * A group is a position, not a copy: the nth boundary segment and what follows it up to the next.
 * It is looked up at every call, so deleting a group renumbers the ones behind it, and a group
 * whose number has run out throws.
 */
import type { MessageBody } from "./body.ts";
import { Hl7PathError, Hl7SyntaxError } from "./errors.ts";
import { parsePath, type Path, requireSegmentId } from "./path.ts";
import type { SegmentRecord } from "./record.ts";
import { Segment } from "./segment.ts";
import { buildRecord, type SegmentFields } from "./segment_fields.ts";

/** Indexes into the segments of the message: `[start, end)`. */
interface Range {
  readonly start: number;
  readonly end: number;
}

export class SegmentGroup {
  readonly #body: MessageBody;
  /** Id of the segment that begins every group. */
  readonly boundary: string;
  /** Which group, from 1. */
  readonly ordinal: number;

  /** Not for authors: `Message.groups()` makes these. */
  constructor(body: MessageBody, boundary: string, ordinal: number) {
    this.#body = body;
    this.boundary = boundary;
    this.ordinal = ordinal;
  }

  /** Reads as `Message.get()` does; occurrences count within the group. */
  get(path: Path): string | undefined {
    const address = parsePath(path);
    let left = address.occurrence;
    for (const record of this.#records()) {
      if (record.id === address.segment && --left === 0) return this.#body.read(record, address);
    }
    return undefined;
  }

  segmentIds(): readonly string[] {
    return this.#records().map((record) => record.id);
  }

  count(id: string): number {
    requireSegmentId(id);
    return this.#records().filter((record) => record.id === id).length;
  }

  /** A snapshot of the group's segments, or of those with this id. */
  segments(id?: string): readonly Segment[] {
    if (id !== undefined) requireSegmentId(id);
    return this.#records()
      .filter((record) => id === undefined || record.id === id)
      .map((record) => new Segment(this.#body, record));
  }

  /** Adds one segment at the end of the group, as `Message.addSegment()` does. */
  append(line: string): Segment;
  append(id: string, fields: SegmentFields): Segment;
  append(line: string, fields: SegmentFields = {}): Segment {
    const { end } = this.#range();
    const record = this.#member(line, fields);
    this.#body.insert(record, end);
    return new Segment(this.#body, record);
  }

  /** Removes everything but the boundary segment; returns how many. */
  clear(): number {
    const { start, end } = this.#range();
    return this.#body.remove((_, index) => index > start && index < end);
  }

  /** Removes the whole group; returns how many segments went. */
  remove(): number {
    const { start, end } = this.#range();
    return this.#body.remove((_, index) => index >= start && index < end);
  }

  /**
   * Replaces the segments of the group by `lines`. The boundary segment stays unless the first
   * line is a new one. Every line is checked before anything changes.
   */
  rebuild(lines: readonly string[]): void {
    const { start, end } = this.#range();
    const [first, ...others] = lines;
    const head = first === undefined ? undefined : this.#body.newRecord(first);
    const replacesBoundary = head?.id === this.boundary;
    const records = others.map((line) => this.#member(line, {}));
    if (head !== undefined) records.unshift(head);

    this.#body.remove((_, index) => index < end && index >= (replacesBoundary ? start : start + 1));
    let at = replacesBoundary ? start : start + 1;
    for (const record of records) this.#body.insert(record, at++);
  }

  #records(): readonly SegmentRecord[] {
    const { start, end } = this.#range();
    return this.#body.records.slice(start, end);
  }

  #range(): Range {
    const range = findRange(this.#body.records, this.boundary, this.ordinal);
    if (range !== undefined) return range;
    throw new Hl7SyntaxError(
      "hl7.stale_view",
      `Cannot use group ${this.ordinal} of "${this.boundary}": the message has fewer groups now`,
    );
  }

  #member(line: string, fields: SegmentFields): SegmentRecord {
    const record = buildRecord(this.#body, line, fields);
    if (record.id !== this.boundary) return record;
    throw new Hl7SyntaxError(
      "hl7.segment_invalid",
      `Cannot add "${this.boundary}" to a group: it would begin another one`,
    );
  }
}

/** @throws {Hl7PathError} when `boundary` is MSH or no segment id. */
export function listGroups(body: MessageBody, boundary: string): readonly SegmentGroup[] {
  requireSegmentId(boundary);
  if (boundary === "MSH") {
    throw new Hl7PathError("hl7.path_unsuitable", "Cannot group by MSH: it begins the message");
  }
  const groups: SegmentGroup[] = [];
  for (const record of body.records) {
    if (record.id === boundary) {
      groups.push(new SegmentGroup(body, boundary, groups.length + 1));
    }
  }
  return groups;
}

function findRange(
  records: readonly SegmentRecord[],
  boundary: string,
  ordinal: number,
): Range | undefined {
  let seen = 0;
  let start = -1;
  for (const [index, record] of records.entries()) {
    if (record.id !== boundary) continue;
    seen++;
    if (seen === ordinal) start = index;
    if (seen > ordinal) return { start, end: index };
  }
  return start < 0 ? undefined : { start, end: records.length };
}
