/**
 * Looks up single rows without asking another thread: waking one costs several times what such a
 * look-up does, and every request to the API makes one. A connection of its own, read-only.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RegisterQueryName, RegisterValue } from "../registers/mod.ts";
import { plainCell } from "./cell_text.ts";
import type { Row } from "./reader_queries.ts";
import { registerSql } from "./registers/mod.ts";

/** Each by a primary key. */
const inline: ReadonlySet<RegisterQueryName> = new Set(["session", "userById"]);

export class InlineReads implements Disposable {
  readonly #path: string;
  readonly #prepared = new Map<RegisterQueryName, StatementSync>();
  /** Opened when first needed. */
  #db: DatabaseSync | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined: not here; ask the reading thread, which also says what is wrong. */
  rows(name: RegisterQueryName, values: readonly RegisterValue[]): Row[] | undefined {
    if (!inline.has(name)) return undefined;
    try {
      return this.#statement(name).all(...values).map(toRow);
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#prepared.clear();
    this.#db?.close();
    this.#db = undefined;
  }

  #statement(name: RegisterQueryName): StatementSync {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      // Nobody waits here: the thread that answers partners is this one.
      this.#db ??= new DatabaseSync(this.#path, { readOnly: true, timeout: 0 });
      this.#prepared.set(name, statement = this.#db.prepare(registerSql[name]));
    }
    return statement;
  }
}

function toRow(row: Readonly<Record<string, unknown>>): Row {
  return Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, plainCell(cell)]));
}
