/**
 * A first look at a message: its MSH and nothing else.
 *
 * Intake calls this once for every message before it commits, so it costs about a microsecond and
 * answers with values: an unreadable message is a case, not a failure of ours.
 */
import { type Delimiters, findMsh, mshLine, readDelimiters } from "./delimiters.ts";
import { unescape } from "./escapes.ts";
import { nthPart } from "./parts.ts";

/** What intake needs of an MSH. Undefined where empty. Raw unless told. */
export interface Header {
  readonly delimiters: Delimiters;
  /** MSH-3. */
  readonly sendingApplication: string | undefined;
  /** MSH-4. */
  readonly sendingFacility: string | undefined;
  /** MSH-5. */
  readonly receivingApplication: string | undefined;
  /** MSH-6. */
  readonly receivingFacility: string | undefined;
  /** MSH-9: `ADT^A01^ADT_A01`. */
  readonly messageType: string | undefined;
  /** MSH-9.1, unescaped. */
  readonly messageCode: string | undefined;
  /** MSH-9.2, unescaped. */
  readonly triggerEvent: string | undefined;
  /** MSH-10. */
  readonly controlId: string | undefined;
  /** MSH-11: `P`, `T`, `P^T`. */
  readonly processingId: string | undefined;
  /** MSH-12: `2.5.1`, `2.5^USA`. */
  readonly versionId: string | undefined;
  /** MSH-18, all repetitions. */
  readonly characterSet: string | undefined;
}

/** Why a text is no message; short enough for MSA-3. */
export type HeaderFailure = "empty message" | "no MSH" | "unreadable delimiters";

export type HeaderPeek =
  | { readonly ok: true; readonly header: Header }
  | { readonly ok: false; readonly failure: HeaderFailure };

/**
 * Reads the MSH a message begins with. Blanks and one BOM before it are allowed; line ends may be
 * CR, LF or CRLF. Missing encoding characters are taken to be the usual ones.
 */
export function peekHeader(text: string): HeaderPeek {
  const start = findMsh(text);
  if (start < 0) return { ok: false, failure: isBlank(text) ? "empty message" : "no MSH" };
  const delimiters = readDelimiters(text, start);
  if (delimiters === undefined) return { ok: false, failure: "unreadable delimiters" };

  const msh = mshLine(text, start);
  const ends = fieldEnds(msh, delimiters.field);
  const messageType = fieldAt(msh, ends, 9);
  return {
    ok: true,
    header: {
      delimiters,
      sendingApplication: fieldAt(msh, ends, 3),
      sendingFacility: fieldAt(msh, ends, 4),
      receivingApplication: fieldAt(msh, ends, 5),
      receivingFacility: fieldAt(msh, ends, 6),
      messageType,
      messageCode: messageType && component(messageType, 1, delimiters),
      triggerEvent: messageType && component(messageType, 2, delimiters),
      controlId: fieldAt(msh, ends, 10),
      processingId: fieldAt(msh, ends, 11),
      versionId: fieldAt(msh, ends, 12),
      characterSet: fieldAt(msh, ends, 18),
    },
  };
}

/** MSH-10 alone, as `peekHeader()` reads it; undefined also where there is no header to be read. */
export function peekControlId(text: string): string | undefined {
  const start = findMsh(text);
  const delimiters = start < 0 ? undefined : readDelimiters(text, start);
  if (delimiters === undefined) return undefined;
  const msh = mshLine(text, start);
  let at = 3; // MSH-1; MSH-10 follows the ninth separator.
  for (let n = 1; n < 9; n++) {
    at = msh.indexOf(delimiters.field, at + 1);
    if (at < 0) return undefined;
  }
  const next = msh.indexOf(delimiters.field, at + 1);
  return msh.slice(at + 1, next < 0 ? msh.length : next) || undefined;
}

/**
 * True for a message that is itself an acknowledgement (MSH-9.1 `ACK`). We never ACK an ACK: two
 * engines that did would answer each other for ever.
 */
export function isAcknowledgement(header: Header): boolean {
  return header.messageCode === "ACK";
}

/** Where the fields of an MSH end: index n is the end of MSH-(n+1), up to MSH-18. */
function fieldEnds(msh: string, separator: string): readonly number[] {
  const ends: number[] = [];
  let at = 3; // The separator after "MSH" is MSH-1.
  while (at >= 0 && ends.length < 18) {
    ends.push(at);
    at = msh.indexOf(separator, at + 1);
  }
  ends.push(at < 0 ? msh.length : at);
  return ends;
}

/** MSH-n, for n from 3. */
function fieldAt(msh: string, ends: readonly number[], n: number): string | undefined {
  const end = ends[n - 1];
  if (end === undefined) return undefined;
  const start = (ends[n - 2] as number) + 1;
  return end > start ? msh.slice(start, end) : undefined;
}

function component(field: string, n: number, delimiters: Delimiters): string | undefined {
  const first = nthPart(field, delimiters.repetition, 1) ?? "";
  const part = nthPart(first, delimiters.component, n);
  return part ? unescape(part, delimiters) || undefined : undefined;
}

function isBlank(text: string): boolean {
  return text.trim() === "";
}
