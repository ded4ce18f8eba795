/** Rows of any type, as they go over the wire. Source: MS-TDS §2.2.5.4, §2.2.5.5. */
import { Writer } from "./tds_tokens.ts";

/** What a column says of its type, and how its cells are written; one that is NULL has none. */
export interface Kind {
  readonly info: readonly number[];
  readonly nothing: readonly number[];
  /** With its length before it. */
  readonly write: (bytes: readonly number[]) => readonly number[];
  /** Its type where it cannot be NULL, and no length is said, if there is such a one. */
  readonly fixed?: number;
}

const short = (info: readonly number[], fixed?: number): Kind => ({
  info,
  fixed,
  nothing: [0],
  write: (bytes) => [bytes.length, ...bytes],
});
const long = (info: readonly number[]): Kind => ({
  info,
  nothing: [0xff, 0xff],
  write: (bytes) => [...little(bytes.length, 2), ...bytes],
});
const COLLATION = [0x09, 0x04, 0xd0, 0x00, 0x34];

export const kinds = {
  bit: short([0x68, 1], 0x32),
  tinyint: short([0x26, 1], 0x30),
  smallint: short([0x26, 2], 0x34),
  int: short([0x26, 4], 0x38),
  bigint: short([0x26, 8], 0x7f),
  real: short([0x6d, 4], 0x3b),
  float: short([0x6d, 8], 0x3e),
  smallmoney: short([0x6e, 4], 0x7a),
  money: short([0x6e, 8], 0x3c),
  smalldatetime: short([0x6f, 4], 0x3a),
  datetime: short([0x6f, 8], 0x3d),
  date: short([0x28]),
  time: short([0x29, 7]),
  datetime2: short([0x2a, 7]),
  datetimeoffset: short([0x2b, 7]),
  uniqueidentifier: short([0x24, 16]),
  varbinary: long([0xa5, 0x40, 0x1f]),
  varchar: long([0xa7, 0x40, 0x1f, ...COLLATION]),
  nvarchar: long([0xe7, 0x40, 0x1f, ...COLLATION]),
  sql_variant: { info: [0x62, 0x49, 0x1f, 0, 0], nothing: [0, 0, 0, 0], write: (bytes) => bytes },
} as const satisfies Record<string, Kind>;

/** The same as a column that cannot be NULL. */
export function solid(kind: Kind): Kind {
  return kind.fixed === undefined
    ? kind
    : { info: [kind.fixed], nothing: [], write: (bytes) => bytes };
}

export function decimal(precision: number, scale: number): Kind {
  return short([0x6a, 17, precision, scale]);
}

/** Bytes of a whole number, the least first. */
export function little(value: number | bigint, bytes: number): number[] {
  return [...new Writer().number(value, bytes).bytes];
}

/** Bytes of a floating number. */
export function floating(value: number, bytes: 4 | 8): number[] {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

export function ucs2(text: string): number[] {
  return [...new Writer().ucs2(text).bytes];
}

/** A sign, then the digits without their point. */
export function digits(value: bigint): number[] {
  return [value < 0n ? 0 : 1, ...little(value < 0n ? -value : value, 8), ...little(0, 8)];
}

export type Columns = readonly (readonly [name: string, kind: Kind])[];

export function head(columns: Columns): Uint8Array {
  const to = new Writer().put(0x81).number(columns.length, 2);
  for (const [name, { info }] of columns) to.number(0, 4).number(1, 2).put(...info).short(name);
  return to.bytes;
}

/** @param cells null: NULL. */
export function row(columns: Columns, cells: readonly (readonly number[] | null)[]): Uint8Array {
  const to = new Writer().put(0xd1);
  for (const [at, [, { nothing, write }]] of columns.entries()) {
    const cell = cells[at]!;
    to.put(...(cell === null ? nothing : write(cell)));
  }
  return to.bytes;
}
