/**
 * Seals cells of a store with its active key, beside whoever works with it.
 *
 * Used by `rotate-key` for the cells of former keys, and by an engine for what was there in clear
 * before it had a key. Each batch is read, opened, sealed, and then written in one short transaction,
 * a cell only if it still is what was read. So nothing is lost to a kill at any point, and nothing
 * that was purged or changed meanwhile comes back.
 *
 * The end needs no stop of the engine. An opened store writes cells of its active key only, or copies
 * cells that are there (`tables.ts`, `lanes.ts`). So when one snapshot holds no other cell, no later
 * one does, unless the store was opened again: `epoch` and `sealing_key` would tell.
 * See docs/internals/decisions/key_rotation.md.
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { type CellKeys, keyIdOf } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import { type Failpoints, noFailpoints } from "../../failpoints.ts";
import { cipheredColumns } from "../ciphered_cells.ts";
import { CountedCells } from "../counted_cells.ts";
import { describeFailure, StoreError } from "../errors.ts";
import { textOf } from "./cell_text.ts";
import {
  ColumnCells,
  type Found,
  type FoundCell,
  type Position,
  type Which,
} from "./column_cells.ts";
import { rollBack } from "./database.ts";
import type { ResealProgress, ResealReport } from "../rotation.ts";
import { CLEAR } from "../store_keys.ts";
import { addUses, keysOfStore } from "./store_keys.ts";

export interface ResealOptions {
  readonly path: string;
  readonly keys: CellKeys;
  readonly which: Which;
  /** Ends it between two batches; what is done stays done. */
  readonly signal?: AbortSignal;
  /** Told after each batch, and once before the first; then the cells are counted first. */
  readonly onProgress?: (progress: ResealProgress) => void;
  readonly failpoints?: Failpoints;
}

const BATCH_CELLS = 500;
const BATCH_BYTES = 1024 * 1024;
/** Of five seconds each. */
const BEGIN_TRIES = 12;
/** A pass follows another when the store was opened meanwhile; nothing else makes one needed. */
const PASSES_MAX = 10;
/** How often the end tries to empty SQLite's log, and for how long each time a writer may wait. */
const TRUNCATE_TRIES = 10;
const TRUNCATE_WAIT_MS = 100;

/**
 * Seals every cell of the kind, and takes out of the store's keys those that no cell needs then.
 *
 * @throws {StoreError} `store.unreadable`: no key opens a cell; nothing of its batch was written.
 * `store.key_in_use`: the store was opened with another key active.
 * @throws {DOMException} `AbortError`.
 */
export async function reseal(options: ResealOptions): Promise<ResealReport> {
  const db = new DatabaseSync(options.path, { timeout: 5_000 });
  try {
    // What a cell was before must not stay in the free parts of its page.
    db.exec("PRAGMA secure_delete = ON");
    db.exec("PRAGMA temp_store = MEMORY");
    db.exec("PRAGMA synchronous = NORMAL");
    return await new Resealing(db, options).run();
  } catch (thrown) {
    rollBack(db);
    if (thrown instanceof StoreError || options.signal?.aborted) throw thrown;
    const { code, message, hint } = describeFailure(thrown);
    throw new StoreError(code, message, { hint, cause: thrown });
  } finally {
    db.close();
  }
}

class Resealing {
  readonly #db: DatabaseSync;
  readonly #which: Which;
  readonly #keyId: string;
  readonly #cipher: CountedCells;
  readonly #columns: readonly ColumnCells[];
  readonly #cells: Record<string, number>;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: ResealOptions["onProgress"];
  readonly #failpoints: Failpoints;
  #done = 0;
  #total = 0;

  constructor(db: DatabaseSync, { keys, which, signal, onProgress, failpoints }: ResealOptions) {
    this.#db = db;
    this.#which = which;
    this.#keyId = keyIdOf(keys.active);
    this.#cipher = new CountedCells(cellCipherOf(keys));
    this.#columns = cipheredColumns.map((column) =>
      new ColumnCells(db, { column, which, keyId: this.#keyId })
    );
    this.#cells = Object.fromEntries(this.#columns.map(({ name }) => [name, 0]));
    this.#signal = signal;
    this.#onProgress = onProgress;
    this.#failpoints = failpoints ?? noFailpoints;
  }

  async run(): Promise<ResealReport> {
    this.#requireActive();
    if (this.#onProgress) {
      this.#total = this.#columns.reduce((cells, column) => cells + column.count(), 0);
      this.#tell(0);
    }
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      for (const column of this.#columns) await this.#pass(column);
      const epoch = await this.#epochOfClean();
      const keysGone = epoch === undefined ? undefined : this.#finish(epoch);
      if (keysGone !== undefined) {
        await this.#emptyLog();
        return { cells: this.#cells, keysGone };
      }
      this.#transact(() => this.#forgetCursors());
    }
    throw new StoreError("store.busy", "Cannot finish: the store is opened again and again", {
      hint: "Run it again when the engine stays up, or stays down",
    });
  }

  async #pass(column: ColumnCells): Promise<void> {
    let position = this.#cursorOf(column);
    for (let isEnd = false; !isEnd;) {
      const found = column.after(position, { cellsMax: BATCH_CELLS, bytesMax: BATCH_BYTES });
      const heldMs = found.cells.length === 0 ? 0 : this.#write(column, found);
      this.#tell(found.cells.length);
      position = found.at ?? position;
      isEnd = found.isEnd;
      // The engine's writer had to wait as long, at most: now it is its turn.
      await this.#pause(heldMs);
    }
  }

  /** @throws {StoreError} `store.unreadable`, naming the row and nothing of it. */
  #seal(column: ColumnCells, found: readonly FoundCell[]): readonly string[] {
    const texts = found.map((one) => {
      const text = this.#cipher.open(textOf(one.cell)!);
      if (text !== undefined) return text;
      throw new StoreError(
        "store.unreadable",
        `Cannot seal the store anew: no configured key opens ${column.describe(one)}`,
        {
          hint: "If it was sealed with another key, add that to " +
            "MEFOR_STORE_ENCRYPTION_KEYS_RETIRED; if it is damaged, only a backup has it whole",
        },
      );
    });
    this.#cipher.grant(texts.length - this.#cipher.left);
    return texts.map((text) => this.#cipher.seal(text));
  }

  /** Returns how long it held up other writers, in milliseconds. */
  #write(column: ColumnCells, { cells, at }: Found): number {
    const sealed = this.#seal(column, cells);
    let changed = 0;
    let startedAt = 0;
    this.#transact(() => {
      startedAt = performance.now();
      this.#requireActive();
      cells.forEach((one, index) => changed += Number(column.change(one, sealed[index]!)));
      // Counted with what they made: a use that a kill leaves uncounted has left nothing behind.
      addUses(this.#db, this.#keyId, sealed.length);
      this.#moveCursor(column, at!);
      this.#failpoints.hit("reseal.before_commit");
    });
    this.#failpoints.hit("reseal.after_commit");
    this.#cells[column.name]! += changed;
    return performance.now() - startedAt;
  }

  /** The epoch in which a snapshot of all columns held no cell of the kind; undefined: one did. */
  async #epochOfClean(): Promise<number | undefined> {
    this.#db.exec("BEGIN");
    try {
      const epoch = this.#requireActive();
      for (const column of this.#columns) if (await this.#hasAny(column)) return undefined;
      return epoch;
    } finally {
      this.#db.exec("ROLLBACK");
    }
  }

  async #hasAny(column: ColumnCells): Promise<boolean> {
    let position: Position | undefined;
    for (let isEnd = false; !isEnd;) {
      const found = column.after(position, { cellsMax: 1, bytesMax: BATCH_BYTES });
      if (found.cells.length > 0) return true;
      position = found.at ?? position;
      isEnd = found.isEnd;
      await this.#pause(0);
    }
    return false;
  }

  /** Returns the keys that are gone; undefined when the store was opened since that epoch. */
  #finish(epoch: number): readonly string[] | undefined {
    let gone: readonly string[] | undefined;
    // Who is told that a key may go must be able to rely on it, whatever happens to the machine.
    this.#db.exec("PRAGMA synchronous = FULL");
    this.#failpoints.hit("reseal.before_finish");
    this.#transact(() => {
      if (this.#requireActive() !== epoch) return;
      const drop = this.#db.prepare("DELETE FROM store_keys WHERE key_id = ?");
      gone = keysOfStore(this.#db).filter((id) =>
        this.#which === "clear" ? id === CLEAR : id !== this.#keyId
      );
      for (const id of gone) drop.run(id);
      this.#forgetCursors();
    });
    this.#failpoints.hit("reseal.after_finish");
    return gone;
  }

  /**
   * Returns the epoch of the store.
   *
   * @throws {StoreError} `store.key_in_use` when what is written now is sealed otherwise.
   */
  #requireActive(): number {
    const row = this.#db.prepare("SELECT sealing_key, epoch FROM store_meta WHERE id = 1").get()!;
    const sealing = String(row.sealing_key);
    if (sealing === this.#keyId) return Number(row.epoch);
    throw new StoreError(
      "store.key_in_use",
      sealing === CLEAR
        ? "Cannot seal the store anew: the running engine has no key and stores cells in clear"
        : `Cannot seal the store anew: the running engine seals with key "${sealing}", ` +
          `not with "${this.#keyId}"`,
      {
        hint: "Restart the engine with the new key active and the old one retired, then try again",
      },
    );
  }

  // Where a former run got to. Keys that are not numbers may name a patient and are not written down.

  #cursorOf({ name, isNumbered }: ColumnCells): Position | undefined {
    if (!isNumbered) return undefined;
    const row = this.#db.prepare(`
      SELECT position
        FROM reseal_cursors
       WHERE cells = ? AND which = ? AND key_id = ?`).get(name, this.#which, this.#keyId);
    return row === undefined ? undefined : JSON.parse(String(row.position));
  }

  #moveCursor({ name, isNumbered }: ColumnCells, position: Position): void {
    if (!isNumbered) return;
    this.#db.prepare(`
      INSERT INTO reseal_cursors (cells, which, key_id, position)
      VALUES (?, ?, ?, ?)
      ON CONFLICT (cells, which) DO UPDATE
         SET key_id = excluded.key_id, position = excluded.position`)
      .run(name, this.#which, this.#keyId, JSON.stringify(position));
  }

  #forgetCursors(): void {
    this.#db.prepare("DELETE FROM reseal_cursors WHERE which = ?").run(this.#which);
  }

  /** SQLite's log holds pages as they were: emptied, if nobody reads or writes just then. */
  async #emptyLog(): Promise<void> {
    this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    this.#db.exec(`PRAGMA busy_timeout = ${TRUNCATE_WAIT_MS}`);
    for (let tries = 0; tries < TRUNCATE_TRIES; tries++) {
      const row = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      if (row?.busy === 0) return;
      await setTimeout(TRUNCATE_WAIT_MS);
    }
  }

  /** Lets others have a turn; ends here when it is told to. */
  async #pause(ms: number): Promise<void> {
    await setTimeout(Math.ceil(ms), undefined, { signal: this.#signal });
  }

  #transact(act: () => void): void {
    this.#begin();
    act();
    this.#db.exec("COMMIT");
  }

  /** A busy engine leaves the database alone now and then, but for no promised time. */
  #begin(): void {
    for (let tries = 1;; tries++) {
      try {
        return this.#db.exec("BEGIN IMMEDIATE");
      } catch (thrown) {
        if (tries === BEGIN_TRIES || describeFailure(thrown).code !== "store.busy") throw thrown;
        this.#signal?.throwIfAborted();
      }
    }
  }

  #tell(cells: number): void {
    this.#done += cells;
    const { done, total } = { done: this.#done, total: Math.max(this.#total, this.#done) };
    this.#onProgress?.({ done, total });
  }
}
