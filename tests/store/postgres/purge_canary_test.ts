/**
 * What is purged is nowhere on a server (I42): in no row at once, in no row version after a vacuum,
 * in no file after what docs/operating/retention.md tells whoever wants to be rid of the rest.
 *
 * Method: a server of the test's own, whose files are searched; it vacuums only when it is told, and
 * does not use its log's files again.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { StoreBench } from "../../contract/store/bench.ts";
import { Random } from "../../pipeline/random.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { fillWorded, purgeWorded } from "../worded.ts";
import { postgresBackend } from "./bench.ts";

const WORD = "CANARY";
const KEPT = "STAYING";
const FILLINGS = 40;
const PAGE_BYTES = 8_192;

if (hasPostgres()) {
  Deno.test("a purge on PostgreSQL leaves nothing in rows, and a vacuum nothing in its files", async () => {
    await using server = await PostgresServer.start({
      settings: ["autovacuum=off", "wal_recycle=off", "fsync=off"],
    });
    const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
    const random = new Random(seed);
    await using bench = await StoreBench.open(postgresBackend(server));
    for (let index = 0; index < FILLINGS; index += 1) {
      await fillWorded(bench, { word: WORD, random, index });
      // What is not due stands between what is.
      await bench.queued(["OB_WAITS"], { raw: `${KEPT} ${index}` });
    }
    const files = new Files(server, await schemaOf(server));
    // No statement of ours writes a summary.
    await files.query(
      "UPDATE messages SET summary = $1 WHERE status NOT IN ('received', 'routed')",
      `${WORD} summary`,
    );
    await files.query("CHECKPOINT");
    assert.ok(await files.rowsWith(WORD) >= 10 * FILLINGS, `seed ${seed}: every cell holds it`);
    for (const where of ["base", "pg_wal"]) {
      assert.ok(files.found(where).length > 100, `seed ${seed}: it was in ${where}`);
    }

    await purgeWorded(bench);
    assert.equal(await files.rowsWith(WORD), 0, `seed ${seed}: in rows`);
    assert.ok(await files.rowsWith(KEPT) >= FILLINGS);

    await files.query("VACUUM");
    await files.query("CHECKPOINT");
    const used = await files.inRowVersions();
    assert.deepEqual(used, [], `seed ${seed}: in row versions after VACUUM`);

    await bench.store[Symbol.asyncDispose]();
    for (const table of await files.tables()) await files.query(`VACUUM FULL "${table}"`);
    await files.query("SELECT pg_switch_wal()");
    await files.query("CHECKPOINT");
    assert.deepEqual(files.found("base"), [], `seed ${seed}: in tables after VACUUM FULL`);
    assert.deepEqual(files.found("pg_wal"), [], `seed ${seed}: in the log`);

    await bench.reopen();
    assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
    const waiting = await bench.lane("outbound", "OB_WAITS");
    assert.deepEqual(
      waiting.map(({ body }) => body),
      Array.from({ length: FILLINGS }, (_, index) => `${KEPT} ${index}`),
    );
  });
}

async function schemaOf(server: PostgresServer): Promise<string> {
  const { rows } = await server.ask(
    { schema: undefined },
    (it) => it.ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'store_%'"),
  );
  assert.equal(rows.length, 1);
  return String(rows[0]!.nspname);
}

/** A server's files, and its tables beside them. */
class Files {
  readonly #server: PostgresServer;
  readonly #schema: string;

  constructor(server: PostgresServer, schema: string) {
    this.#server = server;
    this.#schema = schema;
  }

  async query(text: string, ...values: string[]) {
    const { rows } = await this.#server.ask(
      { schema: this.#schema },
      (it) => it.ask(text, values),
    );
    return rows;
  }

  async tables(): Promise<readonly string[]> {
    const rows = await this.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = $1",
      this.#schema,
    );
    return rows.map(({ tablename }) => String(tablename));
  }

  /** How many rows hold the word in any column. */
  async rowsWith(word: string): Promise<number> {
    let count = 0;
    for (const table of await this.tables()) {
      const [row] = await this.query(
        `SELECT count(*)::integer AS n FROM "${table}" one WHERE one::text LIKE $1`,
        `%${word}%`,
      );
      count += Number(row!.n);
    }
    return count;
  }

  /** Files below a folder of the server's that hold the word. */
  found(folder: string): readonly string[] {
    const found: string[] = [];
    const look = (dir: string) => {
      for (const { name, isDirectory } of Deno.readDirSync(dir)) {
        const path = `${dir}/${name}`;
        if (isDirectory) look(path);
        else found.push(...this.#offsets(path).map((at) => `${path} at ${at}`));
      }
    };
    look(`${this.#server.dir}/data/${folder}`);
    return found;
  }

  /** Where a version of a row, dead or alive, holds the word: in tables and what they keep apart. */
  async inRowVersions(): Promise<readonly string[]> {
    const found: string[] = [];
    const relations = await this.query(
      `SELECT coalesce(pg_relation_filepath(c.oid), '') AS path
         FROM pg_class c
        WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r'
           OR c.oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = $1::regnamespace)`,
      this.#schema,
    );
    for (const { path } of relations) {
      const file = `${this.#server.dir}/data/${path}`;
      const bytes = Deno.readFileSync(file);
      for (const at of this.#offsets(file)) if (isInItem(bytes, at)) found.push(`${file} at ${at}`);
    }
    return found;
  }

  #offsets(path: string): readonly number[] {
    const bytes = Buffer.from(Deno.readFileSync(path));
    const offsets: number[] = [];
    for (let at = bytes.indexOf(WORD); at >= 0; at = bytes.indexOf(WORD, at + 1)) offsets.push(at);
    return offsets;
  }
}

/**
 * Whether a page's line pointers lead to this offset. Source: PostgreSQL 15 §73.6 (page layout): a
 * pointer has 15 bits of offset, 2 of state (1 is in use) and 15 of length, from byte 24 on.
 */
function isInItem(file: Uint8Array, offset: number): boolean {
  const at = offset % PAGE_BYTES;
  const page = new DataView(file.buffer, file.byteOffset + offset - at, PAGE_BYTES);
  const pointersEnd = page.getUint16(12, true);
  for (let pointer = 24; pointer < pointersEnd; pointer += 4) {
    const item = page.getUint32(pointer, true);
    const [start, state, length] = [item & 0x7fff, (item >>> 15) & 3, item >>> 17];
    if (state === 1 && at >= start && at < start + length) return true;
  }
  return false;
}
