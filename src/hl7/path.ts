/**
 * Addresses within a message: `PID-3.1`, `OBX[2]-5`, `PID-3[2].1`, and `3.1` within a segment.
 *
 * Everything counts from 1 and 0 is malformed. `[n]` after the segment is its nth occurrence,
 * `[r]` after the field its rth repetition.
 */
import { Hl7PathError } from "./errors.ts";
import type { PartAddress } from "./parts.ts";

type Nth = "" | `[${number}]`;
type Part = "" | `.${number}` | `.${number}.${number}`;

/** A path within a segment: `"3.1"`, `"5[2]"`. */
export type FieldPath = `${number}${Nth}${Part}`;

/** A path within a message: `"PID-3.1"`, `"OBX[2]-5"`. */
export type Path = `${Uppercase<string>}${Nth}-${FieldPath}`;

/** A parsed `FieldPath`; repetition, component and subcomponent are 0 when not addressed. */
export interface FieldAddress extends PartAddress {
  /** As the author wrote it, for messages. */
  readonly text: string;
  readonly field: number;
  /** True when the path stops at the field: no repetition, no component. */
  readonly isWholeField: boolean;
}

/** A parsed `Path`. */
export interface Address extends FieldAddress {
  readonly segment: string;
  /** From 1; 1 when not written. */
  readonly occurrence: number;
  readonly hasOccurrence: boolean;
}

// Five digits reach past the 10 000 segments the engine admits and keep padding small.
const pathPattern =
  /^([A-Z][A-Z0-9]{2})(?:\[([1-9]\d{0,4})\])?-([1-9]\d{0,3})(?:\[([1-9]\d{0,4})\])?(?:\.([1-9]\d{0,3})(?:\.([1-9]\d{0,3}))?)?$/;
const fieldPathPattern =
  /^([1-9]\d{0,3})(?:\[([1-9]\d{0,4})\])?(?:\.([1-9]\d{0,3})(?:\.([1-9]\d{0,3}))?)?$/;
const segmentIdPattern = /^[A-Z][A-Z0-9]{2}$/;

/** How many parsed paths each cache holds before it starts over. */
const cachedPathsMax = 2048;
const pathCache = new Map<string, Address>();
const fieldPathCache = new Map<string, FieldAddress>();

/** @throws {Hl7PathError} `hl7.path_malformed` */
export function parsePath(path: string): Address {
  const cached = pathCache.get(path);
  if (cached !== undefined) return cached;
  const match = typeof path === "string" ? pathPattern.exec(path) : null;
  if (match === null) throw malformedPath(path, "PID-3.1");
  const address: Address = {
    text: path,
    segment: match[1] ?? "",
    occurrence: Number(match[2] ?? 1),
    hasOccurrence: match[2] !== undefined,
    field: Number(match[3]),
    repetition: Number(match[4] ?? 0),
    component: Number(match[5] ?? 0),
    subcomponent: Number(match[6] ?? 0),
    isWholeField: match[4] === undefined && match[5] === undefined,
  };
  return remember(pathCache, path, address);
}

/** @throws {Hl7PathError} `hl7.path_malformed` */
export function parseFieldPath(path: string): FieldAddress {
  const cached = fieldPathCache.get(path);
  if (cached !== undefined) return cached;
  const match = typeof path === "string" ? fieldPathPattern.exec(path) : null;
  if (match === null) throw malformedPath(path, "3.1");
  const address: FieldAddress = {
    text: path,
    field: Number(match[1]),
    repetition: Number(match[2] ?? 0),
    component: Number(match[3] ?? 0),
    subcomponent: Number(match[4] ?? 0),
    isWholeField: match[2] === undefined && match[3] === undefined,
  };
  return remember(fieldPathCache, path, address);
}

/** @throws {Hl7PathError} `hl7.segment_id_invalid` */
export function requireSegmentId(id: string): void {
  if (typeof id === "string" && segmentIdPattern.test(id)) return;
  throw new Hl7PathError(
    "hl7.segment_id_invalid",
    'Cannot use segment id: want a capital letter and two capitals or digits, as in "PID"',
  );
}

/** @throws {Hl7PathError} `hl7.occurrence_invalid` unless `n` is a whole number from 1. */
export function requireOccurrence(n: number, of: string): void {
  if (Number.isSafeInteger(n) && n >= 1) return;
  throw new Hl7PathError("hl7.occurrence_invalid", `Cannot count ${of} so: occurrences start at 1`);
}

function remember<T>(cache: Map<string, T>, path: string, address: T): T {
  if (cache.size >= cachedPathsMax) cache.clear();
  cache.set(path, Object.freeze(address));
  return address;
}

// Only what looks like an attempt at a path is quoted: a computed path may hold data by mistake.
function malformedPath(path: unknown, example: string): Hl7PathError {
  const quoted = typeof path === "string" && /^[A-Za-z0-9.[\]-]{1,24}$/.test(path)
    ? ` "${path}"`
    : "";
  return new Hl7PathError(
    "hl7.path_malformed",
    `Cannot read path${quoted}: want a form such as "${example}", counting from 1`,
  );
}
