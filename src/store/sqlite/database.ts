/**
 * Opens a SQLite store: the engine's lock, pragmas, schema version, migrations, the commit log, and
 * recovery of rows that were in flight when the last process ended.
 */
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { errorClass } from "../../errors.ts";
import { describeFailure, StoreError } from "../errors.ts";
import { migrations } from "./migrations/mod.ts";
import { LogDamaged, type LogFrame, LogMismatch, type LogPlace, readLog } from "./commit_log.ts";
import { carryOut, readPayload } from "./redo.ts";
import { Session } from "./session.ts";
import { statements } from "./statements.ts";
import { addUses, admitKeys, keysOfStore } from "./store_keys.ts";

export interface OpenOptions {
  readonly path: string;
  /** `full`: every commit reaches the disk. `normal`: a power cut may lose the newest commits. */
  readonly synchronous: "normal" | "full";
  /** Microseconds since the epoch. */
  readonly now: number;
  /** Ids of the configured keys, the active one first. */
  readonly keyIds?: readonly string[];
  /** Uses of the active key that are entered with the opening. */
  readonly uses?: number;
}

/** A lane with open rows, found at start. */
export interface OpenLane {
  readonly stage: string;
  readonly lane: string;
  /** The inbound its rows came from; a lane has one entry an inbound. */
  readonly channel: string;
  readonly open: number;
}

export interface OpenedDatabase {
  readonly db: DatabaseSync;
  /** Increases with each opening; claim tokens of different openings never meet. */
  readonly epoch: number;
  /** First number this opening may give out. */
  readonly nextSeq: number;
  readonly recovered: number;
  readonly lanes: readonly OpenLane[];
  readonly log: LogPlace;
  /** The first frame of the log that this opening may write. */
  readonly nextFrame: number;
  /** Ids of all keys that cells may be sealed with; `CLEAR` among them. */
  readonly keysInUse: readonly string[];
  /** Times the active key has sealed, at most, those that were entered now included. */
  readonly keyUses: number;
  readonly unlock: () => void;
}

/** Numbers are reserved in blocks, so that a deleted row's number is never given out again. */
export const NUMBER_BLOCK = 1_000_000;

/** 8 KiB pages hold three 2 KB bodies; at 4 KiB every second page would be half empty. */
const PAGE_BYTES = 8192;

/**
 * Opens or creates the store and makes it ready for one writer.
 *
 * @throws {StoreError} `store.locked`, `store.newer_schema`, `store.foreign`, `store.open_failed`,
 * `store.key_missing`, `store.log_mismatch` and the codes of {@link describeFailure}.
 */
export function openDatabase(options: OpenOptions): OpenedDatabase {
  const path = realPathOf(options.path);
  const unlock = lockStore(path);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 5_000 });
    refuseForeign(db, options.path);
    restrictFiles(path);
    configure(db);
    migrate(db);
    const { now, keyIds = [], uses = 0 } = options;
    const begun = beginEpoch(db, { now, keyIds, uses, logPath: `${path}-log` });
    removeFile(begun.log.path);
    if (options.synchronous === "normal") db.exec("PRAGMA synchronous = NORMAL");
    return { db, unlock, ...begun };
  } catch (cause) {
    db?.close();
    unlock();
    if (cause instanceof StoreError) throw cause;
    const { code, message, hint } = describeFailure(cause);
    throw new StoreError(
      code === "store.failed" ? "store.open_failed" : code,
      `${message}: "${options.path}"`,
      { cause, hint: hint ?? "Check that the folder exists and is writable" },
    );
  }
}

/** What the tables hold, durably, need not lie beside them, perhaps sealed with a former key. */
function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // There is none, or it is written over.
  }
}

/** @throws {StoreError} `store.log_mismatch`, `store.corrupt`. */
function readFrames({ path, tag }: LogPlace, fromId: number): readonly LogFrame[] {
  try {
    return readLog(path, { tag, fromId });
  } catch (cause) {
    if (cause instanceof LogMismatch) {
      throw new StoreError(
        "store.log_mismatch",
        `Cannot open the store: its commit log "${path}" does not continue it`,
        {
          cause,
          hint: "A backup was put in the store's place: remove the log, it is of what came later",
        },
      );
    }
    if (cause instanceof LogDamaged) {
      throw new StoreError(
        "store.corrupt",
        `Cannot open the store: its commit log "${path}" is damaged`,
        {
          cause,
          hint:
            "Keep a copy of the log; without it the store opens, and lacks what the log alone held",
        },
      );
    }
    throw cause;
  }
}

/** Follows links, so that two names of one store meet at one lock file. */
export function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (cause) {
    // A store that is not there yet; its folder must be. Other faults show when it is opened.
    if (!(cause instanceof Deno.errors.NotFound)) return path;
  }
  try {
    const folder = dirname(path);
    // The engine may see the store's files and not their folder; it does not try, and need not.
    const { state } = Deno.permissions.querySync({ name: "read", path: folder });
    return state === "granted" ? join(Deno.realPathSync(folder), basename(path)) : path;
  } catch {
    return path;
  }
}

/** @throws {StoreError} `store.not_found`: whoever does not make a store needs one. */
export function requireFile(path: string, named: string): void {
  try {
    if (Deno.statSync(path).isFile) return;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  throw new StoreError("store.not_found", `Cannot find the store "${named}"`, {
    hint: "Name it with --db, or with [store] path and [engine] data_dir",
  });
}

/** Takes the lock file beside the store: two engines on one file would break every lane's order. */
function lockStore(path: string): () => void {
  const lockPath = `${path}.lock`;
  refuseLink(path);
  refuseLink(lockPath);
  let file: Deno.FsFile | undefined;
  let isMine: boolean;
  try {
    file = Deno.openSync(lockPath, { create: true, write: true, read: true, mode: 0o600 });
    isMine = file.tryLockSync(true);
  } catch (cause) {
    file?.close();
    throw new StoreError("store.open_failed", `Cannot lock the store by its file "${lockPath}"`, {
      cause,
      hint: `Check that the folder exists and is writable (${errorClass(cause)})`,
    });
  }
  if (!isMine) {
    const holder = readHolder(file);
    file.close();
    throw new StoreError(
      "store.locked",
      `Cannot open the store "${path}": another engine holds it`,
      {
        hint: `Stop the engine${
          holder ? ` with process id ${holder}` : ""
        }, or give this one its own [store].path`,
      },
    );
  }
  nameHolder(file);
  return () => {
    file.unlockSync();
    file.close();
  };
}

/** Leaves the process id for whoever finds the store locked; a full disk costs only that hint. */
function nameHolder(file: Deno.FsFile): void {
  try {
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(String(Deno.pid)));
  } catch {
    // The lock is held all the same.
  }
}

function readHolder(file: Deno.FsFile): string {
  const buffer = new Uint8Array(20);
  const read = file.readSync(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, read)).replace(/\D/g, "");
}

/** A link that is left leads nowhere, or the lock file's into a file that is not ours to empty. */
function refuseLink(path: string): void {
  try {
    if (!Deno.lstatSync(path).isSymlink) return;
  } catch {
    return;
  }
  throw new StoreError("store.open_failed", `Cannot open "${path}": it is a symbolic link`, {
    hint: "Remove the link, or set [store].path to the file it was meant to reach",
  });
}

/**
 * Refuses a file that is not ours before anything of it is changed, its mode included.
 *
 * A new file is empty; a store has its meta table, which the first migration writes with all the
 * others.
 */
function refuseForeign(db: DatabaseSync, path: string): void {
  const { tables } = db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()!;
  if (tables === 0 || hasMeta(db)) return;
  throw new StoreError("store.foreign", `Cannot use "${path}": it is another program's database`, {
    hint: "Point [store].path at another file",
  });
}

/** Owner-only files; best effort, for some file systems have no modes. */
function restrictFiles(path: string): void {
  for (const name of [path, `${path}-wal`, `${path}-shm`, `${path}-log`]) {
    try {
      Deno.chmodSync(name, 0o600);
    } catch {
      // Absent yet, or a file system without modes.
    }
  }
}

function configure(db: DatabaseSync): void {
  const { page_count: pages } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  if (pages === 0) {
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  }
  db.exec("PRAGMA journal_mode = WAL");
  // The log is written from its start once the tables have taken it in: that has to be durable.
  db.exec("PRAGMA synchronous = FULL");
  // Rows name each other by numbers this writer gives out; checking them again costs a lookup each.
  db.exec("PRAGMA foreign_keys = OFF");
  db.exec("PRAGMA cache_size = -65536");
  db.exec("PRAGMA temp_store = MEMORY");
  // What was deleted, moved or sealed anew must not stay in the free parts of pages. A memory's worth
  // of zeros a page costs nothing that can be measured.
  db.exec("PRAGMA secure_delete = ON");
  // The writer checkpoints between batches (checkpoints.ts), never inside a commit somebody waits for.
  db.exec("PRAGMA wal_autocheckpoint = 0");
}

/** The schema version of this program. */
const SCHEMA_VERSION = migrations[migrations.length - 1]!.version;

/**
 * Whether the schema is as this program wants it, and not older.
 *
 * @throws {StoreError} `store.newer_schema`
 */
export function hasCurrentSchema(db: DatabaseSync): boolean {
  const current = schemaVersion(db);
  if (current <= SCHEMA_VERSION) return current === SCHEMA_VERSION;
  throw new StoreError(
    "store.newer_schema",
    `Cannot open the store: its schema version ${current} is newer than this engine's ` +
      SCHEMA_VERSION,
    { hint: "Start the engine version that wrote it, or a newer one" },
  );
}

/** Brings the schema up to date; equal versions cost one read. */
function migrate(db: DatabaseSync): void {
  if (hasCurrentSchema(db)) return;
  db.exec("BEGIN EXCLUSIVE");
  try {
    const locked = schemaVersion(db);
    if (locked === 0) createMeta(db);
    for (const { version, sql } of migrations) {
      if (version > locked) db.exec(sql);
    }
    db.prepare("UPDATE store_meta SET schema_version = ? WHERE id = 1").run(SCHEMA_VERSION);
    db.exec("COMMIT");
  } catch (cause) {
    rollBack(db);
    throw cause;
  }
}

/** SQLite ends some failed transactions by itself; a second rollback would hide the cause. */
export function rollBack(db: DatabaseSync): void {
  if (db.isTransaction) db.exec("ROLLBACK");
}

function hasMeta(db: DatabaseSync): boolean {
  return db.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'store_meta'",
  ).get() !== undefined;
}

function schemaVersion(db: DatabaseSync): number {
  if (!hasMeta(db)) return 0;
  const row = db.prepare("SELECT schema_version FROM store_meta WHERE id = 1").get();
  return Number(row?.schema_version ?? 0);
}

function createMeta(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE store_meta (
      id              INTEGER PRIMARY KEY CHECK (id = 1),
      schema_version  INTEGER NOT NULL,
      store_id        TEXT NOT NULL,
      epoch           INTEGER NOT NULL,
      next_seq        INTEGER NOT NULL,
      indexed_to      INTEGER NOT NULL
    ) STRICT`);
  db.prepare("INSERT INTO store_meta VALUES (1, 0, ?, 0, 1, 0)").run(
    crypto.randomUUID().replaceAll("-", ""),
  );
}

/**
 * Starts a new epoch: admits the keys, reserves numbers, carries out what the last process had not
 * brought into the tables, and re-pends what it left in flight.
 */
function beginEpoch(
  db: DatabaseSync,
  { now, keyIds, uses, logPath }: {
    readonly now: number;
    readonly keyIds: readonly string[];
    readonly uses: number;
    readonly logPath: string;
  },
) {
  db.exec("BEGIN IMMEDIATE");
  try {
    admitKeys(db, { keyIds, now });
    const [active] = keyIds;
    const keyUses = active === undefined ? 0 : addUses(db, active, uses);
    const meta = db.prepare("SELECT epoch, next_seq FROM store_meta WHERE id = 1").get()!;
    const epoch = Number(meta.epoch) + 1;
    const nextSeq = Number(meta.next_seq);
    db.prepare("UPDATE store_meta SET epoch = ?, next_seq = ? WHERE id = 1")
      .run(epoch, nextSeq + NUMBER_BLOCK);
    const { log, nextFrame } = catchUp(db, logPath);
    const recovered = Number(db.prepare(statements.recover).run(now).changes);
    const lanes = db.prepare(statements.openLanes).all().map((row) => ({
      stage: String(row.stage),
      lane: String(row.lane),
      channel: String(row.channel_id),
      open: Number(row.open),
    }));
    const keysInUse = keysOfStore(db);
    db.exec("COMMIT");
    return { epoch, nextSeq, recovered, lanes, log, nextFrame, keysInUse, keyUses };
  } catch (cause) {
    rollBack(db);
    throw cause;
  }
}

/**
 * Has the tables take in what the log of an engine that is not running says beyond them; where one
 * runs it has done so itself, as far as anybody beside it has to know.
 */
export function catchUpWhereNobodyRuns(db: DatabaseSync, path: string): void {
  let unlock: () => void;
  try {
    unlock = lockStore(path);
  } catch (thrown) {
    if (thrown instanceof StoreError && thrown.code === "store.locked") return;
    throw thrown;
  }
  try {
    db.exec("BEGIN IMMEDIATE");
    catchUp(db, `${path}-log`);
    db.exec("COMMIT");
  } catch (thrown) {
    rollBack(db);
    throw thrown;
  } finally {
    unlock();
  }
}

/**
 * Has the tables take in what the commit log says beyond them; the caller holds the transaction.
 *
 * @throws {StoreError} `store.log_mismatch` the log does not continue this store; `store.corrupt` it
 * lacks frames that were durable.
 */
export function catchUp(
  db: DatabaseSync,
  path: string,
): { readonly log: LogPlace; readonly nextFrame: number } {
  const meta = db.prepare("SELECT store_id, log_from, next_seq FROM store_meta WHERE id = 1")
    .get()!;
  const log = { path, tag: crc32(String(meta.store_id)) };
  const session = new Session(db, Number(meta.next_seq));
  const fromId = Number(meta.log_from);
  const frames = readFrames(log, fromId);
  for (const { payload } of frames) carryOut(session, readPayload(payload));
  const nextFrame = fromId + frames.length;
  session.change("setLogFrom", nextFrame);
  return { log, nextFrame };
}
