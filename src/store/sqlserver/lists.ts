/** Lists on their way to SQL Server, as JSON that `OPENJSON` reads. */
import type { ServerCell } from "../server/dialect.ts";
import { toStoredText } from "../server/text.ts";

/** A list as the JSON text of an array. */
export function jsonList(list: readonly ServerCell[]): string {
  return JSON.stringify(list.map(storedCell));
}

/** Lists that are columns as the JSON text of an array of rows. */
export function jsonRows(columns: readonly (readonly ServerCell[])[]): string {
  const rows = columns[0]!.map((_, at) => columns.map((column) => storedCell(column[at]!)));
  return JSON.stringify(rows);
}

function storedCell(cell: ServerCell): ServerCell {
  if (typeof cell === "number" && !Number.isSafeInteger(cell)) {
    throw new TypeError("Not a whole number");
  }
  return typeof cell === "string" ? toStoredText(cell) : cell;
}
