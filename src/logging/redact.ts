/**
 * Takes patient data out of free text before it reaches a sink or the store.
 *
 * Four rules in a fixed order, each linear in the text; the second is applied once more at the end,
 * and so the whole is idempotent. It errs towards taking too much. Source: pipeline-store-cluster §9.1–9.2.
 */

const MASK = "[redacted]";

/** Replaces whatever may be patient data by `[redacted]`. */
export function redact(text: string): string {
  // A name spans white space: its mask joins what that kept apart into one run.
  return maskRuns(maskNames(maskDates(maskRuns(maskSegments(text)))));
}

/**
 * Redacts what is known to be a name, a code or a path of ours, without the rule for names of people:
 * it would take "Results Lab" for one. Free text never passes here.
 */
export function redactKnown(text: string): string {
  return ENGINE_ID.test(text) ? text : maskDates(maskRuns(maskSegments(text)));
}

/** An id of ours: among its 32 digits eight may look like a date, and a reader needs all of them. */
const ENGINE_ID = /^[0-9a-f]{32}$/;

/** Makes control characters visible, so that one record stays one line. TAB stays. */
export function scrubControls(text: string): string {
  return CONTROL.test(text) ? text.replace(CONTROLS, escapeControl) : text;
}

/** Redacts, then scrubs: what every free text passes on its way out. */
export function safeText(text: string): string {
  return scrubControls(redact(text));
}

/** Rule 1: a segment, from its id to the end of the line; the id stays. */
function maskSegments(text: string): string {
  if (!text.includes("|")) return text;
  const parts: string[] = [];
  let copied = 0;
  for (let at = 3; at < text.length; at++) {
    if (text.charCodeAt(at) !== 0x7c || at - copied < 3 || !isSegmentId(text, at - 3)) continue;
    parts.push(text.slice(copied, at), MASK);
    copied = endOfLine(text, at);
    at = copied;
  }
  return joined(parts, text.slice(copied));
}

function joined(parts: string[], rest: string): string {
  if (parts.length === 0) return rest;
  parts.push(rest);
  return parts.join("");
}

function isSegmentId(text: string, at: number): boolean {
  return classOf(text.charCodeAt(at)) === UPPER_ASCII && isIdRest(text.charCodeAt(at + 1)) &&
    isIdRest(text.charCodeAt(at + 2));
}

function isIdRest(code: number): boolean {
  return classOf(code) === UPPER_ASCII || (code >= 0x30 && code <= 0x39);
}

function endOfLine(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== 0x0d && text.charCodeAt(at) !== 0x0a) at++;
  return at;
}

/** Rule 2: a run without white space that holds two or more of `| ^ ~ &`. */
function maskRuns(text: string): string {
  if (!/[|^~&]/.test(text)) return text;
  const parts: string[] = [];
  let copied = 0;
  let start = 0;
  let marks = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 0x20;
    if (code === 0x7c || code === 0x5e || code === 0x7e || code === 0x26) marks++;
    else if (classOf(code) === SPACE) {
      if (marks >= 2) {
        parts.push(text.slice(copied, start), MASK);
        copied = at;
      }
      start = at + 1;
      marks = 0;
    }
  }
  return joined(parts, text.slice(copied));
}

/**
 * Rule 3: dates, year first or year last with `-` or `/`, or eight digits of this century or the
 * last. A date has no further digit on either side.
 */
function maskDates(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < text.length; at++) {
    if (!isDigit(text.charCodeAt(at))) continue;
    const end = dateEnd(text, at);
    if (end > 0) {
      parts.push(text.slice(copied, at), MASK);
      copied = end;
      at = end - 1;
    } else at = digitsEnd(text, at) - 1;
  }
  return joined(parts, text.slice(copied));
}

/** Returns where the date that starts at `start`, the first of its digits, ends; 0: no date. */
function dateEnd(text: string, start: number): number {
  const first = digitsEnd(text, start);
  const firstLength = first - start;
  if (firstLength === 8) {
    const century = text.slice(start, start + 2);
    return century === "19" || century === "20" ? first : 0;
  }
  if (!isDateMark(text.charCodeAt(first))) return 0;
  const second = digitsEnd(text, first + 1);
  const secondLength = second - first - 1;
  if (secondLength < 1 || secondLength > 2 || !isDateMark(text.charCodeAt(second))) return 0;
  const third = digitsEnd(text, second + 1);
  const thirdLength = third - second - 1;
  const yearFirst = firstLength === 4 && (thirdLength === 1 || thirdLength === 2);
  const yearLast = firstLength <= 2 && thirdLength === 4;
  return yearFirst || yearLast ? third : 0;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** `-` or `/`. */
function isDateMark(code: number): boolean {
  return code === 0x2d || code === 0x2f;
}

/**
 * Rule 4: two to four neighbouring words that are Capitalised, or that are ALL CAPS.
 *
 * A word may hold an apostrophe or a hyphen (`O'Brien`, `Anne-Marie`); neighbours have only white
 * space between them. A lone word stays, so class names and first words of sentences do.
 */
function maskNames(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  let run = NO_RUN;
  for (let at = 0; at < text.length;) {
    const kind = classOf(text.charCodeAt(at));
    if (kind === SPACE) {
      at++;
      continue;
    }
    const word = kind > SPACE ? wordAt(text, at) : NO_WORD;
    if (word.kind === run.kind && run.words < 4 && word.kind !== "none") {
      run = { kind: run.kind, start: run.start, end: word.end, words: run.words + 1 };
    } else {
      if (run.words >= 2) {
        parts.push(text.slice(copied, run.start), MASK);
        copied = run.end;
      }
      run = word.kind === "none" ? NO_RUN : { kind: word.kind, start: at, end: word.end, words: 1 };
    }
    at = kind > SPACE ? word.end : at + 1;
  }
  if (run.words >= 2) {
    parts.push(text.slice(copied, run.start), MASK);
    copied = run.end;
  }
  return joined(parts, text.slice(copied));
}

type WordKind = "none" | "capitalised" | "capitals";

interface Word {
  readonly kind: WordKind;
  readonly end: number;
}

interface Run extends Word {
  readonly start: number;
  readonly words: number;
}

const NO_WORD: Word = { kind: "none", end: 0 };
const NO_RUN: Run = { kind: "none", start: 0, end: 0, words: 0 };

/** Reads the word that starts at `start`; a joiner belongs to it when a letter follows. */
function wordAt(text: string, start: number): Word {
  let capitals = 0;
  let hasSmall = false;
  let hasDigit = false;
  let at = start;
  for (; at < text.length; at++) {
    const kind = classOf(text.charCodeAt(at));
    if (kind >= UPPER) capitals++;
    else if (kind === LOWER) hasSmall = true;
    else if (kind === DIGIT) hasDigit = true;
    else if (kind === JOINER) {
      if (at + 1 >= text.length || classOf(text.charCodeAt(at + 1)) <= SPACE) break;
    } else if (kind !== LETTER) break;
  }
  const startsHigh = classOf(text.charCodeAt(start)) >= UPPER;
  if (!startsHigh || hasDigit) return { kind: "none", end: at };
  if (hasSmall) return { kind: "capitalised", end: at };
  return { kind: capitals >= 2 ? "capitals" : "none", end: at };
}

// Classes of UTF-16 units; above SPACE: part of a word. Halves of surrogate pairs are OTHER.
const OTHER = 1;
const JOINER = 2;
const SPACE = 3;
const LETTER = 4;
const DIGIT = 5;
const LOWER = 6;
const UPPER = 7;
const UPPER_ASCII = 8;

/** Filled as units are met; 0 is not yet known. */
const classes = new Uint8Array(0x10000);

function classOf(code: number): number {
  const known = classes[code];
  return known ? known : classify(code);
}

function classify(code: number): number {
  if (Number.isNaN(code)) return OTHER;
  const unit = String.fromCharCode(code);
  let kind = OTHER;
  if (/^[A-Z]$/.test(unit)) kind = UPPER_ASCII;
  else if (/^[\p{Lu}\p{Lt}]$/u.test(unit)) kind = UPPER;
  else if (/^\p{Ll}$/u.test(unit)) kind = LOWER;
  else if (/^[\p{L}\p{M}]$/u.test(unit)) kind = LETTER;
  else if (/^[\p{N}_]$/u.test(unit)) kind = DIGIT;
  else if (/^\s$/.test(unit)) kind = SPACE;
  else if (/^['’-]$/.test(unit)) kind = JOINER;
  classes[code] = kind;
  return kind;
}

/** Controls (C0, DEL, C1) but TAB, and the two Unicode line ends. */
const CONTROL = /[^\P{Cc}\t]|[\u2028\u2029]/u;
const CONTROLS = new RegExp(CONTROL.source, "gu");

function escapeControl(character: string): string {
  if (character === "\r") return "\\r";
  if (character === "\n") return "\\n";
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
