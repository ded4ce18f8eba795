/** A table that the engine holds, as author code reads it: looked up anew at each read. */
import { GraphError } from "./errors.ts";

/** Lookups accept `undefined`, so reads can be passed straight in. */
export interface Table<V> {
  readonly name: string;
  readonly size: number;
  get(key: string | undefined): V | undefined;
  /** @throws {GraphError} `graph.code_set_miss` or `graph.reference_miss`, naming the table and never the key. */
  require(key: string | undefined): V;
  has(key: string | undefined): boolean;
  keys(): IterableIterator<string>;
}

/** Where tables of one kind come from. */
export interface TableKind {
  /** As errors call it. */
  readonly title: string;
  /** Code of a miss. */
  readonly miss: string;
  /** @throws {GraphError} there is no table of that name, or not now. */
  readonly rows: (name: string) => ReadonlyMap<string, unknown>;
}

export class NamedTable<V> implements Table<V> {
  readonly #kind: TableKind;
  readonly #name: string;

  // Authors reach this class through its instances only, so the realm's freezing does not find it.
  static {
    Object.freeze(this.prototype);
    Object.freeze(this);
  }

  constructor(kind: TableKind, name: string) {
    this.#kind = kind;
    this.#name = name;
    Object.freeze(this);
  }

  get name(): string {
    return this.#name;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: string | undefined): V | undefined {
    const rows = this.#rows;
    return key === undefined ? undefined : rows.get(key) as V | undefined;
  }

  require(key: string | undefined): V {
    const rows = this.#rows;
    if (key !== undefined && rows.has(key)) return rows.get(key) as V;
    const { title, miss } = this.#kind;
    const what = key === undefined ? "an absent value" : "the value";
    throw new GraphError(miss, `Cannot translate: ${title} "${this.#name}" does not hold ${what}`);
  }

  has(key: string | undefined): boolean {
    const rows = this.#rows;
    return key !== undefined && rows.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#rows.keys();
  }

  get #rows(): ReadonlyMap<string, unknown> {
    return this.#kind.rows(this.#name);
  }
}
