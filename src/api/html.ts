/** Text for a page: names are whatever an author calls a connection. */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Fit to stand between tags and in quoted attributes. */
export function escaped(value: string | number): string {
  return String(value).replace(/[&<>"']/g, (mark) => ENTITIES[mark]!);
}
