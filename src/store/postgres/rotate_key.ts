/**
 * Seals a whole store on a server with its active key, beside whoever works with it.
 *
 * Each batch is read, opened, sealed, and then written in one short transaction under the lock that
 * every writer takes first, a cell only if it still is what was read. So nothing is lost to a kill at
 * any point, and nothing that was purged or changed meanwhile comes back.
 *
 * The end needs no stop of an engine. An opened store writes cells of its active key only, or copies
 * cells that are there. So when no session with another key can write, and one snapshot, taken while
 * nobody was writing, holds no other cell, no later one does, unless the store was opened with another
 * key since: that session's row would tell. See docs/internals/decisions/key_rotation.md.
 */
import { setTimeout } from "node:timers/promises";
import { type CellKeys, keyIdsOf } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import { type FailpointName, noFailpoints } from "../../failpoints.ts";
import { cipheredColumns } from "../ciphered_cells.ts";
import { CountedCells } from "../counted_cells.ts";
import { StoreError } from "../errors.ts";
import type { ResealProgress, RotationReport } from "../rotation.ts";
import type { ServerOptions } from "../server/dialect.ts";
import { addUses, keysOfStore } from "../server/store_keys.ts";
import { CLEAR } from "../store_keys.ts";
import { ColumnCells, type Found, type FoundCell, type Position } from "./column_cells.ts";
import { Connection } from "./connection.ts";
import { connectBeside, lockStore, runOn, toError } from "./fit.ts";
import { barSessions, lookAtSessions } from "./sessions.ts";

export interface ServerRotateOptions {
  readonly server: ServerOptions;
  readonly keys: CellKeys;
  /** Microseconds since the epoch. */
  readonly now: number;
  /** Told after each batch, and once before the first; then the cells are counted first. */
  readonly onProgress?: (progress: ResealProgress) => void;
  readonly failpoints?: Points;
}

/** Failpoints; a test may take its time at one. */
export interface Points {
  hit(name: FailpointName): void | Promise<void>;
}

/** As `reseal_cursors` names what is looked for. */
const WHICH = "former";
const BATCH_CELLS = 500;
const BATCH_BYTES = 1024 * 1024;
/** A pass follows another when the store was opened with another key meanwhile. */
const PASSES_MAX = 10;
/** Counting and waiting for the lock of a busy store may take longer than an engine would wait. */
const COMMAND_TIMEOUT_MS = 600_000;

/**
 * Seals every cell with the active key, and takes out of the store's keys those that no cell needs.
 *
 * @throws {StoreError} `store.not_found`, `store.older_schema`, `store.newer_schema`,
 * `store.key_missing`; `store.unreadable`: no key opens a cell, nothing of its batch was written;
 * `store.key_in_use`: an engine has the store open and seals with another key, or with none.
 */
export async function rotateServerKey(options: ServerRotateOptions): Promise<RotationReport> {
  const commandTimeoutMs = Math.max(options.server.commandTimeoutMs, COMMAND_TIMEOUT_MS);
  const server = { ...options.server, commandTimeoutMs };
  const connection = await connectBeside(server, options.keys);
  try {
    return await new Rotation(connection, { ...options, server }).run();
  } catch (thrown) {
    throw toError(thrown);
  } finally {
    await connection.close();
  }
}

class Rotation {
  readonly #connection: Connection;
  readonly #server: ServerOptions;
  readonly #now: number;
  readonly #keyId: string;
  readonly #retired: readonly string[];
  readonly #cipher: CountedCells;
  readonly #cells: Record<string, number> = {};
  readonly #onProgress: ServerRotateOptions["onProgress"];
  readonly #failpoints: Points;
  #columns: readonly ColumnCells[] = [];
  #done = 0;
  #total = 0;

  constructor(
    connection: Connection,
    { server, keys, now, onProgress, failpoints }: ServerRotateOptions,
  ) {
    this.#connection = connection;
    this.#server = server;
    this.#now = now;
    [this.#keyId = "", ...this.#retired] = keyIdsOf(keys);
    this.#cipher = new CountedCells(cellCipherOf(keys));
    this.#onProgress = onProgress;
    this.#failpoints = failpoints ?? noFailpoints;
  }

  async run(): Promise<RotationReport> {
    const { keyIds } = await this.#refuseOthers();
    await this.#transact(() => this.#enterKey());
    await this.#openColumns();
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      for (const column of this.#columns) await this.#pass(column);
      const keysGone = await this.#isClean() ? await this.#finish() : undefined;
      if (keysGone !== undefined) return this.#reportOf(keysGone, keyIds.length > 0);
      await this.#transact(() => this.#forgetCursors());
    }
    throw new StoreError("store.busy", "Cannot finish: the store is opened again and again", {
      hint: "Run it again when the engines stay up, or stay down",
    });
  }

  #reportOf(keysGone: readonly string[], isBesideEngine: boolean): RotationReport {
    const [keyId, retired] = [this.#keyId, this.#retired];
    return { cells: this.#cells, keysGone, keyId, retired, isBesideEngine };
  }

  async #openColumns(): Promise<void> {
    const connection = this.#connection;
    const keyId = this.#keyId;
    const columns: ColumnCells[] = [];
    for (const column of cipheredColumns) {
      columns.push(await ColumnCells.open(connection, { column, keyId }));
    }
    this.#columns = columns;
    for (const { name } of columns) this.#cells[name] = 0;
    if (this.#onProgress === undefined) return;
    for (const column of columns) this.#total += await column.count(connection);
    this.#tell(0);
  }

  async #pass(column: ColumnCells): Promise<void> {
    let position = await this.#cursorOf(column);
    for (let isEnd = false; !isEnd;) {
      const limits = { cellsMax: BATCH_CELLS, bytesMax: BATCH_BYTES };
      const found = await column.after(this.#connection, position, limits);
      const heldMs = found.cells.length === 0 ? 0 : await this.#write(column, found);
      this.#tell(found.cells.length);
      position = found.at ?? position;
      isEnd = found.isEnd;
      // Writers had to wait as long, at most: now it is their turn.
      await setTimeout(Math.ceil(heldMs));
    }
  }

  /** @throws {StoreError} `store.unreadable`, naming the row and nothing of it. */
  async #seal(column: ColumnCells, found: readonly FoundCell[]): Promise<readonly string[]> {
    const texts: string[] = [];
    for (const one of found) {
      const text = this.#cipher.open(one.cell);
      if (text === undefined) throw unreadable(await column.describe(this.#connection, one));
      texts.push(text);
    }
    this.#cipher.grant(texts.length - this.#cipher.left);
    return texts.map((text) => this.#cipher.seal(text));
  }

  /** Returns how long it held up writers, in milliseconds. */
  async #write(column: ColumnCells, { cells, at }: Found): Promise<number> {
    const sealed = await this.#seal(column, cells);
    let changed = 0;
    let startedAt = 0;
    await this.#transact(async () => {
      startedAt = performance.now();
      changed = await column.change(this.#connection, cells, sealed);
      // Counted with what they made: a use that a kill leaves uncounted has left nothing behind.
      await addUses(runOn(this.#connection), this.#keyId, sealed.length);
      await this.#moveCursor(column, at!);
      await this.#failpoints.hit("reseal.before_commit");
    });
    await this.#failpoints.hit("reseal.after_commit");
    this.#cells[column.name]! += changed;
    return performance.now() - startedAt;
  }

  /** Whether a snapshot, begun while nobody was writing, holds no other cell. */
  async #isClean(): Promise<boolean> {
    const snapshot = await Connection.open(this.#server);
    try {
      await snapshot.ask("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      await this.#transact(async () => {
        await this.#barOthers();
        // Its first look is what makes the snapshot; what is under way now waits for the lock.
        await snapshot.ask("SELECT count(*) FROM store_keys");
      });
      for (const column of this.#columns) if (await column.hasAny(snapshot)) return false;
      return true;
    } finally {
      await snapshot.close();
    }
  }

  /** Returns the keys that are gone; undefined when another key came to the store meanwhile. */
  async #finish(): Promise<readonly string[] | undefined> {
    let gone: readonly string[] | undefined;
    await this.#failpoints.hit("reseal.before_finish");
    await this.#transact(async () => {
      const { rows } = await this.#connection.ask(
        "SELECT 1 FROM store_writer WHERE right(session, $1) <> $2 LIMIT 1",
        [this.#keyId.length + 1, `.${this.#keyId}`],
      );
      if (rows.length > 0) return;
      gone = (await keysOfStore(runOn(this.#connection))).filter((id) => id !== this.#keyId);
      for (const id of gone) {
        await this.#connection.ask("DELETE FROM store_keys WHERE key_id = $1", [id]);
      }
      await this.#forgetCursors();
    });
    await this.#failpoints.hit("reseal.after_finish");
    return gone;
  }

  /** Cells of the key may be anywhere from here on. */
  async #enterKey(): Promise<void> {
    await this.#connection.ask(
      "INSERT INTO store_keys (key_id, first_used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      [this.#keyId, this.#now],
    );
  }

  /** @throws {StoreError} `store.key_in_use`: what is written now is sealed otherwise. */
  async #refuseOthers() {
    const sessions = await lookAtSessions(this.#connection, this.#keyId);
    const other = sessions.keyIds.find((id) => id !== this.#keyId);
    if (other === undefined) return sessions;
    throw new StoreError(
      "store.key_in_use",
      other === CLEAR
        ? "Cannot seal the store anew: a running engine has no key and stores cells in clear"
        : `Cannot seal the store anew: a running engine seals with key "${other}", ` +
          `not with "${this.#keyId}"`,
      {
        hint:
          "Restart every engine with the new key active and the old one retired, then try again",
      },
    );
  }

  /** Sessions of another key that are not connected find no row to go on with. */
  async #barOthers(): Promise<void> {
    const { deadOthers } = await this.#refuseOthers();
    await barSessions(this.#connection, deadOthers);
  }

  // Where a former run got to. Keys that are not numbers may name a patient and are not written down.

  async #cursorOf({ name, isNumbered }: ColumnCells): Promise<Position | undefined> {
    if (!isNumbered) return undefined;
    const { rows: [row] } = await this.#connection.ask(
      "SELECT position FROM reseal_cursors WHERE cells = $1 AND which = $2 AND key_id = $3",
      [name, WHICH, this.#keyId],
    );
    return row === undefined ? undefined : JSON.parse(String(row.position));
  }

  async #moveCursor({ name, isNumbered }: ColumnCells, position: Position): Promise<void> {
    if (!isNumbered) return;
    await this.#connection.ask(
      `INSERT INTO reseal_cursors (cells, which, key_id, position)
       VALUES ($1, $2, $3, $4)
       ON CONFLICT (cells, which) DO UPDATE
          SET key_id = excluded.key_id, position = excluded.position`,
      [name, WHICH, this.#keyId, JSON.stringify(position)],
    );
  }

  async #forgetCursors(): Promise<void> {
    await this.#connection.ask("DELETE FROM reseal_cursors WHERE which = $1", [WHICH]);
  }

  /** Does something under the store's lock; durable when it resolves. */
  async #transact(act: () => Promise<void>): Promise<void> {
    const connection = this.#connection;
    await connection.ask("BEGIN");
    try {
      await lockStore(connection);
      await act();
      await connection.ask("COMMIT");
    } catch (thrown) {
      if (!connection.isLost) await connection.ask("ROLLBACK");
      throw thrown;
    }
  }

  #tell(cells: number): void {
    this.#done += cells;
    this.#onProgress?.({ done: this.#done, total: Math.max(this.#total, this.#done) });
  }
}

function unreadable(row: string): StoreError {
  return new StoreError(
    "store.unreadable",
    `Cannot seal the store anew: no configured key opens ${row}`,
    {
      hint: "If it was sealed with another key, add that to MEFOR_STORE_ENCRYPTION_KEYS_RETIRED; " +
        "if it is damaged, only a backup has it whole",
    },
  );
}
