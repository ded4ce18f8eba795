/**
 * What of this room runs inside author code's realm: ECMAScript alone, no web API, no engine.
 *
 * `authoring/` re-exports it as part of "messagefoundry". A file reachable from here must not import
 * `charset.ts` or anything outside this room but `src/errors.ts`.
 */
export { segmentsMax } from "./body.ts";
export { carriagePrefix, decodeCarriage, encodeCarriage } from "./carriage.ts";
export { consistency, type ConsistencyRule, type Violation } from "./consistency.ts";
export { type Delimiters, makeDelimiters, standardDelimiters } from "./delimiters.ts";
export * from "./errors.ts";
export { escape, unescape } from "./escapes.ts";
export { SegmentGroup } from "./group.ts";
export { Message } from "./message.ts";
export type { FieldPath, Path } from "./path.ts";
export { type ContentType, type Json, RawMessage } from "./raw_message.ts";
export { Segment } from "./segment.ts";
export type { SegmentFields } from "./segment_fields.ts";
export { splitByObr } from "./split.ts";
export {
  type ConvertOptions,
  hl7Time,
  type Hl7Timestamp,
  type LengthOfStay,
  type NowOptions,
  type TimestampPrecision,
} from "./time.ts";
export type { FieldValue } from "./values.ts";
export type { XmlElement } from "./xml.ts";
