/** Looks for a value at a path, in every place the path leaves open. For searches over many texts. */
import { type Address, parsePath } from "./path.ts";
import { splitComponents, splitRepetitions, splitSubcomponents, walkMessage } from "./walk.ts";

/**
 * Whether a message has something at `path`: a value that contains `needle`, whatever the case, or
 * without one any value at all. A path that names no occurrence or repetition means any of them.
 * Values are compared as they stand, escape sequences and all. False for what is no HL7.
 *
 * @throws {Hl7PathError} `hl7.path_malformed`
 */
export function hasAt(text: string, path: string, needle?: string): boolean {
  const address = parsePath(path);
  const wanted = needle?.toLowerCase();
  for (const value of valuesAt(text, address)) {
    if (wanted === undefined ? value !== "" : value.toLowerCase().includes(wanted)) return true;
  }
  return false;
}

function* valuesAt(text: string, address: Address): Generator<string> {
  let message;
  try {
    message = walkMessage(text);
  } catch {
    return;
  }
  const { segments, delimiters } = message;
  for (const { id, occurrence, fields } of segments) {
    if (id !== address.segment) continue;
    if (address.hasOccurrence && occurrence !== address.occurrence) continue;
    const field = fields[address.field] ?? "";
    // MSH-1 and MSH-2 are the delimiters themselves.
    if (address.isWholeField || id === "MSH" && address.field < 3) {
      yield field;
      continue;
    }
    for (const [index, repetition] of splitRepetitions(field, delimiters).entries()) {
      if (address.repetition > 0 && index + 1 !== address.repetition) continue;
      if (address.component === 0) {
        yield repetition;
        continue;
      }
      const component = splitComponents(repetition, delimiters)[address.component - 1] ?? "";
      yield address.subcomponent === 0
        ? component
        : splitSubcomponents(component, delimiters)[address.subcomponent - 1] ?? "";
    }
  }
}
