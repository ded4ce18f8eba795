/** SQLite stores in temporary directories, and a look at their files past the engine. */
import type { AuditRow } from "../../../src/store/audit_row.ts";
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { catchUp } from "../../../src/store/sqlite/database.ts";
import { SqliteStore, type SqliteStoreOptions } from "../../../src/store/sqlite/store.ts";
import type { StoreBackend } from "../../contract/store_contract.ts";

/** `normal`: what these tests prove does not rest on the disk, and their disk is shared. */
export function openStore(
  path: string,
  options: Partial<SqliteStoreOptions> = {},
): Promise<SqliteStore> {
  return SqliteStore.open({ path, synchronous: "normal", now: () => 1_000_000, ...options });
}

export const sqliteBackend: StoreBackend = {
  name: "SQLite:",
  open: async (now) => openStore(join(await Deno.makeTempDir(), "store.db"), { now }),
  reopen: ({ path }, now) => openStore(path, { now }),
  remove: ({ path }) => Deno.remove(dirname(path), { recursive: true }),
};

/** All rows of the audit log, oldest first. */
export function auditRowsOf(db: DatabaseSync): AuditRow[] {
  return db.prepare("SELECT * FROM audit_log ORDER BY id").all().map((row) => ({
    ...{ id: Number(row.id), at: Number(row.at), actor: String(row.actor) },
    action: String(row.action),
    channel: row.channel_id === null ? null : String(row.channel_id),
    detail: row.detail === null ? null : String(row.detail),
    ...{ isKeyed: row.keyed === 1, hash: String(row.row_hash) },
  }));
}

/** Looks into a store's file over a connection of the test's own. */
export function inspect<T>(path: string, look: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: false });
  try {
    return look(db);
  } finally {
    db.close();
  }
}

/** Spoils every page with this text, as a failing disk does; nobody has the file open. */
export function damagePageWith(text: string, path: string): void {
  const bytes = Deno.readFileSync(path);
  const pageSize = new DataView(bytes.buffer).getUint16(16);
  const latin = new TextDecoder("latin1").decode(bytes);
  for (let at = -1; (at = latin.indexOf(text, at + 1)) >= 0;) {
    bytes.fill(0xff, at - at % pageSize, at - at % pageSize + 16);
  }
  Deno.writeFileSync(path, bytes);
}

/** Looks into what a store's next opening would find, after a crash; the files stay as they are. */
export function inspectRecovered<T>(path: string, look: (db: DatabaseSync) => T): T {
  const folder = Deno.makeTempDirSync({ prefix: "store_" });
  try {
    const copy = join(folder, "copy.db");
    for (const suffix of ["", "-wal", "-log"]) {
      try {
        Deno.copyFileSync(path + suffix, copy + suffix);
      } catch (thrown) {
        if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
      }
    }
    return inspect(copy, (db) => {
      db.exec("BEGIN IMMEDIATE");
      catchUp(db, `${copy}-log`);
      db.exec("COMMIT");
      return look(db);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The bodies, look-up tables and dispositions of a store that has lost nothing. */
const whole = {
  rows_without_message_or_body: 0,
  messages_without_body: 0,
  messages_not_found_once_by_id: 0,
  messages_not_found_once_by_channel: 0,
  open_without_open_row_or_the_reverse: 0,
  messages_wrongly_totalled: 0,
  bodies_nobody_means: 0,
  changes_of_no_body: 0,
  purged_and_something_left: 0,
  open_without_body: 0,
  responses_without_body_or_delivery: 0,
};

/**
 * Asserts what holds in every store between two commits: rows refer to what is there (the writer
 * does not check it), each message is in its look-up tables or newer than they are, and it is
 * RECEIVED or ROUTED exactly while a row of it is open (I10). What is purged means no body, and a
 * body is there exactly as long as something means it (I43).
 */
export function assertWhole(db: DatabaseSync, title?: string): void {
  const integrity = db.prepare("PRAGMA integrity_check").all().map((row) => ({ ...row }));
  assert.deepEqual(integrity, [{ integrity_check: "ok" }], title);
  const notFoundOnce = (table: string) => `
    SELECT count(*)
      FROM messages m
      LEFT JOIN (SELECT seq, count(*) AS times FROM ${table} GROUP BY seq) f ON f.seq = m.seq
     WHERE (m.seq > (SELECT indexed_to FROM store_meta)) + coalesce(f.times, 0) <> 1`;
  const found = db.prepare(`
    SELECT (SELECT count(*) FROM queue q
             WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = q.message_seq)
                OR q.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = q.body_seq)
           ) AS rows_without_message_or_body,
           (SELECT count(*) FROM messages m
             WHERE m.body_seq <> 0
               AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = m.body_seq)
           ) AS messages_without_body,
           (${notFoundOnce("message_by_id")}) AS messages_not_found_once_by_id,
           (${notFoundOnce("message_by_channel")}) AS messages_not_found_once_by_channel,
           (SELECT count(*) FROM messages m
             WHERE (m.status IN ('received', 'routed')) <>
                   EXISTS (SELECT 1 FROM queue q
                            WHERE q.message_seq = m.seq AND q.status IN ('pending', 'inflight'))
           ) AS open_without_open_row_or_the_reverse,
           (SELECT coalesce(sum(total), 0) FROM totals WHERE kind = 'messages')
             - (SELECT count(*) FROM messages WHERE seq <= (SELECT indexed_to FROM store_meta))
             AS messages_wrongly_totalled,
           (SELECT count(*) FROM bodies b
             WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.body_seq = b.seq)
               AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.body_seq = b.seq)
               AND NOT EXISTS (SELECT 1 FROM response r WHERE r.body_seq = b.seq)
           ) AS bodies_nobody_means,
           (SELECT count(*) FROM bodies b
             WHERE b.base_seq IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM bodies o WHERE o.seq = b.base_seq)
           ) AS changes_of_no_body,
           (SELECT count(*) FROM messages m
             WHERE m.purged_at IS NOT NULL
               AND (m.body_seq <> 0 OR m.error IS NOT NULL OR m.summary IS NOT NULL
                    OR EXISTS (SELECT 1 FROM queue q
                                WHERE q.message_seq = m.seq
                                  AND (q.status IN ('pending', 'inflight')
                                       OR (q.body_seq <> 0 OR q.last_error IS NOT NULL)
                                          AND NOT (q.stage = 'outbound' AND q.status = 'dead')))
                    OR EXISTS (SELECT 1 FROM response r
                                WHERE r.message_seq = m.seq
                                  AND (r.body_seq <> 0 OR r.detail IS NOT NULL))
                    OR EXISTS (SELECT 1 FROM message_events e
                                WHERE e.message_seq = m.seq AND e.detail IS NOT NULL))
           ) AS purged_and_something_left,
           (SELECT count(*) FROM queue q
             WHERE q.status IN ('pending', 'inflight') AND q.body_seq = 0
           ) AS open_without_body,
           (SELECT count(*) FROM response r
             WHERE r.body_seq <> 0
                   AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = r.body_seq)
                OR NOT EXISTS (SELECT 1 FROM queue q
                                WHERE q.message_seq = r.message_seq AND q.lane = r.destination
                                  AND q.stage = 'outbound')
           ) AS responses_without_body_or_delivery
  `).get();
  assert.deepEqual({ ...found }, whole, title);
}

/** A temporary directory that goes with the test; below `dir` if it is given. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  constructor(dir?: string) {
    this.path = Deno.makeTempDirSync({ dir, prefix: "store_" });
  }

  file(name = "store.db"): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
