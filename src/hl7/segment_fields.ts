/**
 * Segments written as fields instead of a delimited line.
 *
 * `{ "1": "1", "2": "NM", "3": ["718-7", "Hemoglobin", "LN"], "5": value }`: every text is data and
 * gets escaped, so authors need no separators.
 */
import type { MessageBody } from "./body.ts";
import { Hl7SyntaxError } from "./errors.ts";
import { type FieldPath, parseFieldPath } from "./path.ts";
import { isHeaderSegment, type SegmentRecord } from "./record.ts";
import type { FieldValue } from "./values.ts";

/** Values by field path. */
export type SegmentFields = { readonly [path in FieldPath]?: FieldValue };

/**
 * Makes a segment that is not yet in the message. Without fields, `line` may be a whole line.
 *
 * @throws {Hl7SyntaxError} when `fields` are given and `line` is more than an id.
 */
export function buildRecord(
  body: MessageBody,
  line: string,
  fields: SegmentFields,
): SegmentRecord {
  const entries = Object.entries(fields);
  const addresses = entries.map(([path]) => parseFieldPath(path));
  const record = body.newRecord(line);
  if (entries.length === 0) return record;
  if (line.length !== 3 || isHeaderSegment(record.id)) {
    throw new Hl7SyntaxError(
      "hl7.segment_invalid",
      "Cannot add segment: want a bare segment id before its fields, and no header segment",
    );
  }
  for (const [index, [, value]] of entries.entries()) {
    const address = addresses[index];
    if (address !== undefined && value !== undefined) body.writeData(record, address, value);
  }
  return record;
}
