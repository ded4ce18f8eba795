/**
 * The module "messagefoundry": what graph authors import.
 *
 * Upstream stands `src/sandbox`, which evaluates this folder inside the realm of author code, and
 * `testing.ts` for unit tests; downstream the authors. No file, socket, clock or engine object
 * belongs here: everything reachable from here uses ECMAScript alone and imports relative paths.
 */
export type { EnvCast, EnvOptions, EnvRef } from "./env.ts";
export { env } from "./env.ts";
export { GraphError } from "./errors.ts";
export type { Table } from "./named_table.ts";
export { codeSet } from "./code_sets.ts";
export { currentEnvironment, currentIngestTime, state } from "./context.ts";
export type {
  BuildupOptions,
  Hl7InboundOptions,
  InboundOptions,
  ListenOptions,
  Metadata,
  OutboundOptions,
  RawInboundOptions,
  RetryOptions,
} from "./declare.ts";
export { handler, inbound, outbound, router } from "./declare.ts";
export type { Send, SetState } from "./effects.ts";
export { send, setState } from "./effects.ts";
export type { CapturedResponse, Correlation, ResponseOutcome } from "./lineage.ts";
export { currentCorrelation, response } from "./lineage.ts";
export type {
  DatabaseRefSettings,
  FileRefSettings,
  ReferenceOptions,
  ReferenceSource,
} from "./references.ts";
export { databaseRef, fileRef, reference } from "./references.ts";
export type { HandlerRef, InboundRef, OutboundRef, RouterRef } from "./handles.ts";
export type { AckMode, InternalErrorPolicy, Ordering } from "./options.ts";
export type {
  Body,
  Effect,
  HandlerResult,
  Json,
  JsonObject,
  Maybe,
  Payload,
  RouterResult,
} from "./results.ts";
export type {
  FileInboundSettings,
  FileOutboundSettings,
  InboundSpec,
  MllpInboundSettings,
  MllpOutboundSettings,
  OutboundSpec,
  Setting,
  TransportSpec,
} from "./specs.ts";
export { file, loopback, mllp } from "./specs.ts";
export type {
  ConsistencyRule,
  ContentType,
  ConvertOptions,
  Delimiters,
  FieldPath,
  FieldValue,
  Hl7Timestamp,
  LengthOfStay,
  NowOptions,
  Path,
  SegmentFields,
  TimestampPrecision,
  Violation,
  XmlElement,
} from "../hl7/surface.ts";
export {
  consistency,
  escape,
  Hl7CharsetError,
  Hl7PathError,
  Hl7SyntaxError,
  hl7Time,
  Message,
  RawMessage,
  Segment,
  SegmentGroup,
  splitByObr,
  unescape,
} from "../hl7/surface.ts";
