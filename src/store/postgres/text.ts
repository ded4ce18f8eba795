/**
 * Texts on their way to PostgreSQL, which takes every character but NUL.
 *
 * A text with a NUL is stored behind a mark that no cell and no name begins with otherwise, and so
 * is one that begins with the mark. Equal texts have equal forms, so look-ups find them.
 */

const MARK = "mfenc:nul:";

/** Returns what is stored of a text. */
export function toPgText(text: string): string {
  if (!text.includes("\0") && !text.startsWith(MARK)) return text;
  return MARK + text.replaceAll("%", "%25").replaceAll("\0", "%00");
}

/** Returns the text of what is stored. */
export function fromPgText(stored: string): string {
  if (!stored.startsWith(MARK)) return stored;
  return stored.slice(MARK.length).replaceAll("%00", "\0").replaceAll("%25", "%");
}

/** Writes a list as the literal of a text array; NULL where there is none. */
export function textArray(texts: readonly (string | null)[]): string {
  return `{${texts.map(quoted).join(",")}}`;
}

/** Writes a list as the literal of an array of numbers. */
export function numberArray(numbers: readonly (number | null)[]): string {
  return `{${numbers.map((one) => one ?? "NULL").join(",")}}`;
}

function quoted(text: string | null): string {
  return text === null ? "NULL" : `"${toPgText(text).replace(/["\\]/g, "\\$&")}"`;
}
