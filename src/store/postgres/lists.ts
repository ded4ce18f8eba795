/** Lists on their way to PostgreSQL, as the literal of an array. */
import { toStoredText } from "../server/text.ts";

/** Writes a list of texts or of numbers; NULL where there is none. */
export function arrayLiteral(list: readonly (string | number | null)[]): string {
  return `{${list.map(elementOf).join(",")}}`;
}

function elementOf(one: string | number | null): string {
  if (one === null) return "NULL";
  if (typeof one === "number") return String(one);
  return `"${toStoredText(one).replace(/["\\]/g, "\\$&")}"`;
}
