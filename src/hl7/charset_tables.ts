/**
 * Tables of single-byte character sets: 256 characters, U+FFFD where a byte stands for nothing.
 *
 * The web's `iso-8859-1`, `-9` and `-11` are really windows sets, so those bytes come from here.
 * Source: ISO/IEC 8859, Unicode's mapping files for CP1252 and 8859-15.
 */

const undefinedByte = "\ufffd";

/** Bytes 0 to 255 as the characters of the same number. */
export const latin1: string = Array.from({ length: 256 }, (_, n) => String.fromCharCode(n)).join(
  "",
);

export const usAscii: string = latin1.slice(0, 128) + undefinedByte.repeat(128);

/** Latin-9: the euro sign and seven letters in place of eight signs of latin-1. */
export const iso885915: string = replaceAt(latin1, [
  [0xa4, "\u20ac"],
  [0xa6, "\u0160"],
  [0xa8, "\u0161"],
  [0xb4, "\u017d"],
  [0xb8, "\u017e"],
  [0xbc, "\u0152"],
  [0xbd, "\u0153"],
  [0xbe, "\u0178"],
]);

/** CP1252; 81, 8D, 8F, 90 and 9D stand for nothing. */
export const windows1252: string = latin1.slice(0, 128) +
  "\u20ac\ufffd\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\ufffd\u017d\ufffd" +
  "\ufffd\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\ufffd\u017e\u0178" +
  latin1.slice(160);

/**
 * Asks the runtime for a single-byte set. In the ISO sets 80 to 9F are controls, also where the
 * web calls a windows set by an ISO name.
 */
export function singleByteTable(name: string): string {
  const decoder = new TextDecoder(name, { fatal: true, ignoreBOM: true });
  let table = latin1.slice(0, 128);
  for (let byte = 128; byte < 256; byte++) {
    const isControl = byte < 160 && name.startsWith("iso-8859-");
    table += isControl ? String.fromCharCode(byte) : decodeByte(decoder, byte);
  }
  return table;
}

function decodeByte(decoder: TextDecoder, byte: number): string {
  try {
    return decoder.decode(Uint8Array.of(byte));
  } catch {
    return undefinedByte;
  }
}

function replaceAt(table: string, changes: readonly (readonly [number, string])[]): string {
  const characters = [...table];
  for (const [index, character] of changes) characters[index] = character;
  return characters.join("");
}
