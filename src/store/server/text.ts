/**
 * Texts on their way to a server: PostgreSQL takes every character but NUL, and nothing has to rely on
 * how another server's functions take it.
 *
 * A text with a NUL is stored behind a mark that no cell and no name begins with otherwise, and so
 * is one that begins with the mark. Equal texts have equal forms, so look-ups find them.
 */

const MARK = "mfenc:nul:";

/** Returns what is stored of a text. */
export function toStoredText(text: string): string {
  if (!text.includes("\0") && !text.startsWith(MARK)) return text;
  return MARK + text.replaceAll("%", "%25").replaceAll("\0", "%00");
}

/** Returns the text of what is stored. */
export function fromStoredText(stored: string): string {
  if (!stored.startsWith(MARK)) return stored;
  return stored.slice(MARK.length).replaceAll("%00", "\0").replaceAll("%25", "%");
}
