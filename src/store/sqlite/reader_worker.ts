/// <reference lib="deno.worker" />
/** The thread that owns the store's read-only connection: dashboards never delay a commit. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { describeFailure } from "../errors.ts";
import type { FromReader, ToReader } from "./protocol.ts";
import { queries, type QueryName } from "./queries.ts";
import { textOf } from "./cell_text.ts";

let db: DatabaseSync | undefined;
const prepared = new Map<QueryName, StatementSync>();

self.onmessage = ({ data }: MessageEvent<ToReader>) => {
  switch (data.type) {
    case "open":
      return open(data.path);
    case "query":
      return query(data);
    case "close":
      db?.close();
      post({ type: "closed", id: data.id });
      self.close();
  }
};

function open(path: string): void {
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    db.exec("PRAGMA cache_size = -16384");
    post({ type: "opened" });
  } catch (thrown) {
    post({ type: "open_failed", failure: describeFailure(thrown) });
  }
}

function query({ id, query: { name, values } }: Extract<ToReader, { type: "query" }>): void {
  try {
    const known = name as QueryName;
    let statement = prepared.get(known);
    if (!statement) prepared.set(known, statement = db!.prepare(queries[known]));
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
