/**
 * What a connection, a router or a handler may be called.
 *
 * Names are free strings, case-sensitive. Source: spec connectors-and-graph §1.5.
 */

const nameLengthMax = 256;

/** Returns what is wrong with `name`, or undefined. */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== "string") return "the name must be a string";
  if (name.length === 0 || name.length > nameLengthMax) {
    return `the name must have 1 to ${nameLengthMax} characters`;
  }
  if (name.trim() !== name) return "the name must not begin or end with a blank";
  if (/\p{Cc}/u.test(name)) return "the name must not hold a control character";
  if (name.includes("/")) return 'the name must not hold "/"';
  if (name.startsWith("_")) return 'names that begin with "_" are reserved';
  return undefined;
}

/** `name` as it may stand in a message: cut, without control characters. */
export function quoteName(name: unknown): string {
  if (typeof name !== "string") return `of type ${typeof name}`;
  const shown = name.slice(0, nameLengthMax).replace(/\p{Cc}/gu, "?");
  return `"${shown}"`;
}
