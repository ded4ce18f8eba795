/// <reference lib="deno.worker" />
/**
 * Reads a whole store and says whether it is sound, in a thread of its own: that takes minutes for a
 * large one, and dashboards go on reading meanwhile.
 */
import { DatabaseSync } from "node:sqlite";
import { describeFailure } from "../errors.ts";
import { portableChecks, verdictOf } from "../integrity.ts";

/** Faults named at most; one is enough to restore a backup. */
const FAULTS_MAX = 10;

export type IntegrityAnswer = { readonly ok: boolean; readonly detail: string };

self.onmessage = ({ data: path }: MessageEvent<string>) => {
  self.postMessage(check(path));
  self.close();
};

function check(path: string): IntegrityAnswer {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    try {
      const rows = db.prepare(`PRAGMA integrity_check(${FAULTS_MAX})`).all();
      const detail = rows.map((row) => String(row.integrity_check)).join("; ");
      return detail === "ok" ? checkRows(db) : { ok: false, detail };
    } finally {
      db.close();
    }
  } catch (thrown) {
    return { ok: false, detail: describeFailure(thrown).message };
  }
}

/** Whether the rows fit together, each kind as of one moment: a page may be whole and lack a row. */
function checkRows(db: DatabaseSync): IntegrityAnswer {
  return verdictOf(
    Object.entries(portableChecks).map(([name, text]) => [
      name,
      Number(db.prepare(text).get()?.found),
    ]),
  );
}
