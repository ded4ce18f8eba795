/**
 * Looks up single rows without asking another thread: waking one costs several times what such a
 * look-up does, and every request to the API makes one. A connection of its own, read-only.
 *
 * What was found is kept until this process changes a register ({@link InlineReads.forget}), or
 * SQLite's own count of changes (`PRAGMA data_version`) shows that anybody else did. The count is
 * looked at ten times a second at most, for it costs as much as the row: what somebody does at the
 * console of the machine, beside the engine, holds a tenth of a second later.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RegisterQueryName, RegisterValue } from "../registers/mod.ts";
import { plainCell } from "./cell_text.ts";
import type { Row } from "./reader_queries.ts";
import { registerSql } from "./registers/mod.ts";

/** Each by a primary key. */
const inline: ReadonlySet<RegisterQueryName> = new Set(["session", "userById"]);
/** More rows than people at work; the key of one is its query and value. */
const KEPT_MAX = 256;
/** How long what another process changes may go unnoticed. */
const UNNOTICED_MS = 100;

export class InlineReads implements Disposable {
  readonly #path: string;
  readonly #prepared = new Map<RegisterQueryName | "version", StatementSync>();
  readonly #kept = new Map<string, readonly Row[]>();
  /** Of the database, when the rows were kept. */
  #version: unknown;
  /** When that was last looked at. */
  #lookedAt = -Infinity;
  /** Opened when first needed. */
  #db: DatabaseSync | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined: not here; ask the reading thread, which also says what is wrong. */
  rows(name: RegisterQueryName, values: readonly RegisterValue[]): readonly Row[] | undefined {
    if (!inline.has(name)) return undefined;
    try {
      this.#forgetChanged();
      const key = `${name} ${values.join(" ")}`;
      let rows = this.#kept.get(key);
      if (rows === undefined) {
        rows = this.#statement(name, registerSql[name]).all(...values).map(toRow);
        if (this.#kept.size === KEPT_MAX) this.#kept.clear();
        this.#kept.set(key, rows);
      }
      return rows;
    } catch {
      return undefined;
    }
  }

  /** A register was changed, or may have been. */
  forget(): void {
    this.#kept.clear();
  }

  [Symbol.dispose](): void {
    this.#prepared.clear();
    this.#kept.clear();
    this.#db?.close();
    this.#db = undefined;
  }

  #forgetChanged(): void {
    const now = performance.now();
    if (now - this.#lookedAt < UNNOTICED_MS) return;
    const { data_version: version } = this.#statement("version", "PRAGMA data_version").get()!;
    this.#lookedAt = now;
    if (version === this.#version) return;
    this.#kept.clear();
    this.#version = version;
  }

  #statement(name: RegisterQueryName | "version", sql: string): StatementSync {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      // Nobody waits here: the thread that answers partners is this one.
      this.#db ??= new DatabaseSync(this.#path, { readOnly: true, timeout: 0 });
      this.#prepared.set(name, statement = this.#db.prepare(sql));
    }
    return statement;
  }
}

function toRow(row: Readonly<Record<string, unknown>>): Row {
  return Object.freeze(
    Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, plainCell(cell)])),
  );
}
