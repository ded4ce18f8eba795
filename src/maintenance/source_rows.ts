/** How the result of a query becomes the rows of a reference set, whichever server gave it. */
import type { DatabaseReference } from "../graph/graph.ts";
import { unreadableReference as unreadable } from "../graph/mod.ts";
import { ROWS_MAX, sourceTooLarge } from "./source_limits.ts";

/** A key and what stands under it, as author code gets it. */
export type Row = readonly [string, Cell | Readonly<Record<string, Cell>>];
export type Cell = string | number | boolean;

/** A column of a result, and what a cell of it is that is not NULL. */
export interface Column<Raw> {
  readonly name: string;
  readonly read: (cell: Raw) => Cell;
}

/** Takes the rows of one result as they arrive; no more of them than a set may have. */
export class SourceRows<Raw> {
  readonly #columns: readonly Column<Raw>[];
  readonly #keyAt: number;
  /** Undefined: a record of the others. */
  readonly #valueAt: number | undefined;
  readonly #rows = new Map<string, Row[1]>();

  /** @throws {GraphError} `graph.reference_unreadable`: the result lacks a column, or has one twice. */
  constructor(
    columns: readonly Column<Raw>[],
    { keyColumn, valueColumn }: Pick<DatabaseReference, "keyColumn" | "valueColumn">,
  ) {
    const names = columns.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw unreadable(`the result has two columns "${twice}"`);
    const placeOf = (setting: string, name: string) => {
      const at = names.indexOf(name);
      if (at !== -1) return at;
      const there = names.map((one) => `"${one}"`).join(", ");
      throw unreadable(`setting "${setting}": the result has no column "${name}", but ${there}`);
    };
    this.#columns = columns;
    this.#keyAt = placeOf("key_column", keyColumn);
    this.#valueAt = valueColumn === undefined ? undefined : placeOf("value_column", valueColumn);
  }

  /**
   * Takes the next row.
   *
   * @throws {GraphError} `graph.reference_unreadable`: it has no key, or one of an earlier row.
   * @throws {EngineError} `reference.source_too_large`.
   */
  add(cells: readonly (Raw | null)[]): void {
    const number = this.#rows.size + 1;
    if (number > ROWS_MAX) throw sourceTooLarge(`${ROWS_MAX} rows`);
    const key = String(this.#cell(cells, this.#keyAt));
    if (key === "") throw unreadable(`row ${number} has no key`);
    if (this.#rows.has(key)) throw unreadable(`row ${number}: the key stands in an earlier row`);
    this.#rows.set(key, this.#value(cells));
  }

  /** A server need not give rows in the same order twice, and the same rows are the same version. */
  sorted(): readonly Row[] {
    return [...this.#rows].sort(([a], [b]) => a < b ? -1 : 1);
  }

  #value(cells: readonly (Raw | null)[]): Row[1] {
    if (this.#valueAt !== undefined) return this.#cell(cells, this.#valueAt);
    const others = this.#columns.map(({ name }, at) => [name, this.#cell(cells, at)] as const);
    return Object.fromEntries(others.toSpliced(this.#keyAt, 1));
  }

  /** NULL is an empty text, as an empty cell of a file is. */
  #cell(cells: readonly (Raw | null)[], at: number): Cell {
    const cell = cells[at];
    return cell === null || cell === undefined ? "" : this.#columns[at]!.read(cell);
  }
}

/** A whole number that would not survive as one stays text. */
export function wholeNumber(text: string): Cell {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : text;
}

/** What is no number, or none that ends, stays text. */
export function floatingNumber(text: string): Cell {
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}
