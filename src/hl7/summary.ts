/** Whom a message is about, in a few words, for people who may see that. */
import { Message } from "./message.ts";
import type { Path } from "./path.ts";

/** UTF-16 units of each word; what is longer is no identifier and no name. */
const WORD_MAX = 80;

/**
 * Returns `MRN 4711 · DOE^JANE`: the first identifier (PID-3.1), family and given name (PID-5.1,
 * PID-5.2). Null when there is neither, or no HL7.
 */
export function summaryOf(text: string): string | null {
  let message: Message;
  try {
    message = Message.parse(text);
  } catch {
    return null;
  }
  const word = (path: Path) => cut(message.get(path) ?? "");
  const identifier = word("PID-3.1");
  const name = `${word("PID-5.1")}^${word("PID-5.2")}`.replace(/\^$/, "");
  const parts = [identifier === "" ? "" : `MRN ${identifier}`, name];
  return parts.filter((part) => part !== "").join(" · ") || null;
}

/** Ends between two characters. */
function cut(word: string): string {
  if (word.length <= WORD_MAX) return word;
  const last = word.charCodeAt(WORD_MAX - 1);
  return word.slice(0, last >= 0xd800 && last <= 0xdbff ? WORD_MAX - 1 : WORD_MAX);
}
