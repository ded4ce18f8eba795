/** A code set as a file of CSV. Pure. */

/** A bare name of a file: no folder, no extension, nothing hidden. */
export function isStem(name: string): boolean {
  return name.length <= 128 && /^[\p{L}\p{N}_][\p{L}\p{N} _-]*$/u.test(name) &&
    name === name.trim();
}

/** Why a table cannot be written; a graph would refuse to load it. Rows are as long as the header. */
export function tableProblem(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string | undefined {
  if (columns.length < 2) return "it needs a key column and at least one value column";
  if (columns.includes("") || new Set(columns).size < columns.length) {
    return "every column needs its own name";
  }
  const seen = new Set<string>();
  for (const [index, row] of rows.entries()) {
    const [key = ""] = row;
    const place = `row ${index + 1}`;
    if (row.length > columns.length) return `${place} is longer than the header`;
    if (key.trim() === "") return `${place} has no key`;
    if (seen.has(key)) return `the key of ${place} stands in an earlier row too`;
    seen.add(key);
  }
  return undefined;
}

/** Header and rows, each with a line end. Source: RFC 4180. */
export function csvText(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  return [columns, ...rows].map((row) => `${row.map(cellText).join(",")}\n`).join("");
}

function cellText(cell: string): string {
  return /^[^\s",][^",\r\n]*$|^$/.test(cell) && !/\s$/.test(cell)
    ? cell
    : `"${cell.replaceAll('"', '""')}"`;
}
