/**
 * What a cell of SQL Server is to author code, by the type of its column. The library has turned the
 * server's bytes into values; where the value says less than the bytes did, the cell is refused.
 */
// @ts-types="../store/sqlserver/mssql.d.ts"
import mssql, { type ListColumn, type RawCell, type Type } from "mssql";
import { unreadableReference as unreadable } from "../graph/mod.ts";
import { type Cell, type Column, wholeNumber } from "./source_rows.ts";

type Raw = NonNullable<RawCell>;

/** Decimals come as floating numbers, which hold any decimal of this many digits. */
const DIGITS_MAX = 15;
/** Digits behind the point of an amount of money. */
const MONEY_SCALE = 4;

/** @throws {GraphError} `graph.reference_unreadable`: cells of its type have no text of their own. */
export function columnOf({ name, type, scale = 0 }: ListColumn): Column<Raw> {
  if (decimals.has(type)) return { name, read: (cell) => decimal(Number(cell), { name, scale }) };
  if (amounts.has(type)) {
    return { name, read: (cell) => decimal(Number(cell), { name, scale: MONEY_SCALE }) };
  }
  const read = readers.get(type);
  if (read === undefined) {
    throw unreadable(`column "${name}" is of a type that is not read: cast it in the statement`);
  }
  return { name, read };
}

const decimals: ReadonlySet<Type> = new Set([mssql.Decimal, mssql.Numeric]);
const amounts: ReadonlySet<Type> = new Set([mssql.Money, mssql.SmallMoney]);

const readers: ReadonlyMap<Type, (cell: Raw) => Cell> = new Map([
  ...all(
    [mssql.Bit, mssql.TinyInt, mssql.SmallInt, mssql.Int, mssql.Float],
    (cell) => cell as Cell,
  ),
  ...all([mssql.BigInt], (cell) => wholeNumber(String(cell))),
  ...all([mssql.Real], (cell) => shortest(Number(cell))),
  ...all([mssql.Char, mssql.NChar, mssql.VarChar, mssql.NVarChar, mssql.Text, mssql.NText], String),
  ...all([mssql.Xml, mssql.UniqueIdentifier], String),
  ...all([mssql.Binary, mssql.VarBinary, mssql.Image], (cell) => hex(cell as Uint8Array)),
  ...all([mssql.Date], (cell) => dateOf(cell as Instant)),
  ...all([mssql.Time], (cell) => timeOf(cell as Instant)),
  ...all([mssql.DateTime, mssql.DateTime2, mssql.SmallDateTime], (cell) => at(cell as Instant)),
  // The library has left the offset away; the moment is the same.
  ...all([mssql.DateTimeOffset], (cell) => `${at(cell as Instant)}+00`),
]);

function all(types: readonly Type[], read: (cell: Raw) => Cell) {
  return types.map((type) => [type, read] as const);
}

/** The server's text, `"1.50"`. */
function decimal(cell: number, { name, scale }: { name: string; scale: number }): string {
  if (Math.abs(cell) * 10 ** scale >= 10 ** DIGITS_MAX) {
    throw unreadable(
      `column "${name}" holds a number of more than ${DIGITS_MAX} digits: cast it to varchar in ` +
        "the statement",
    );
  }
  return cell.toFixed(scale);
}

/** The number people wrote, `0.1`, of which `real` holds no more than eight digits or nine. */
function shortest(real: number): number {
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(real.toPrecision(digits));
    if (Math.fround(short) === real) return short;
  }
  return Number(real.toPrecision(9));
}

function hex(bytes: Uint8Array): string {
  return `0x${bytes.toHex().toUpperCase()}`;
}

/** A moment, in UTC, of which a `Date` holds milliseconds. */
interface Instant extends Date {
  /** What is beyond them, in seconds. */
  readonly nanosecondsDelta?: number;
}

/** `2026-07-01 12:30:00.5` */
function at(instant: Instant): string {
  return `${dateOf(instant)} ${timeOf(instant)}`;
}

function dateOf(instant: Instant): string {
  return instant.toISOString().slice(0, 10);
}

/** As many digits of a second as there are: the server counts tenths of a microsecond. */
function timeOf(instant: Instant): string {
  const [seconds, milliseconds] = instant.toISOString().slice(11, -1).split(".");
  const beyond = String(Math.round((instant.nanosecondsDelta ?? 0) * 1e7)).padStart(4, "0");
  const fraction = `${milliseconds}${beyond}`.replace(/0+$/, "");
  return fraction === "" ? seconds! : `${seconds}.${fraction}`;
}
