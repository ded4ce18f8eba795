/**
 * The writer of the reference loop: one SQLite connection in a worker, one transaction a batch.
 *
 * Upstream: `reference.ts` posts whatever gathered while the last batch was committed. Downstream:
 * the reply, sent after the commit, lets it acknowledge and go on.
 */
import { DatabaseSync } from "node:sqlite";

/** Opens the database; posted once. */
export interface WriterOpen {
  readonly file: string;
  readonly synchronous: "full" | "normal";
}

/** Rows to insert and rows to mark done, in one transaction. */
export interface WriterBatch {
  readonly firstId: number;
  /** Lane of each new row. */
  readonly lanes: Uint16Array;
  /** Bodies of the new rows, one after the other. */
  readonly bodies: Uint8Array;
  /** Where in `bodies` each row's body starts and ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly doneIds: Float64Array;
}

/** Totals since the start, counted where the statements run. */
export interface WriterTotals {
  readonly commits: number;
  readonly statements: number;
  readonly fsyncs: number;
}

/** Bytes of bodies between two checkpoints; the WAL itself grows to a few times as much. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

const CREATE = `
  CREATE TABLE queue (
    id          INTEGER PRIMARY KEY,
    lane        INTEGER NOT NULL,
    status      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body        BLOB NOT NULL
  ) STRICT`;
const INSERT = `
  INSERT INTO queue (id, lane, status, received_at, body)
  VALUES (?, ?, 'pending', ?, ?)`;
const MARK_DONE = `
  UPDATE queue
     SET status = 'done'
   WHERE id = ?`;

declare const self: {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
};

self.onmessage = ({ data }: MessageEvent<WriterOpen>) => {
  const commit = openWriter(data);
  self.onmessage = ({ data }: MessageEvent<WriterBatch>) => self.postMessage(commit(data));
  self.postMessage("open");
};

function openWriter({ file, synchronous }: WriterOpen): (batch: WriterBatch) => WriterTotals {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(`PRAGMA synchronous = ${synchronous}`);
  database.exec("PRAGMA wal_autocheckpoint = 0");
  database.exec(CREATE);
  const begin = database.prepare("BEGIN IMMEDIATE");
  const insert = database.prepare(INSERT);
  const markDone = database.prepare(MARK_DONE);
  const end = database.prepare("COMMIT");
  const checkpoint = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");

  let commits = 0, statements = 0, fsyncs = 0, unwritten = 0;

  return (batch) => {
    const receivedAt = Date.now();
    begin.run();
    for (let row = 0; row < batch.lanes.length; row++) {
      const body = batch.bodies.subarray(batch.starts[row], batch.ends[row]);
      insert.run(batch.firstId + row, batch.lanes[row]!, receivedAt, body);
    }
    for (const id of batch.doneIds) markDone.run(id);
    end.run();
    commits++;
    statements += 2 + batch.lanes.length + batch.doneIds.length;
    if (synchronous === "full") fsyncs++;
    unwritten += batch.bodies.length;
    if (unwritten >= CHECKPOINT_BYTES) {
      unwritten = 0;
      checkpoint.all();
      statements++;
      // The WAL, the database, and the header of the WAL that starts over.
      fsyncs += 3;
    }
    return { commits, statements, fsyncs };
  };
}
