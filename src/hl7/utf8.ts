/**
 * UTF-8 without web APIs: author code runs in a realm that has only ECMAScript.
 *
 * Strict in both directions: no overlong forms, no surrogates, nothing replaced by U+FFFD.
 * Source: RFC 3629 §4.
 */

/** The decoded text, or the index of the first byte that is not UTF-8. */
export type Utf8Result =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly at: number };

const chunkUnits = 4096;

/** Decodes strictly; a BOM is kept. */
export function decodeUtf8(bytes: Uint8Array): Utf8Result {
  const units = new Uint16Array(Math.min(bytes.length, chunkUnits) + 1);
  let text = "";
  let count = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return { ok: false, at };
    count = appendCodePoint(units, count, codePointAt(bytes, at, length));
    at += length;
    if (count >= units.length - 1) {
      text += unitsToString(units, count);
      count = 0;
    }
  }
  return { ok: true, text: text + unitsToString(units, count) };
}

/** Encodes strictly, or returns the index of the first lone surrogate. */
export function encodeUtf8(text: string): Uint8Array | number {
  const bytes = new Uint8Array(text.length * 3);
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) ?? 0;
    if (code < 0x80) {
      bytes[count++] = code;
    } else if (code < 0x800) {
      bytes[count++] = 0xc0 | code >> 6;
      bytes[count++] = 0x80 | code & 0x3f;
    } else if (code < 0x10000) {
      if (code >= 0xd800 && code <= 0xdfff) return i;
      bytes[count++] = 0xe0 | code >> 12;
      bytes[count++] = 0x80 | code >> 6 & 0x3f;
      bytes[count++] = 0x80 | code & 0x3f;
    } else {
      bytes[count++] = 0xf0 | code >> 18;
      bytes[count++] = 0x80 | code >> 12 & 0x3f;
      bytes[count++] = 0x80 | code >> 6 & 0x3f;
      bytes[count++] = 0x80 | code & 0x3f;
      i++;
    }
  }
  return bytes.slice(0, count);
}

/** Returns the index of the first byte that is not UTF-8, or -1. */
export function firstInvalidUtf8(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return -1;
}

/** Length of the well-formed sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const [low, high] = secondByteRange(first);
  if (second < low || second > high) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let i = 2; i < length; i++) {
    if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

// RFC 3629 §4: the second byte is narrowed after E0, ED, F0 and F4.
function secondByteRange(first: number): readonly [number, number] {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  if (first === 0xf4) return [0x80, 0x8f];
  return [0x80, 0xbf];
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at] ?? 0;
  if (length === 1) return first;
  let code = first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) code = code << 6 | (bytes[at + i] ?? 0) & 0x3f;
  return code;
}

function appendCodePoint(units: Uint16Array, count: number, code: number): number {
  if (code < 0x10000) {
    units[count] = code;
    return count + 1;
  }
  units[count] = 0xd800 + (code - 0x10000 >> 10);
  units[count + 1] = 0xdc00 + (code - 0x10000 & 0x3ff);
  return count + 2;
}

function unitsToString(units: Uint16Array, count: number): string {
  return String.fromCharCode.apply(null, units.subarray(0, count) as unknown as number[]);
}
