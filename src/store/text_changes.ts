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

type Piece = string | number;

/** Returns changes that `withChanges()` turns into `text`, or undefined when they save too little. */
export function changesFrom(base: string, text: string): string | undefined {
  if (text.length < LENGTH_MIN || base.length < LENGTH_MIN) return undefined;
  const end = base.includes("\r") ? "\r" : "\n";
  const script = new Script(base);
  let at = 0;
  for (let from = 0; from < text.length;) {
    const found = text.indexOf(end, from);
    const to = found < 0 ? text.length : found + 1;
    at = addLine(script, text.slice(from, to), { base, at, end });
    if (script.literalLength > text.length * SHARE_MAX) return undefined;
    from = to;
  }
  const changes = JSON.stringify(script.end());
  return changes.length > text.length * SHARE_MAX ? undefined : changes;
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
  /** Where the next line of `base` begins. */
  readonly at: number;
  readonly end: string;
}

/** Adds a line; returns where the line of `base` begins that is looked at next. */
function addLine(script: Script, line: string, { base, at, end }: Place): number {
  if (base.startsWith(line, at)) {
    script.copy(at, line.length);
    return at + line.length;
  }
  // A line that is the same further on: what stands before it was left out.
  const further = base.indexOf(end + line, at);
  if (further >= 0) {
    script.copy(further + 1, line.length);
    return further + 1 + line.length;
  }
  const found = base.indexOf(end, at);
  const next = found < 0 ? base.length : found + 1;
  const former = base.slice(at, next);
  const head = sameAtStart(former, line);
  // Another kind of line than stands there was put in before it.
  if (head < Math.min(4, line.length)) {
    script.literal(line);
    return at;
  }
  const tail = sameAtEnd(former, line, Math.min(former.length, line.length) - head);
  script.copy(at, head);
  script.literal(line.slice(head, line.length - tail));
  script.copy(next - tail, tail);
  return next;
}

function sameAtStart(one: string, other: string): number {
  const max = Math.min(one.length, other.length);
  let length = 0;
  while (length < max && one.charCodeAt(length) === other.charCodeAt(length)) length += 1;
  return length;
}

function sameAtEnd(one: string, other: string, max: number): number {
  const [oneEnd, otherEnd] = [one.length - 1, other.length - 1];
  let length = 0;
  while (
    length < max && one.charCodeAt(oneEnd - length) === other.charCodeAt(otherEnd - length)
  ) length += 1;
  return length;
}

/** Builds changes, joining what follows on. */
class Script {
  readonly #base: string;
  readonly #pieces: Piece[] = [];
  #from = 0;
  #length = 0;
  #text = "";
  literalLength = 0;

  constructor(base: string) {
    this.#base = base;
  }

  copy(from: number, length: number): void {
    // A short piece costs more as two numbers than as it is.
    if (length === 0) return;
    if (this.#length > 0 && from === this.#from + this.#length) {
      this.#length += length;
    } else if (length < 8) {
      this.literal(this.#base.slice(from, from + length));
    } else {
      this.#close();
      this.#from = from;
      this.#length = length;
    }
  }

  literal(text: string): void {
    if (text === "") return;
    this.#closeCopy();
    this.#text += text;
    this.literalLength += text.length;
  }

  end(): readonly Piece[] {
    this.#close();
    return this.#pieces;
  }

  #close(): void {
    this.#closeCopy();
    if (this.#text !== "") this.#pieces.push(this.#text);
    this.#text = "";
  }

  #closeCopy(): void {
    if (this.#length > 0) this.#pieces.push(this.#from, this.#length);
    this.#length = 0;
  }
}
