/**
 * The cells of one ciphered column, as a tool goes through them: those that are not sealed as they
 * should be, in the order of their keys, and one changed if nobody changed it meanwhile.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { prefixOfKey, SEALED_PREFIX } from "../../crypto/sealed_cells.ts";
import type { CipheredColumn } from "../ciphered_cells.ts";
import type { SqlRow } from "./session.ts";

/**
 * Which cells are looked for: `clear` those that no key sealed, `former` those that the active key
 * did not seal. Empty cells are neither: they are purged.
 */
export type Which = "clear" | "former";

/** Values of the primary key; a text as bytes, for it may hold what ends a text of this runtime's SQLite. */
export type Position = readonly (number | Uint8Array)[];

export interface FoundCell {
  readonly at: Position;
  /** As it is stored; as bytes for the same reason. */
  readonly cell: Uint8Array;
}

/** What a look at some rows found. */
export interface Found {
  readonly cells: readonly FoundCell[];
  /** Of the last row that was looked at; undefined when there was none. */
  readonly at: Position | undefined;
  /** No row comes after. */
  readonly isEnd: boolean;
}

/** Rows one look goes through at most: whoever wants its thread need not wait long. */
const ROWS_MAX = 2_000;

export class ColumnCells {
  /** `table.column` */
  readonly name: string;
  /** Its positions may be written elsewhere: numbers tell nothing of a patient. */
  readonly isNumbered: boolean;
  readonly #db: DatabaseSync;
  readonly #column: CipheredColumn;
  readonly #prefix: string;
  /** Where a position is bound. */
  readonly #places: string;
  readonly #fromStart: StatementSync;
  readonly #after: StatementSync;
  readonly #change: StatementSync;

  constructor(
    db: DatabaseSync,
    { column: ciphered, which, keyId }: {
      readonly column: CipheredColumn;
      readonly which: Which;
      readonly keyId: string;
    },
  ) {
    const { table, key, column } = ciphered;
    this.name = `${table}.${column}`;
    this.#db = db;
    this.#column = ciphered;
    this.#prefix = which === "clear" ? SEALED_PREFIX : prefixOfKey(keyId);
    const numbers = new Set(
      db.prepare("SELECT name FROM pragma_table_info(?) WHERE pk > 0 AND type = 'INTEGER'")
        .all(table).map(({ name }) => name),
    );
    this.isNumbered = numbers.size === key.length;
    const keys = key.join(", ");
    const read = key.map((name) => numbers.has(name) ? name : `CAST(${name} AS BLOB) AS ${name}`);
    const places = key.map((name) => numbers.has(name) ? "?" : "CAST(? AS TEXT)").join(", ");
    this.#places = places;
    const rows = (where: string) => `
      SELECT ${
      read.join(", ")
    }, CASE WHEN ${this.#isWanted} THEN CAST(${column} AS BLOB) END AS cell
        FROM ${table} ${where}
       ORDER BY ${key.map((name) => `${table}.${name}`).join(", ")}
       LIMIT ${ROWS_MAX}`;
    this.#fromStart = db.prepare(rows(""));
    this.#after = db.prepare(rows(`WHERE (${keys}) > (${places})`));
    this.#change = db.prepare(`
      UPDATE ${table}
         SET ${column} = ?
       WHERE (${keys}) = (${places}) AND CAST(${column} AS BLOB) = ?`);
  }

  count(): number {
    const { table } = this.#column;
    const row = this.#db.prepare(`SELECT count(*) AS cells FROM ${table} WHERE ${this.#isWanted}`)
      .get(this.#prefix);
    return Number(row?.cells);
  }

  /** Looks at the next rows, until there are cells enough or bytes enough of them. */
  after(
    position: Position | undefined,
    { cellsMax, bytesMax }: { readonly cellsMax: number; readonly bytesMax: number },
  ): Found {
    const rows = position === undefined
      ? this.#fromStart.iterate(this.#prefix)
      : this.#after.iterate(this.#prefix, ...position);
    const cells: FoundCell[] = [];
    let at: Position | undefined;
    let [seen, bytes] = [0, 0];
    for (const row of rows as Iterable<SqlRow>) {
      at = this.#column.key.map((name) => row[name] as number | Uint8Array);
      seen += 1;
      if (row.cell === null) continue;
      const cell = row.cell as Uint8Array;
      cells.push({ at, cell });
      bytes += cell.length;
      if (cells.length === cellsMax || bytes >= bytesMax) return { cells, at, isEnd: false };
    }
    return { cells, at, isEnd: seen < ROWS_MAX && this.#isEndAfter(at ?? position) };
  }

  /**
   * Asks for one row more. A step that fails ends `iterate()` of this runtime as if no row were left:
   * cells behind a damaged page would count as sealed. `get()` throws what was wrong.
   */
  #isEndAfter(position: Position | undefined): boolean {
    const row = position === undefined
      ? this.#fromStart.get(this.#prefix)
      : this.#after.get(this.#prefix, ...position);
    return row === undefined;
  }

  /** Writes a cell; false when it is not what was found any more, for then somebody else knows better. */
  change({ at, cell }: FoundCell, to: string): boolean {
    return this.#change.run(to, ...at, cell).changes > 0;
  }

  /** Says which row it is, without saying what its key is made of when that may name a patient. */
  describe({ at }: FoundCell): string {
    if (this.isNumbered) return `row ${at.join("/")} of "${this.name}"`;
    const { table, key } = this.#column;
    const row = this.#db.prepare(`
      SELECT count(*) AS number
        FROM ${table}
       WHERE (${key.join(", ")}) <= (${this.#places})`).get(...at);
    return `row ${row?.number} (in the order of its key) of "${this.name}"`;
  }

  get #isWanted(): string {
    const { column } = this.#column;
    return `${column} <> '' AND substr(${column}, 1, ${this.#prefix.length}) <> ?`;
  }
}
