/**
 * Acknowledgements: the ones we write for inbound messages and the ones partners send us.
 *
 * MSH and MSA only. Source: HL7 v2.5.1 §2.9 and §2.15.1; contents as in spec connectors-and-graph
 * §2.1.
 */
import { type Delimiters, findMsh, readDelimiters, standardDelimiters } from "./delimiters.ts";
import { escape } from "./escapes.ts";
import { type Header, peekHeader } from "./header.ts";
import { nthPart } from "./parts.ts";

/** `original` answers AA AE AR, `enhanced` CA CE CR. Only the letters differ. */
export type AcknowledgementMode = "original" | "enhanced";

export type AcknowledgementCode = "AA" | "AE" | "AR";

export interface AcknowledgementOptions {
  /** Of the inbound message; undefined when it could not be read. */
  readonly header: Header | undefined;
  /**
   * The beginning of the inbound text, used only without a header: what can still be read of an
   * MSH is echoed. Must reach past the MSH to be of use; 4 KiB do.
   */
  readonly rawStart: string;
  readonly code: AcknowledgementCode;
  readonly mode: AcknowledgementMode;
  /** MSA-3; at most 200 characters of it are sent. Must not hold patient data. */
  readonly reason?: string;
  /** Milliseconds since the epoch; MSH-7 shows it in the host's time zone. */
  readonly now: number;
}

const reasonCharactersMax = 200;

/** Writes the acknowledgement of one inbound message, two segments, each ended by CR. */
export function buildAcknowledgement(options: AcknowledgementOptions): string {
  const header = options.header ?? salvageHeader(options.rawStart);
  const delimiters = header?.delimiters ?? standardDelimiters;
  const sep = delimiters.field;
  const code = options.mode === "enhanced" ? enhancedCodes[options.code] : options.code;
  const controlId = header?.controlId ?? "";

  const msh = "MSH" + sep + delimiters.encodingCharacters +
    sep + (header?.receivingApplication ?? "") + sep + (header?.receivingFacility ?? "") +
    sep + (header?.sendingApplication ?? "") + sep + (header?.sendingFacility ?? "") +
    sep + localTimestamp(options.now) + sep +
    sep + messageType(header, delimiters) + sep + controlId +
    sep + (header?.processingId ?? "P") + sep + (header?.versionId ?? "2.5.1");
  const msa = "MSA" + sep + code + sep + controlId +
    (options.reason ? sep + escapeReason(options.reason, delimiters) : "");
  return twoLines(msh, msa);
}

/** What a partner's reply says. */
export interface AcknowledgementReply {
  /**
   * - `accepted`: AA or CA.
   * - `rejected`: AR or CR, trying again cannot help.
   * - `transient`: AE, CE, an unknown code or none, worth trying again.
   * - `not_hl7`: no MSH to be read: nothing was heard about the message.
   */
  readonly verdict: "accepted" | "rejected" | "transient" | "not_hl7";
  /** MSA-1 when it is a code we know. */
  readonly code: string | undefined;
  /** MSA-2. */
  readonly controlId: string | undefined;
  /** True when the reply carries an MSA segment. */
  readonly isAck: boolean;
}

/** Reads a reply frame. Unreadable text is a verdict, never a throw. */
export function readAcknowledgement(text: string): AcknowledgementReply {
  const separator = fieldSeparator(text);
  if (separator === undefined) {
    return { verdict: "not_hl7", code: undefined, controlId: undefined, isAck: false };
  }
  const msa = findSegment(text, "MSA" + separator);
  if (msa < 0) {
    return { verdict: "transient", code: undefined, controlId: undefined, isAck: false };
  }
  const end = lineEnd(text, msa);
  const codeAt = msa + 4;
  const codeEnd = fieldEnd(text, codeAt, { separator, end });
  const code = text.slice(codeAt, codeEnd).trim();
  const verdict = verdicts.get(code);
  const idAt = codeEnd + 1;
  const controlId = idAt > end
    ? undefined
    : text.slice(idAt, fieldEnd(text, idAt, { separator, end })).trim();
  return {
    verdict: verdict ?? "transient",
    code: verdict === undefined ? undefined : code,
    controlId: controlId || undefined,
    isAck: true,
  };
}

/** MSH-1 of a text that begins with an MSH, undefined for any other. */
function fieldSeparator(text: string): string | undefined {
  const msh = findMsh(text);
  return msh < 0 ? undefined : readDelimiters(text, msh)?.field;
}

const verdicts: ReadonlyMap<string, "accepted" | "rejected" | "transient"> = new Map([
  ["AA", "accepted"],
  ["CA", "accepted"],
  ["AE", "transient"],
  ["CE", "transient"],
  ["AR", "rejected"],
  ["CR", "rejected"],
]);

const enhancedCodes: Readonly<Record<AcknowledgementCode, string>> = {
  AA: "CA",
  AE: "CE",
  AR: "CR",
};

/** Undecodable bytes reach us as a latin-1 view: only its ASCII is safe to send back. */
function salvageHeader(rawStart: string): Header | undefined {
  const peek = peekHeader(rawStart.replace(/[^\t\r\n\x20-\x7e]/g, "?"));
  return peek.ok ? peek.header : undefined;
}

/** `ACK^A01^ACK` where structures exist (HL7 v2.3.1 and later), else `ACK`. */
function messageType(header: Header | undefined, delimiters: Delimiters): string {
  const trigger = header?.triggerEvent;
  if (trigger === undefined || !delimiters.isComplete) return "ACK";
  if (!hasStructures(header?.versionId ?? "", delimiters)) return "ACK";
  const { component } = delimiters;
  return "ACK" + component + escape(trigger, delimiters) + component + "ACK";
}

function hasStructures(versionId: string, delimiters: Delimiters): boolean {
  if (usualVersions.has(versionId)) return true;
  const version = nthPart(versionId, delimiters.component, 1) ?? "";
  const match = /^(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?$/.exec(version.trim());
  if (match === null) return false;
  const [major, minor, patch] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  return major > 2 || major === 2 && (minor > 3 || minor === 3 && patch >= 1);
}

/** Those that need no closer look. */
const usualVersions: ReadonlySet<string> = new Set(["2.3.1", "2.4", "2.5", "2.5.1"]);

function escapeReason(reason: string, delimiters: Delimiters): string {
  const line = reason.slice(0, reasonCharactersMax).replace(/\r\n|\r|\n/g, " ")
    .replace(/[\ud800-\udbff]$/, "");
  const mark = delimiters.escape;
  return line.replaceAll(mark, mark + "E" + mark)
    .replaceAll(delimiters.field, mark + "F" + mark);
}

/** Two segments, each ended by CR. Whatever their values hold, they stay two. */
function twoLines(msh: string, msa: string): string {
  const text = msh + "\r" + msa + "\r";
  // Echoed values end where their line ended; this holds for headers from anywhere else too.
  const isTwoLines = text.indexOf("\r") === msh.length &&
    text.indexOf("\r", msh.length + 1) === text.length - 1 && text.indexOf("\n") < 0;
  return isTwoLines ? text : oneLine(msh) + "\r" + oneLine(msa) + "\r";
}

function oneLine(segment: string): string {
  return segment.replace(/[\r\n]/g, " ");
}

function localTimestamp(ms: number): string {
  const at = new Date(ms);
  const date = at.getFullYear() * 10_000 + (at.getMonth() + 1) * 100 + at.getDate();
  const time = at.getHours() * 10_000 + at.getMinutes() * 100 + at.getSeconds();
  return String(date) + String(1_000_000 + time).slice(1);
}

/** Index of the first line after MSH that begins with `prefix`, or -1. */
function findSegment(text: string, prefix: string): number {
  for (let at = text.indexOf(prefix); at >= 0; at = text.indexOf(prefix, at + 1)) {
    const before = text.charCodeAt(at - 1);
    if (before === 0x0d || before === 0x0a) return at;
  }
  return -1;
}

/** Index of the CR or LF that ends the line around `from`, or the end of the text. */
function lineEnd(text: string, from: number): number {
  const carriageReturn = indexOrEnd(text, "\r", from);
  return Math.min(carriageReturn, indexOrEnd(text, "\n", from));
}

function fieldEnd(
  text: string,
  from: number,
  { separator, end }: { separator: string; end: number },
): number {
  return Math.min(indexOrEnd(text, separator, from), end);
}

function indexOrEnd(text: string, letter: string, from: number): number {
  const at = text.indexOf(letter, from);
  return at < 0 ? text.length : at;
}
