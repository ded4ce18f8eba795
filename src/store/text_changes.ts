/**
 * A text as changes of another: what a handler sends is mostly the message it got.
 *
 * Changes are a JSON array: a text to take as it is, or two numbers, where a piece of the other text
 * begins and how long it is, in UTF-16 units. Lines (HL7 segments end with CR) are looked for whole
 * and in order; of a line that changed, what is the same at both its ends is kept.
 */

/** Shorter texts are not worth the work. */
const LENGTH_MIN = 256;
/** Changes longer than this share of the text are not worth it either. */
const SHARE_MAX = 0.5;

/** Lines that share fewer units at their start are of different kinds: a segment name and a `|`. */
const NAME_LENGTH = 4;
/** Units compared at once, at least and at most. */
const STRIDE = 64;
const STRIDE_MAX = 1024;
const STRIDE_GROWTH = 4;
/** A shorter piece costs more as two numbers than as it is. */
const COPY_MIN = 8;

type Piece = string | number;

/** Returns changes that `withChanges()` turns into `text`, or undefined when they save too little. */
export function changesFrom(base: string, text: string): string | undefined {
  if (text.length < LENGTH_MIN || base.length < LENGTH_MIN) return undefined;
  const end = base.includes("\r") ? "\r" : "\n";
  const script = new Script(text);
  const literalMax = text.length * SHARE_MAX;
  let [at, from] = [0, 0];
  while (from < text.length) {
    const same = sameFrom(base, at, text, from);
    script.copy(at, same);
    at += same;
    from += same;
    if (from === text.length) break;
    const place = pastDifference(script, { base, at, text, from, end });
    at = place.at;
    from = place.from;
    if (script.literalLength > literalMax) return undefined;
  }
  const changes = JSON.stringify(script.end());
  return changes.length > literalMax ? undefined : changes;
}

/** Returns the text that changes make of `base`, or undefined for changes that are none of it. */
export function withChanges(base: string, changes: string): string | undefined {
  const pieces = readPieces(changes);
  if (pieces === undefined) return undefined;
  let text = "";
  for (let index = 0; index < pieces.length; index += 1) {
    const piece = pieces[index]!;
    if (typeof piece === "string") {
      text += piece;
      continue;
    }
    const length = pieces[index += 1];
    if (!isPlace(piece) || !isPlace(length) || piece + length > base.length) return undefined;
    text += base.slice(piece, piece + length);
  }
  return text;
}

function readPieces(changes: string): readonly unknown[] | undefined {
  try {
    const pieces: unknown = JSON.parse(changes);
    return Array.isArray(pieces) ? pieces : undefined;
  } catch {
    return undefined;
  }
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

interface Place {
  readonly base: string;
  readonly at: number;
  readonly text: string;
  readonly from: number;
  /** Ends a line. */
  readonly end: string;
}

/** Goes on behind what differs; returns where, in both texts. */
function pastDifference(
  script: Script,
  { base, at, text, from, end }: Place,
): { readonly at: number; readonly from: number } {
  const baseEnd = endOfLine(base, at, end);
  const textEnd = endOfLine(text, from, end);
  const lineStart = base.lastIndexOf(end, at - 1) + 1;
  if (at - lineStart >= NAME_LENGTH) {
    // The same line, changed: what is the same at its end is kept.
    const max = Math.min(baseEnd - at, textEnd - from);
    const tail = sameBefore(base, baseEnd, text, textEnd, max);
    script.literal(textEnd - tail - from);
    return { at: baseEnd - tail, from: textEnd - tail };
  }
  const textStart = from - (at - lineStart);
  const line = text.slice(textStart, textEnd);
  const further = base.indexOf(end + line, lineStart);
  // The same line further on: what stands before it was left out. Else it was put in.
  if (further >= 0) {
    const taken = at - lineStart;
    return { at: further + 1 + taken, from };
  }
  script.literal(textEnd - from);
  return { at: lineStart, from: textEnd };
}

/** Where the line ends that stands at `at`, its last character included. */
function endOfLine(text: string, at: number, end: string): number {
  const found = text.indexOf(end, at);
  return found < 0 ? text.length : found + 1;
}

/** How many units are the same from here on. In strides, for comparing whole pieces is native. */
function sameFrom(base: string, at: number, text: string, from: number): number {
  const max = Math.min(base.length - at, text.length - from);
  let length = 0;
  for (let stride = STRIDE; length + stride <= max; stride *= STRIDE_GROWTH) {
    const piece = base.slice(at + length, at + length + stride);
    if (piece !== text.slice(from + length, from + length + stride)) break;
    length += stride;
  }
  for (let stride = STRIDE_MAX; stride >= STRIDE; stride /= STRIDE_GROWTH) {
    if (length + stride > max) continue;
    const piece = base.slice(at + length, at + length + stride);
    if (piece === text.slice(from + length, from + length + stride)) length += stride;
  }
  while (length < max && base.charCodeAt(at + length) === text.charCodeAt(from + length)) {
    length += 1;
  }
  return length;
}

/** How many units are the same before here, at most `max`. */
function sameBefore(
  base: string,
  at: number,
  text: string,
  from: number,
  max: number,
): number {
  let length = 0;
  while (
    length < max && base.charCodeAt(at - length - 1) === text.charCodeAt(from - length - 1)
  ) {
    length += 1;
  }
  return length;
}

/** Builds changes, joining what follows on. */
class Script {
  readonly #text: string;
  readonly #pieces: Piece[] = [];
  /** Where in the text it stands. */
  #at = 0;
  #copyFrom = 0;
  #copyLength = 0;
  /** Of what is its own and not among the pieces yet, up to `#at`. */
  #literalLength = 0;
  /** Of all that is its own. */
  literalLength = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next `length` units of the text stand in the base at `from`. */
  copy(from: number, length: number): void {
    if (length === 0) return;
    const at = this.#at;
    if (this.#copyLength > 0 && from === this.#copyFrom + this.#copyLength) {
      this.#at += length;
      this.#copyLength += length;
    } else if (length < COPY_MIN) {
      this.literal(length);
    } else {
      this.#close();
      this.#at = at + length;
      this.#copyFrom = from;
      this.#copyLength = length;
    }
  }

  /** The next `length` units of the text are its own. */
  literal(length: number): void {
    if (length === 0) return;
    this.#closeCopy();
    this.#at += length;
    this.#literalLength += length;
    this.literalLength += length;
  }

  end(): readonly Piece[] {
    this.#close();
    return this.#pieces;
  }

  #close(): void {
    this.#closeCopy();
    if (this.#literalLength === 0) return;
    this.#pieces.push(this.#text.slice(this.#at - this.#literalLength, this.#at));
    this.#literalLength = 0;
  }

  #closeCopy(): void {
    if (this.#copyLength === 0) return;
    this.#pieces.push(this.#copyFrom, this.#copyLength);
    this.#copyLength = 0;
  }
}
