/**
 * Control IDs that name their source and sequence: `B` + source (4 digits) + sequence (9 digits).
 *
 * Upstream: `sender.ts` writes them into messages. Downstream: `sink.ts` reads them back,
 * `reconcile.ts` compares. The fixed width lets both work on bytes in place.
 */

/** Bytes of every control ID; HL7 v2.5.1 §2.14.9.10 allows 20. */
export const CONTROL_ID_BYTES = 14;
/** Sources are numbered from 0 to one less than this. */
export const SOURCES_MAX = 10_000;
/** Sequences are numbered from 0 to one less than this. */
export const SEQUENCES_MAX = 1_000_000_000;

const LETTER_B = 0x42;
const DIGIT_ZERO = 0x30;

/** Writes the control ID of `source` and `sequence` at `offset`. */
export function writeControlId(
  bytes: Uint8Array,
  offset: number,
  id: { readonly source: number; readonly sequence: number },
): void {
  bytes[offset] = LETTER_B;
  writeDigits(bytes, offset + 1, { value: id.source, digits: 4 });
  writeDigits(bytes, offset + 5, { value: id.sequence, digits: 9 });
}

/** Writes only the nine digits of the sequence into a control ID that already stands there. */
export function writeSequence(bytes: Uint8Array, offset: number, sequence: number): void {
  writeDigits(bytes, offset + 5, { value: sequence, digits: 9 });
}

/**
 * Reads a control ID as one number, `source * SEQUENCES_MAX + sequence`, or -1 when what stands
 * there is not one of ours.
 */
export function readControlKey(bytes: Uint8Array, offset: number): number {
  if (offset < 0 || bytes[offset] !== LETTER_B) return -1;
  let key = 0;
  for (let at = offset + 1; at < offset + CONTROL_ID_BYTES; at++) {
    const digit = (bytes[at] ?? 0) - DIGIT_ZERO;
    if (digit < 0 || digit > 9) return -1;
    key = key * 10 + digit;
  }
  return key;
}

/** Returns the number that `readControlKey` yields for this source and sequence. */
export function controlKey(source: number, sequence: number): number {
  return source * SEQUENCES_MAX + sequence;
}

function writeDigits(
  bytes: Uint8Array,
  offset: number,
  number: { readonly value: number; readonly digits: number },
): void {
  let rest = number.value;
  for (let at = offset + number.digits - 1; at >= offset; at--) {
    const next = Math.floor(rest / 10);
    bytes[at] = DIGIT_ZERO + (rest - next * 10);
    rest = next;
  }
}
