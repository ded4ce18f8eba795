/**
 * What a dead engine left in its store: read from a copy, with SQL of its own.
 *
 * The copy holds the database and its log as the crash left them; opening it recovers them the way
 * the next start will, and the original stays untouched.
 */
import { DatabaseSync } from "node:sqlite";
import { catchUp } from "../../src/store/sqlite/database.ts";

export interface StoredMessage {
  readonly seq: number;
  readonly channel: string;
  readonly controlId: string | undefined;
  readonly status: string;
  readonly error: string | undefined;
  /** As stored: a text, or the latin-1 view of bytes that are none. */
  readonly raw: string;
}

export interface StoredRow {
  readonly seq: number;
  readonly messageSeq: number;
  readonly stage: string;
  readonly lane: string;
  readonly channel: string;
  readonly handler: string | undefined;
  readonly status: string;
  readonly attempts: number;
  readonly error: string | undefined;
  readonly body: string;
}

export interface Evidence {
  readonly messages: readonly StoredMessage[];
  /** In `seq` order. */
  readonly rows: readonly StoredRow[];
  /** Timeline entries by message, in order. */
  readonly events: ReadonlyMap<number, readonly string[]>;
  /** JSON values by `namespace/key`. */
  readonly state: ReadonlyMap<string, string>;
  /** What SQLite says about the file: `"ok"`. */
  readonly integrity: string;
}

/** Reads the store of an engine that does not run; `scratch` is a directory for the copy. */
export function readEvidence(storePath: string, scratch: string): Evidence {
  const copy = `${scratch}/copy.db`;
  for (const suffix of ["", "-wal", "-log"]) {
    try {
      Deno.copyFileSync(storePath + suffix, copy + suffix);
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
  try {
    using db = new DatabaseSync(copy);
    recover(db, `${copy}-log`);
    return read(db);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-log"]) {
      try {
        Deno.removeSync(copy + suffix);
      } catch {
        // It was not there.
      }
    }
  }
}

/** Has the tables take in what the commit log says beyond them, as the next start does. */
function recover(db: DatabaseSync, logPath: string): void {
  const isStore = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'store_meta'").get();
  if (isStore === undefined) return;
  db.exec("BEGIN IMMEDIATE");
  catchUp(db, logPath);
  db.exec("COMMIT");
}

const none: Evidence = {
  messages: [],
  rows: [],
  events: new Map(),
  state: new Map(),
  integrity: "ok",
};

function read(db: DatabaseSync): Evidence {
  const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'queue'").get();
  if (tables?.n === 0) return none;
  const messages = db.prepare(`
    SELECT m.seq, m.channel_id, m.control_id, m.status, m.error, CAST(b.body AS BLOB) AS body
      FROM messages m JOIN bodies b ON b.seq = m.body_seq
     ORDER BY m.seq`).all().map((row): StoredMessage => ({
    seq: Number(row.seq),
    channel: String(row.channel_id),
    controlId: textOf(row.control_id),
    status: String(row.status),
    error: textOf(row.error),
    raw: bodyOf(row.body),
  }));
  const rows = db.prepare(`
    SELECT q.*, CAST(b.body AS BLOB) AS body, b.base_seq, CAST(o.body AS BLOB) AS base
      FROM queue q JOIN bodies b ON b.seq = q.body_seq LEFT JOIN bodies o ON o.seq = b.base_seq
     ORDER BY q.seq`).all().map((row): StoredRow => ({
    seq: Number(row.seq),
    messageSeq: Number(row.message_seq),
    stage: String(row.stage),
    lane: String(row.lane),
    channel: String(row.channel_id),
    handler: textOf(row.handler_name),
    status: String(row.status),
    attempts: Number(row.attempts),
    error: textOf(row.last_error),
    body: row.base_seq === null ? bodyOf(row.body) : changed(bodyOf(row.base), bodyOf(row.body)),
  }));
  const events = new Map<number, string[]>();
  for (
    const row of db.prepare(
      "SELECT message_seq, event FROM message_events ORDER BY message_seq, seq",
    )
      .all()
  ) {
    const seq = Number(row.message_seq);
    const list = events.get(seq);
    if (list) list.push(String(row.event));
    else events.set(seq, [String(row.event)]);
  }
  const state = new Map(
    db.prepare("SELECT namespace, key, value FROM state").all()
      .map((row) => [`${row.namespace}/${row.key}`, String(row.value)] as const),
  );
  const integrity = String(db.prepare("PRAGMA integrity_check").get()?.integrity_check);
  return { messages, rows, events, state, integrity };
}

function textOf(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}

/** A payload that stands as changes, read without the engine's help: it is what is on trial. */
function changed(base: string, changes: string): string {
  const pieces = JSON.parse(changes) as (string | number)[];
  return pieces.map((piece, at) => {
    if (typeof piece === "string") return piece;
    const isLength = pieces.slice(0, at).filter((one) => typeof one === "number").length % 2 === 1;
    return isLength ? "" : base.substring(piece, piece + Number(pieces[at + 1]));
  }).join("");
}

function bodyOf(value: unknown): string {
  return new TextDecoder().decode(value as Uint8Array);
}
