/**
 * The cells of one ciphered column, as a tool goes through them: those that a key did not seal, in the
 * order of their keys, and many changed at once, each if nobody changed it meanwhile.
 */
import { prefixOfKey } from "../../crypto/sealed_cells.ts";
import type { CipheredColumn } from "../ciphered_cells.ts";
import type { ServerCell, ServerConnection, ServerRow } from "../server/dialect.ts";

/** Values of the primary key. */
export type Position = readonly (number | string)[];

export interface FoundCell {
  readonly at: Position;
  /** As it is stored. */
  readonly cell: string;
}

/** What a look at some rows found. */
export interface Found {
  readonly cells: readonly FoundCell[];
  /** Of the last row that was looked at; undefined when there was none. */
  readonly at: Position | undefined;
  /** No row comes after. */
  readonly isEnd: boolean;
}

type Asks = Pick<ServerConnection, "ask">;

/** Rows one look goes through at most. */
const ROWS_MAX = 2_000;

export class ColumnCells {
  /** `table.column` */
  readonly name: string;
  /** Its positions may be written elsewhere: numbers tell nothing of a patient. */
  readonly isNumbered: boolean;
  readonly #column: CipheredColumn;
  readonly #prefix: string;
  /** SQL types of the key's columns. */
  readonly #types: readonly string[];

  /** `keyId`: of the key that is not looked for. */
  static async open(
    connection: Asks,
    { column, keyId }: { readonly column: CipheredColumn; readonly keyId: string },
  ): Promise<ColumnCells> {
    const { rows } = await connection.ask(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type
         FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
      [column.table],
    );
    const types = new Map(rows.map(({ name, type }) => [String(name), String(type)]));
    return new ColumnCells(column, keyId, column.key.map((name) => types.get(name) ?? "text"));
  }

  private constructor(column: CipheredColumn, keyId: string, types: readonly string[]) {
    this.name = `${column.table}.${column.column}`;
    this.#column = column;
    this.#prefix = prefixOfKey(keyId);
    this.#types = types;
    this.isNumbered = types.every((type) => type === "bigint" || type === "integer");
  }

  async count(connection: Asks): Promise<number> {
    const { rows: [row] } = await connection.ask(
      `SELECT count(*) AS cells FROM ${this.#column.table} WHERE ${this.#wanted("$1")}`,
      [this.#prefix],
    );
    return Number(row?.cells);
  }

  /** Looks at the next rows, until there are cells enough or bytes enough of them. */
  async after(
    connection: Asks,
    position: Position | undefined,
    { cellsMax, bytesMax }: { readonly cellsMax: number; readonly bytesMax: number },
  ): Promise<Found> {
    const rows = await this.#look(connection, position);
    const chosen: Position[] = [];
    let at: Position | undefined;
    let [seen, bytes] = [0, 0];
    for (const row of rows) {
      at = this.#positionOf(row);
      seen += 1;
      if (row.size === null) continue;
      chosen.push(at);
      bytes += Number(row.size);
      if (chosen.length === cellsMax || bytes >= bytesMax) break;
    }
    const isEnd = seen === rows.length && rows.length < ROWS_MAX;
    return { cells: await this.#read(connection, chosen), at, isEnd };
  }

  /** Whether there is any; looks at rows in turn, so that no statement is long. */
  async hasAny(connection: Asks): Promise<boolean> {
    let position: Position | undefined;
    let rows: readonly ServerRow[];
    do {
      rows = await this.#look(connection, position);
      if (rows.some(({ size }) => size !== null)) return true;
      position = rows.length === 0 ? position : this.#positionOf(rows.at(-1)!);
    } while (rows.length === ROWS_MAX);
    return false;
  }

  /**
   * Writes cells; one that is not what was found any more stays, for then somebody else knows better.
   * Returns how many were written.
   */
  async change(
    connection: Asks,
    found: readonly FoundCell[],
    to: readonly string[],
  ): Promise<number> {
    const { table, key, column } = this.#column;
    const places = key.map((_, index) => `$${index + 1}::${this.#types[index]}[]`);
    const same = key.map((name) => `t.${name} = c.${name}`).join(" AND ");
    const { count } = await connection.ask(
      `UPDATE ${table} t
          SET ${column} = c.new_cell
         FROM unnest(${places.join(", ")}, $${key.length + 1}::text[], $${key.length + 2}::text[])
              AS c (${key.join(", ")}, old_cell, new_cell)
        WHERE ${same} AND t.${column} = c.old_cell`,
      [
        ...this.#arrays(found.map(({ at }) => at)),
        found.map(({ cell }) => cell),
        to,
      ],
    );
    return count;
  }

  /** Says which row it is, without saying what its key is made of when that may name a patient. */
  async describe(connection: Asks, { at }: FoundCell): Promise<string> {
    if (this.isNumbered) return `row ${at.join("/")} of "${this.name}"`;
    const { table, key } = this.#column;
    const { rows: [row] } = await connection.ask(
      `SELECT count(*) AS number FROM ${table} WHERE (${key.join(", ")}) <= (${this.#places})`,
      at,
    );
    return `row ${row?.number} (in the order of its key) of "${this.name}"`;
  }

  /** The next rows; `size` is null where the cell is none of those looked for. */
  async #look(connection: Asks, position: Position | undefined): Promise<readonly ServerRow[]> {
    const { table, key, column } = this.#column;
    const keys = key.join(", ");
    const prefix = `$${key.length + 1}`;
    const where = position === undefined ? "" : `WHERE (${keys}) > (${this.#places})`;
    const { rows } = await connection.ask(
      `SELECT ${keys}, CASE WHEN ${this.#wanted(position === undefined ? "$1" : prefix)}
                            THEN octet_length(${column}) END AS size
         FROM ${table} ${where}
        ORDER BY ${keys}
        LIMIT ${ROWS_MAX}`,
      [...position ?? [], this.#prefix],
    );
    return rows;
  }

  async #read(connection: Asks, chosen: readonly Position[]): Promise<readonly FoundCell[]> {
    if (chosen.length === 0) return [];
    const { table, key, column } = this.#column;
    const places = key.map((_, index) => `$${index + 1}::${this.#types[index]}[]`);
    const keys = key.map((name) => `t.${name}`).join(", ");
    const { rows } = await connection.ask(
      `SELECT ${keys}, t.${column} AS cell
         FROM ${table} t
         JOIN unnest(${places.join(", ")}) AS c (${key.join(", ")}) USING (${key.join(", ")})
        WHERE t.${column} <> ''`,
      this.#arrays(chosen),
    );
    return rows.map((row) => ({ at: this.#positionOf(row), cell: String(row.cell) }));
  }

  #arrays(positions: readonly Position[]): readonly (readonly ServerCell[])[] {
    return this.#types.map((type, index) => {
      const values = positions.map((at) => at[index]!);
      return type === "text" ? values.map(String) : values.map(Number);
    });
  }

  #positionOf(row: ServerRow): Position {
    return this.#column.key.map((name) => row[name] as number | string);
  }

  get #places(): string {
    return this.#types.map((type, index) => `$${index + 1}::${type}`).join(", ");
  }

  #wanted(prefix: string): string {
    const { column } = this.#column;
    return `${column} <> '' AND left(${column}, ${this.#prefix.length}) <> ${prefix}::text`;
  }
}
