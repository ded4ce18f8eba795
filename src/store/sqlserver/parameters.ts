/** Values on their way to SQL Server, and back. */
// @ts-types="./mssql.d.ts"
import mssql, { type Recordset, type Type } from "mssql";
import type { ServerCell, ServerRow, ServerValue } from "../server/dialect.ts";
import { fromStoredText, toStoredText } from "../server/text.ts";
import { jsonList } from "./lists.ts";

/** Longer texts are of another type to the server, by which no index is looked into. */
const SIZED_MAX = 4_000;

export interface Parameter {
  readonly type: Type;
  readonly value: string | number | boolean | null;
}

/** @throws {TypeError} a number that the tables do not hold. */
export function toParameter(value: ServerValue): Parameter {
  if (typeof value === "boolean") return { type: mssql.Bit, value };
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new TypeError("Not a whole number");
    return { type: mssql.BigInt, value };
  }
  if (value === null) return { type: mssql.NVarChar(SIZED_MAX), value };
  if (typeof value !== "string") return { type: mssql.NVarChar(mssql.MAX), value: jsonList(value) };
  const stored = toStoredText(value);
  const length = stored.length > SIZED_MAX ? mssql.MAX : SIZED_MAX;
  return { type: mssql.NVarChar(length), value: stored };
}

/** Rows as the store reads them: big numbers come as texts. */
export function toRows(recordset: Recordset | undefined): readonly ServerRow[] {
  if (recordset === undefined) return [];
  const big = Object.values(recordset.columns)
    .filter(({ type }) => type === mssql.BigInt)
    .map(({ name }) => name);
  return recordset.map((given) => {
    const row: Record<string, ServerCell> = {};
    for (const [name, cell] of Object.entries(given)) row[name] = toCell(cell);
    for (const name of big) if (row[name] !== null) row[name] = Number(row[name]);
    return row;
  });
}

function toCell(cell: string | number | boolean | null): ServerCell {
  if (typeof cell === "string") return fromStoredText(cell);
  return typeof cell === "boolean" ? Number(cell) : cell;
}
