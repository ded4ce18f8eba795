import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { CommitLog, frameHeaderBytes } from "../../../src/store/sqlite/commit_log.ts";
import type { StoreError } from "../../../src/store/errors.ts";
import { migrations } from "../../../src/store/sqlite/migrations/mod.ts";
import { Folder, inspect, openStore } from "./bench.ts";

Deno.test("SqliteStore.open makes owner-only files in the shape the writer counts on", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await using store = await openStore(path, { synchronous: "full" });
  assert.deepEqual([store.path, store.synchronous], [path, "full"]);
  for (const file of ["", "-wal", "-shm", "-log", ".lock"]) {
    const { mode } = await Deno.stat(path + file);
    assert.equal(mode! & 0o777, 0o600, `store.db${file}`);
  }
  const pragmas = inspect(path, (db) => ({
    ...db.prepare("PRAGMA journal_mode").get(),
    ...db.prepare("PRAGMA page_size").get(),
    ...db.prepare("PRAGMA auto_vacuum").get(),
  }));
  assert.deepEqual(pragmas, { journal_mode: "wal", page_size: 8192, auto_vacuum: 2 });
});

Deno.test("SqliteStore.open narrows the modes of a store it finds", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  await Deno.chmod(path, 0o644);
  await using _store = await openStore(path);
  for (const file of ["", "-wal", "-shm", "-log"]) {
    assert.equal((await Deno.stat(path + file)).mode! & 0o777, 0o600, `store.db${file}`);
  }
});

Deno.test("SqliteStore leaves one file and its lock when it closes", async () => {
  await using folder = new Folder();
  await (await openStore(folder.file()))[Symbol.asyncDispose]();
  const left = [...Deno.readDirSync(folder.path)].map(({ name }) => name).toSorted();
  assert.deepEqual(left, ["store.db", "store.db.lock"]);
});

Deno.test("SqliteStore.open refuses a store that is open, and opens it once it is not", async () => {
  await using folder = new Folder();
  const path = folder.file();
  {
    await using _first = await openStore(path);
    const error = await refusal(path);
    assert.equal(error.code, "store.locked");
    assert.equal(error.message, `Cannot open the store "${path}": another engine holds it`);
    assert.match(error.hint!, new RegExp(`process id ${Deno.pid}\\b`));
  }
  await using _second = await openStore(path);
});

// Goal: the hint names the process to stop, and a killed engine leaves no lock behind.
Deno.test("SqliteStore.open names the process that holds the store", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const entry = new URL("./hold_store.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-read", "--allow-write", entry, path],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  try {
    await reader.read();
    const error = await refusal(path);
    assert.equal(error.code, "store.locked");
    assert.match(error.hint!, new RegExp(`process id ${child.pid}\\b`));
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  }
  await using _store = await openStore(path);
});

Deno.test("SqliteStore.open meets the lock whatever name the store is reached by", async () => {
  await using folder = new Folder();
  const real = `${folder.path}/real`;
  await Deno.mkdir(real);
  await Deno.symlink(real, `${folder.path}/folder_link`);
  const ways = [`${folder.path}/folder_link/store.db`, `${real}/../real/./store.db`];
  {
    // Before there is a file, and while there is one.
    await using _store = await openStore(ways[0]!);
    await Deno.symlink(`${real}/store.db`, `${folder.path}/file_link.db`);
    for (const path of [`${real}/store.db`, ...ways, `${folder.path}/file_link.db`]) {
      assert.equal((await refusal(path)).code, "store.locked", path);
    }
  }
  await using _store = await openStore(`${folder.path}/file_link.db`);
  assert.equal((await refusal(`${real}/store.db`)).code, "store.locked");
  const left = [...Deno.readDirSync(folder.path)].map(({ name }) => name);
  assert.ok(!left.includes("file_link.db.lock") && !left.includes("file_link.db-wal"));
});

Deno.test("SqliteStore.open follows no link that leads nowhere or that a lock would empty", async () => {
  await using folder = new Folder();
  const dangling = folder.file("dangling.db");
  await Deno.symlink(folder.file("nothing.db"), dangling);
  assert.equal((await refusal(dangling)).code, "store.open_failed");
  await assert.rejects(Deno.stat(folder.file("nothing.db")), Deno.errors.NotFound);

  const precious = folder.file("precious.txt");
  await Deno.writeTextFile(precious, "keep me");
  await Deno.symlink(precious, folder.file("store.db.lock"));
  const error = await refusal(folder.file());
  assert.equal(error.code, "store.open_failed");
  assert.match(error.hint!, /Remove the link/);
  assert.equal(await Deno.readTextFile(precious), "keep me");
});

Deno.test("SqliteStore.open refuses a file that is not a database, and leaves it as it is", async () => {
  await using folder = new Folder();
  const path = folder.file("passwd");
  const content = "root:x:0:0:root\n".repeat(100);
  await Deno.writeTextFile(path, content, { mode: 0o640 });
  await Deno.chmod(path, 0o640);
  const error = await refusal(path);
  assert.equal(error.code, "store.corrupt");
  assert.match(error.message, /is not a SQLite database: "/);
  assert.match(error.hint!, /\[store\]\.path/);
  assert.equal(await Deno.readTextFile(path), content);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o640);
});

Deno.test("SqliteStore.open refuses another program's database, and leaves it as it is", async () => {
  await using folder = new Folder();
  const path = folder.file("other.db");
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE messages (subject TEXT); INSERT INTO messages VALUES ('hello')");
  other.close();
  await Deno.chmod(path, 0o644);
  const before = await Deno.readFile(path);
  const error = await refusal(path);
  assert.equal(error.code, "store.foreign");
  assert.match(error.hint!, /\[store\]\.path/);
  assert.deepEqual(await Deno.readFile(path), before);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o644);
});

Deno.test("SqliteStore.open refuses a schema newer than its own", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  inspect(path, (db) => db.exec("UPDATE store_meta SET schema_version = 9999"));
  const error = await refusal(path);
  assert.equal(error.code, "store.newer_schema");
  assert.match(error.message, /schema version 9999 is newer than this engine's \d+$/);
  assert.match(error.hint!, /engine version that wrote it/);
  const version = inspect(
    path,
    (db) => db.prepare("SELECT schema_version AS v FROM store_meta").get(),
  );
  assert.equal(version?.v, 9999);
});

Deno.test("SqliteStore.open refuses a damaged file", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const bytes = await Deno.readFile(path);
  bytes.fill(0xff, 100, 8192);
  await Deno.writeFile(path, bytes);
  const error = await refusal(path);
  assert.equal(error.code, "store.corrupt");
  assert.match(error.hint!, /backup/);
});

Deno.test("SqliteStore.open says which folder is missing", async () => {
  await using folder = new Folder();
  const path = folder.file("missing/store.db");
  const error = await refusal(path);
  assert.equal(error.code, "store.open_failed");
  assert.ok(error.message.includes(path));
  assert.match(error.hint!, /folder exists and is writable/);
});

// Goal: a backup in the place of the store does not take a log that goes on from somewhere else.
Deno.test("SqliteStore.open refuses a commit log that does not continue the store", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const meta = inspect(path, (db) => db.prepare("SELECT * FROM store_meta").get())!;
  const writeLog = (tag: number, nextId: number) => {
    const log = new CommitLog({ path: `${path}-log`, tag, nextId });
    const buffer = Buffer.alloc(frameHeaderBytes + 6);
    buffer.writeUInt32LE(2, frameHeaderBytes);
    buffer.write("[]", frameHeaderBytes + 4);
    log.append(buffer, buffer.length);
    log.close();
  };
  const tag = crc32(String(meta.store_id));
  for (const [whose, from] of [[tag, 5], [tag + 1, 0]] as const) {
    writeLog(whose, Number(meta.log_from) + from);
    const error = await refusal(path);
    assert.equal(error.code, "store.log_mismatch");
    assert.ok(error.message.includes(`${path}-log`));
    assert.match(error.hint!, /remove the log/);
    await Deno.remove(`${path}-log`);
  }
  writeLog(tag, Number(meta.log_from));
  await using _store = await openStore(path);
});

// Goal: acknowledged messages are not left out in silence when the disk spoiled a frame of the log.
// Method: a frame in each half, of which the tables hold none, and one between them is gone.
Deno.test("SqliteStore.open refuses a commit log that lacks frames before others", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const meta = inspect(path, (db) => db.prepare("SELECT * FROM store_meta").get())!;
  const nextId = Number(meta.log_from);
  const log = new CommitLog({ path: `${path}-log`, tag: crc32(String(meta.store_id)), nextId });
  const buffer = Buffer.alloc(frameHeaderBytes + 6);
  buffer.writeUInt32LE(2, frameHeaderBytes);
  buffer.write("[]", frameHeaderBytes + 4);
  const second = buffer.length;
  log.append(buffer, buffer.length);
  log.append(buffer, buffer.length);
  log.turn();
  log.append(buffer, buffer.length);
  log.close();
  {
    using file = Deno.openSync(`${path}-log`, { write: true });
    file.seekSync(second + frameHeaderBytes, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array([9]));
  }
  const error = await refusal(path);
  assert.equal(error.code, "store.corrupt");
  assert.ok(error.message.includes(`${path}-log`));
  assert.match(error.hint!, /copy of the log/);
});

Deno.test("SqliteStore.open brings any older schema to the shape of a new one", async () => {
  await using folder = new Folder();
  const fresh = folder.file("fresh.db");
  await (await openStore(fresh))[Symbol.asyncDispose]();
  const wanted = inspect(fresh, schemaOf);
  for (const [index, { version }] of migrations.entries()) {
    const path = folder.file(`from_${version}.db`);
    const older = new DatabaseSync(path);
    older.exec(firstMeta);
    older.prepare("INSERT INTO store_meta VALUES (1, ?, 'an id', 4, 5000001, 0)").run(version);
    for (const { sql } of migrations.slice(0, index + 1)) older.exec(sql);
    older.close();
    await (await openStore(path))[Symbol.asyncDispose]();
    assert.deepEqual(inspect(path, schemaOf), wanted, `from version ${version}`);
    const meta = inspect(path, (db) => ({ ...db.prepare("SELECT * FROM store_meta").get() }));
    assert.equal(meta.schema_version, migrations.at(-1)!.version);
    assert.deepEqual([meta.store_id, meta.epoch], ["an id", 5]);
  }
});

Deno.test("SqliteStore.open leaves a store whole when a migration fails", async () => {
  await using folder = new Folder();
  const fresh = folder.file("fresh.db");
  await (await openStore(fresh))[Symbol.asyncDispose]();
  const path = folder.file();
  const older = new DatabaseSync(path);
  older.exec(`${firstMeta}; INSERT INTO store_meta VALUES (1, 0, 'an id', 0, 1, 0);
              CREATE TABLE queue (in_the_way TEXT)`);
  older.close();
  const before = inspect(path, schemaOf);
  const error = await refusal(path);
  assert.equal(error.code, "store.open_failed");
  assert.deepEqual(inspect(path, schemaOf), before);
});

/** The meta table as it was before the first migration. */
const firstMeta = `
  CREATE TABLE store_meta (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    schema_version  INTEGER NOT NULL,
    store_id        TEXT NOT NULL,
    epoch           INTEGER NOT NULL,
    next_seq        INTEGER NOT NULL,
    indexed_to      INTEGER NOT NULL
  ) STRICT`;

/** The refusal of an opening that must not succeed. */
async function refusal(path: string): Promise<StoreError> {
  let store: AsyncDisposable;
  try {
    store = await openStore(path);
  } catch (thrown) {
    assert.equal((thrown as Error).name, "StoreError");
    return thrown as StoreError;
  }
  await store[Symbol.asyncDispose]();
  throw new Error(`Opened "${path}"`);
}

/** Every table and index with its text, white space aside. */
function schemaOf(db: DatabaseSync): { name: string; sql: string }[] {
  return db.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    .all().map(({ name, sql }) => ({
      name: String(name),
      sql: String(sql).replaceAll(/\s+/g, " "),
    }));
}
