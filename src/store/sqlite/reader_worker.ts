/// <reference lib="deno.worker" />
/**
 * The thread that owns the store's read-only connection: dashboards never delay a commit. It also
 * copies SQLite's log back, for that waits for the disk as well, and no commit for it.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { describeFailure } from "../errors.ts";
import type { FromReader, ToReader } from "./protocol.ts";
import type { QueryName } from "../query_names.ts";
import { queries } from "./queries.ts";
import { registerSql } from "./registers/mod.ts";
import { textOf } from "./cell_text.ts";

let db: DatabaseSync | undefined;
/** Opened when first needed. */
let copier: DatabaseSync | undefined;
let channel: MessagePort | undefined;
let path = "";
const texts = { ...queries, ...registerSql };
const prepared = new Map<string, StatementSync>();

self.onmessage = ({ data }: MessageEvent<ToReader>) => {
  switch (data.type) {
    case "open":
      return open(data);
    case "query":
      return query(data);
    case "checkpoint":
      checkpoint();
      return post({ type: "checkpointed", id: data.id });
    case "close":
      db?.close();
      copier?.close();
      channel?.close();
      post({ type: "closed", id: data.id });
      self.close();
  }
};

function open({ path: file, checkpoints }: Extract<ToReader, { type: "open" }>): void {
  try {
    path = file;
    channel = checkpoints;
    checkpoints.onmessage = () => {
      checkpoint();
      checkpoints.postMessage(null);
    };
    db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    db.exec("PRAGMA cache_size = -16384");
    post({ type: "opened" });
  } catch (thrown) {
    post({ type: "open_failed", failure: describeFailure(thrown) });
  }
}

/** Rounds of a checkpoint: what is written meanwhile is little, and less each time. */
const ROUNDS_MAX = 4;

/** Copies the log back to its end, so that it is written from its start again. */
function checkpoint(): void {
  try {
    copier ??= new DatabaseSync(path, { timeout: 0 });
    for (let round = 0; round < ROUNDS_MAX; round++) {
      copier.exec("PRAGMA wal_checkpoint(PASSIVE)");
      const row = copier.prepare("PRAGMA wal_checkpoint(NOOP)").get();
      if (row?.log === row?.checkpointed) return;
    }
  } catch {
    // The writer sees that its log grows, and does it itself.
  }
}

function query({ id, query: { name, values } }: Extract<ToReader, { type: "query" }>): void {
  try {
    let statement = prepared.get(name);
    if (!statement) prepared.set(name, statement = db!.prepare(texts[name as QueryName]));
    post({ type: "rows", id, rows: statement.all(...values).map(toPlain) });
  } catch (thrown) {
    post({ type: "failed", id, failure: describeFailure(thrown) });
  }
}

/** Cells read as bytes become text again. */
function toPlain(row: Record<string, unknown>): Record<string, string | number | null> {
  const plain = row as Record<string, string | number | null>;
  for (const [name, cell] of Object.entries(row)) {
    if (cell instanceof Uint8Array) plain[name] = textOf(cell) ?? null;
  }
  return plain;
}

function post(message: FromReader): void {
  self.postMessage(message);
}
