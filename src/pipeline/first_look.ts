/**
 * What the engine sees of a message before it stores it: its header, and whether it may enter at all.
 *
 * The same for what a partner sends (`intake.ts`) and for what comes back in (`reingress.ts`).
 * Source: spec connectors-and-graph §1.2, §2.1.
 */
import type { ContentType } from "../graph/graph.ts";
import { carriedLength } from "../hl7/carriage.ts";
import {
  type AcknowledgementCode,
  countSegments,
  type Header,
  normaliseText,
  peekHeader,
} from "../hl7/mod.ts";

/**
 * The engine's ceiling for one message, whatever a connection allows: bytes of a binary one, decoded
 * length of text.
 */
export const MESSAGE_SIZE_MAX = 16 * 1024 * 1024;
export const SEGMENTS_MAX = 10_000;

export interface FirstLook {
  /** As it is stored. */
  readonly text: string;
  readonly header: Header | undefined;
  /** Set: it is stored as an error and goes no further. */
  readonly fault: Fault | undefined;
}

export interface Fault {
  readonly code: AcknowledgementCode;
  /** MSA-3: may tell the sender about its own message; never stored. */
  readonly told: string;
  /** Stored, redacted. */
  readonly stored: string;
}

export function isBinary(contentType: ContentType): boolean {
  return contentType === "binary" || contentType === "dicom";
}

/**
 * Looks at decoded text, or at the carriage of bytes; HL7 v2 gets its line ends in order and its
 * header read.
 */
export function lookAtText(decoded: string, contentType: ContentType): FirstLook {
  if (contentType !== "hl7v2") {
    const size = isBinary(contentType) ? carriedLength(decoded) : decoded.length;
    return { text: decoded, header: undefined, fault: oversize(size) };
  }
  const text = normaliseText(decoded);
  const peek = peekHeader(text);
  const header = peek.ok ? peek.header : undefined;
  const fault = oversize(text.length) ?? tooManySegments(text) ??
    (peek.ok ? undefined : { code: "AR" as const, told: peek.failure, stored: peek.failure });
  return { text, header, fault };
}

export function oversize(size: number): Fault | undefined {
  if (size <= MESSAGE_SIZE_MAX) return undefined;
  const text = `message over ${MESSAGE_SIZE_MAX} bytes`;
  return { code: "AR", told: text, stored: text };
}

function tooManySegments(text: string): Fault | undefined {
  // A segment takes four characters at least, so short texts need no counting.
  if (text.length < SEGMENTS_MAX * 2 || countSegments(text, SEGMENTS_MAX) <= SEGMENTS_MAX) {
    return undefined;
  }
  const reason = `message over ${SEGMENTS_MAX} segments`;
  return { code: "AR", told: reason, stored: reason };
}
