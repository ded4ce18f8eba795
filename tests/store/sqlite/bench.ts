/** SQLite stores in temporary directories, and a look at their files past the engine. */
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
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
  purge({ path }, id) {
    inspect(path, (db) => {
      const message = "(SELECT seq FROM messages WHERE id = ?1)";
      db.prepare(`
        UPDATE bodies SET body = ''
         WHERE seq = ${message} OR seq IN (SELECT body_seq FROM queue WHERE message_seq = ${message})
      `).run(id);
    });
    return Promise.resolve();
  },
  remove: ({ path }) => Deno.remove(dirname(path), { recursive: true }),
};

/** Looks into a store's file over a connection of the test's own. */
export function inspect<T>(path: string, look: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: false });
  try {
    return look(db);
  } finally {
    db.close();
  }
}

/** A temporary directory that goes with the test. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  constructor() {
    this.path = Deno.makeTempDirSync({ prefix: "store_" });
  }

  file(name = "store.db"): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
