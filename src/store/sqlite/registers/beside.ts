/**
 * The registers of a store file, changed past the engine: for whoever stands at the machine's console
 * and cannot sign in. The engine may run or not.
 *
 * Each change is one short transaction under SQLite's own write lock, in which the audit row takes up
 * the chain where the newest row left it; the engine does the same (`audit_log.ts`). Messages are not
 * within reach here, nor is anything that would have to be sealed.
 */
import { DatabaseSync } from "node:sqlite";
import { keylessCells } from "../../../crypto/cells.ts";
import { type CellKeys, keyIdsOf } from "../../../crypto/keys.ts";
import { cellCipherOf } from "../../../crypto/sealed_cells.ts";
import { describeFailure, StoreError, toError } from "../../errors.ts";
import {
  type RegisterIntent,
  type RegisterQueryName,
  type RegisterResult,
  type RegisterRow,
  type RegisterValue,
  sealedColumns,
  sealedValues,
} from "../../registers/mod.ts";
import { plainCell } from "../cell_text.ts";
import { catchUpWhereNobodyRuns, hasCurrentSchema, realPathOf, requireFile } from "../database.ts";
import { requireKeys } from "../store_keys.ts";
import { AuditLog, hasAuditKey, readAuditKey } from "./audit_log.ts";
import { Registers } from "./commit.ts";
import { registerSql } from "./mod.ts";

export interface BesideOptions {
  readonly path: string;
  /** Those the engine has: without them the chain of the audit log cannot be gone on with. */
  readonly keys: CellKeys | undefined;
}

/** A busy engine leaves the database alone now and then, but for no promised time; 5 s each. */
const BUSY_TRIES = 12;

export class RegistersBeside implements Disposable {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #registers: Registers;

  /**
   * Opens the registers; makes no file and migrates nothing.
   *
   * @throws {StoreError} `store.not_found`, `store.older_schema`, `store.newer_schema`,
   * `store.foreign`, `store.key_missing`, `store.unreadable`, `store.open_failed` and the codes of
   * {@link describeFailure}.
   */
  static open({ path: named, keys }: BesideOptions): RegistersBeside {
    const path = realPathOf(named);
    requireFile(path, named);
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: 5_000 });
      requireFit(db, { named, keys });
      db.exec("PRAGMA secure_delete = ON");
      db.exec("PRAGMA temp_store = MEMORY");
      db.exec("PRAGMA synchronous = FULL");
      // Audit rows that a power cut left in the log alone come before those that are added here.
      catchUpWhereNobodyRuns(db, path);
      return new RegistersBeside(path, db, keys);
    } catch (thrown) {
      db?.close();
      throw opened(thrown, named);
    }
  }

  private constructor(path: string, db: DatabaseSync, keys: CellKeys | undefined) {
    this.path = path;
    this.#db = db;
    // Without a key of its own the chain has none here either: making one is the engine's.
    const cipher = hasAuditKey(db) ? cellCipherOf(keys) : keylessCells;
    this.#registers = new Registers(db, { audit: new AuditLog(db, cipher), isSyncing: true });
  }

  /**
   * Writes all of an intent or nothing of it, durably.
   * @throws {StoreError} nothing was written.
   */
  submit(intent: RegisterIntent): Promise<RegisterResult> {
    if (intent.changes.some(({ name }) => sealedValues[name] !== undefined)) {
      throw new RangeError("Cannot seal values beside the engine");
    }
    for (let tries = 1;; tries += 1) {
      const [outcome] = this.#registers.commit([intent]);
      if (outcome !== undefined && "result" in outcome) {
        return Promise.resolve(outcome.result as RegisterResult);
      }
      const { failure } = outcome!;
      if (failure.code !== "store.busy" || tries === BUSY_TRIES) throw toError(failure);
    }
  }

  /** Rows of a register; sealed columns stay shut and read as null. */
  register(
    name: RegisterQueryName,
    ...values: readonly RegisterValue[]
  ): Promise<readonly RegisterRow[]> {
    const shut = sealedColumns[name] ?? [];
    const rows = this.#db.prepare(registerSql[name]).all(...values);
    return Promise.resolve(rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map((
          [column, cell],
        ) => [column, shut.includes(column) ? null : plainCell(cell)]),
      )
    ));
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

function requireFit(
  db: DatabaseSync,
  { named, keys }: { readonly named: string; readonly keys: CellKeys | undefined },
): void {
  const hasMeta = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'store_meta'").get();
  if (hasMeta === undefined) {
    throw new StoreError("store.foreign", `Cannot use "${named}": it is no store of this engine`, {
      hint: "Name the store with --db, or with [store] path and [engine] data_dir",
    });
  }
  if (!hasCurrentSchema(db)) {
    throw new StoreError("store.older_schema", "Cannot use the store: it is of an older engine", {
      hint: "Start the engine of this version once, which migrates it",
    });
  }
  requireKeys(db, keyIdsOf(keys));
  if (!hasAuditKey(db) || readAuditKey(db, cellCipherOf(keys)) !== undefined) return;
  throw new StoreError(
    "store.unreadable",
    "Cannot go on with the audit log: no key opens its own",
    {
      hint: "Set MEFOR_STORE_ENCRYPTION_KEY, and the retired keys, as the engine has them",
    },
  );
}

function opened(thrown: unknown, named: string): unknown {
  if (thrown instanceof StoreError) return thrown;
  const { code: found, message, hint } = describeFailure(thrown);
  const code = found === "store.failed" ? "store.open_failed" : found;
  return new StoreError(code, `${message}: "${named}"`, {
    cause: thrown,
    hint: code === "store.open_failed" || code === "store.read_only"
      ? "Run it as the user that the engine runs as, or as root"
      : hint,
  });
}
