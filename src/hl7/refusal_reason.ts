/** Why a partner refused a message, in its own words. */
import { Message } from "./message.ts";
import type { Path } from "./path.ts";

/** Of the most readable first: HL7 v2.5.1 ch. 2.15.8 (MSA-3), 2.15.5 (ERR-8, ERR-7, ERR-3.2). */
const places: readonly Path[] = ["MSA-3.1", "ERR-8.1", "ERR-7.1", "ERR-3.2"];

/** UTF-16 units; a longer text is no reason but a copy of something. */
const REASON_MAX = 4_000;

/**
 * Returns the words of an acknowledgement that refuses; undefined when it has none. They may quote
 * the message: they are to be redacted before they are kept, and never logged.
 */
export function refusalReason(text: string): string | undefined {
  let message: Message;
  try {
    message = Message.parse(text);
  } catch {
    return undefined;
  }
  for (const place of places) {
    const words = message.get(place)?.trim();
    if (words !== undefined && words !== "" && words.length <= REASON_MAX) return words;
  }
  return undefined;
}
