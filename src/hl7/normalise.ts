/**
 * Line ends and byte order marks: what stands between decoded text and a message.
 *
 * HL7 text is stored with CR between segments (HL7 v2.5.1 §2.5.1), whatever the partner wrote.
 */

/**
 * Turns CRLF and LF into CR and strips one leading BOM; returns the same string when there is
 * nothing to do.
 */
export function normaliseText(text: string): string {
  const unmarked = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  return unmarked.indexOf("\n") < 0 ? unmarked : unmarked.replace(/\r?\n/g, "\r");
}

/**
 * Counts the segments of normalised text, up to one more than `max`; blank lines are none.
 * Intake holds it against the engine's ceiling without parsing anything.
 */
export function countSegments(text: string, max: number): number {
  let count = 0;
  let start = 0;
  while (start < text.length && count <= max) {
    let end = text.indexOf("\r", start);
    if (end < 0) end = text.length;
    if (end > start) count++;
    start = end + 1;
  }
  return count;
}
