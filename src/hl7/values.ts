/**
 * What authors may write, and how it becomes raw text.
 *
 * Text for a whole field or repetition is structure and stays as it is, text for a part is data and
 * gets escaped; nothing may begin a new segment.
 */
import { type Delimiters, requireComplete } from "./delimiters.ts";
import { Hl7SyntaxError } from "./errors.ts";
import { escape } from "./escapes.ts";
import type { FieldAddress } from "./path.ts";

/** A value to write: text, or the parts of what the path addresses. */
export type FieldValue = string | readonly string[];

/**
 * Turns a value into raw text for `address`.
 *
 * @throws {Hl7SyntaxError} `hl7.value_unsuitable` for what is no such value, `hl7.value_unsafe` for
 * one that would break the structure around it.
 */
export function encodeValue(
  value: FieldValue,
  address: FieldAddress,
  delimiters: Delimiters,
): string {
  if (typeof value === "string") {
    requireOneLine(value, address.text);
    return address.component === 0
      ? requireStructure(value, address, delimiters)
      : escape(value, delimiters);
  }
  if (!Array.isArray(value) || address.subcomponent > 0) {
    throw new Hl7SyntaxError(
      "hl7.value_unsuitable",
      `Cannot write "${address.text}": want text, or an array of parts above subcomponents`,
    );
  }
  requireComplete(delimiters, address.text);
  const parts = value.map((part: unknown) => {
    requireOneLine(part, address.text);
    return escape(part, delimiters);
  });
  return parts.join(address.component === 0 ? delimiters.component : delimiters.subcomponent);
}

/** Returns `value` when it stays within the field, or the repetition, it is for. */
function requireStructure(
  value: string,
  address: FieldAddress,
  { field, repetition }: Delimiters,
): string {
  const breaksField = value.includes(field);
  if (!breaksField && (address.isWholeField || !value.includes(repetition))) return value;
  const what = breaksField ? "field separator" : "repetition separator";
  throw new Hl7SyntaxError(
    "hl7.value_unsafe",
    `Cannot write "${address.text}": the value contains the ${what}`,
    { hint: "Write a component, or an array, to have the value escaped" },
  );
}

function requireOneLine(value: unknown, path: string): asserts value is string {
  if (typeof value !== "string") {
    throw new Hl7SyntaxError("hl7.value_unsuitable", `Cannot write "${path}": want text`);
  }
  if (!value.includes("\r") && !value.includes("\n")) return;
  throw new Hl7SyntaxError(
    "hl7.value_unsafe",
    `Cannot write "${path}": the value contains CR or LF, which would begin a new segment`,
  );
}
