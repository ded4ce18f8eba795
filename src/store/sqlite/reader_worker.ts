/// <reference lib="deno.worker" />
/**
 * The thread that owns the store's read-only connection: dashboards never delay a commit. It also
 * copies SQLite's log back, for that waits for the disk as well, and no commit for it.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { describeFailure } from "../errors.ts";
import type { FromReader, Query, QueryAnswer, ToReader } from "./protocol.ts";
import type { QueryName } from "../query_names.ts";
import { queries } from "./queries.ts";
import { registerSql } from "./registers/mod.ts";
import { plainCell } from "./cell_text.ts";

let db: DatabaseSync | undefined;
/** Opened when first needed. */
let copier: DatabaseSync | undefined;
let channel: MessagePort | undefined;
let path = "";
const texts = { ...queries, ...registerSql };
const prepared = new Map<string, Prepared>();

self.onmessage = ({ data }: MessageEvent<ToReader>) => {
  switch (data.type) {
    case "open":
      return open(data);
    case "queries":
      return post({ type: "answers", answers: data.queries.map(answer) });
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

interface Prepared {
  readonly statement: StatementSync;
  readonly columns: readonly string[];
}

function answer({ id, name, values }: Query): QueryAnswer {
  try {
    const { statement, columns } = prepare(name);
    const rows = statement.all(...values) as unknown as unknown[][];
    return { id, columns, cells: JSON.stringify(rows.map((row) => row.map(plainCell))) };
  } catch (thrown) {
    return { id, failure: describeFailure(thrown) };
  }
}

function prepare(name: string): Prepared {
  let found = prepared.get(name);
  if (found === undefined) {
    const statement = db!.prepare(texts[name as QueryName]);
    const columns = statement.columns().map((column) => String(column.name));
    // The runtime has it, and its types do not.
    (statement as unknown as { setReturnArrays(isOn: boolean): void }).setReturnArrays(true);
    prepared.set(name, found = { statement, columns });
  }
  return found;
}

function post(message: FromReader): void {
  self.postMessage(message);
}
