/**
 * What is purged is nowhere in the store's files: database, SQLite's log, commit log (I42).
 *
 * Method: a storm of messages that end in any order, with errors that grow rows; those that are due
 * hold a word that nothing else holds. Then the raw bytes of the files are searched.
 */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { delivery, heldOf, StoreBench } from "../../contract/store/bench.ts";
import { Random } from "../../pipeline/random.ts";
import { fillWorded, purgeWorded } from "../worded.ts";
import { inspect, sqliteBackend } from "./bench.ts";

const WORD = "CANARY";
const PAGE_BYTES = 8192;
const MESSAGES = 800;

interface Storm {
  readonly random: Random;
  /** Every fifth message has no end; nothing of it holds the word. */
  readonly someStay: boolean;
}

async function storm(bench: StoreBench, { random, someStay }: Storm): Promise<void> {
  const text = (word: string, units: number) =>
    `${word} ${"x".repeat(8)} `.repeat(1 + random.below(units));
  const resolve = async (lane: string, limit: number, isCalm: boolean) => {
    const { rows } = await bench.claim("outbound", lane, { limit, unordered: true });
    await Promise.all(
      rows.map(heldOf).map((row) => {
        if (!isCalm && random.chance(0.3)) return bench.retry(row, lane, bench.now, text(WORD, 14));
        if (random.chance(0.1)) return bench.bury(row, lane, text(WORD, 14));
        return bench.complete(row, lane);
      }),
    );
    return rows.length;
  };
  for (let n = 0; n < MESSAGES; n += 1) {
    const stays = someStay && n % 5 === 0;
    const word = stays ? "KEPT" : WORD;
    const held = await bench.receive({ raw: text(word, random.chance(0.05) ? 4_000 : 150) });
    if (random.chance(0.05) && !stays) {
      await bench.handOff(held, { failures: [{ handler: "h", error: text(word, 12) }] });
      continue;
    }
    await bench.handOff(held, {
      deliveries: [0, 1].map((index) =>
        delivery(stays ? "OB_CLOSED" : `OB_${random.below(5)}`, {
          payload: index === 0 ? text(word, 150) : undefined,
        })
      ),
    });
    await resolve(`OB_${random.below(5)}`, 5, false);
    if (n % 50 === 0) await bench.store.totals();
  }
  for (let lane = 0; lane < 5; lane += 1) while (await resolve(`OB_${lane}`, 50, true) > 0);
}

/** Offsets of the word in a file of the store. */
function found(path: string): number[] {
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  return [...text.matchAll(new RegExp(WORD, "g"))].map(({ index }) => index);
}

/** Whether an offset lies between the cell pointers of a page and its cells, where nothing is. */
function isUnused(file: Uint8Array, offset: number): boolean {
  const at = offset % PAGE_BYTES;
  const page = new DataView(file.buffer, offset - at, PAGE_BYTES);
  const isLeaf = page.getUint8(0) === 13 || page.getUint8(0) === 10;
  const pointersEnd = 8 + 2 * page.getUint16(3);
  return isLeaf && at >= pointersEnd && at + WORD.length <= page.getUint16(5);
}

async function purgeAll(bench: StoreBench): Promise<void> {
  bench.passSeconds(10);
  const before = bench.now;
  await bench.purge("messages", before);
  await bench.purge("dead_letters", before);
  assert.equal(await bench.store.upkeep!.checkpoint({ commitLog: true }), true);
}

Deno.test("a purge leaves no body in any file, though the engine runs on", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  const { path } = bench.store;
  const random = new Random(1);
  const bodies = await Promise.all(Array.from({ length: 1_500 }, async () => {
    const held = await bench.receive({ raw: `${WORD} `.repeat(1 + random.below(900)) });
    await bench.handOff(held, {
      deliveries: [delivery("OB_A", { payload: `${WORD} `.repeat(1 + random.below(300)) })],
    });
    return held;
  }));
  for (;;) {
    const { rows } = await bench.claim("outbound", "OB_A", { limit: 40, unordered: true });
    if (rows.length === 0) break;
    await Promise.all(rows.map(heldOf).toReversed().map((row) => bench.complete(row, "OB_A")));
  }
  assert.ok(
    found(`${path}-log`).length > 100 && found(`${path}-wal`).length > 100,
    "they were there",
  );
  await purgeAll(bench);
  assert.deepEqual(["", "-wal", "-log"].map((end) => found(path + end).length), [0, 0, 0]);
  const rows = inspect(path, (db) => db.prepare("SELECT count(*) AS n FROM messages").get()!.n);
  assert.equal(rows, bodies.length);
});

// Goal: among rows that stay, no row, no free page and no log holds what was purged. The unused
// middle of a page may: SQLite leaves there what it moved elsewhere when it split the page.
Deno.test("a purge among rows that stay leaves nothing in rows, free pages and logs", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  const { path } = bench.store;
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  await storm(bench, { random: new Random(seed), someStay: true });
  await purgeAll(bench);
  assert.deepEqual(["-wal", "-log"].map((end) => found(path + end).length), [0, 0]);
  const file = Deno.readFileSync(path);
  const used = found(path).filter((offset) => !isUnused(file, offset));
  assert.equal(used.length, 0, `seed ${seed}`);
  inspect(path, (db) => {
    for (const [table, columns] of Object.entries(texts)) {
      const held = columns.map((column) => `instr(coalesce(${column}, ''), '${WORD}') > 0`);
      const sql = `SELECT count(*) AS n FROM ${table} WHERE ${held.join(" OR ")}`;
      assert.equal(db.prepare(sql).get()!.n, 0, table);
    }
    const kept = db.prepare("SELECT count(*) AS n FROM bodies").get();
    assert.equal(kept!.n, MESSAGES / 5 * 2);
  });
});

// Goal: each kind of cell that a pass empties, answers, state, events and alerts among them.
Deno.test("a purge leaves nothing of any kind of cell", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  const { path } = bench.store;
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const random = new Random(seed);
  for (let index = 0; index < 40; index += 1) {
    await fillWorded(bench, { word: WORD, random, index });
    await bench.queued(["OB_WAITS"], { raw: `KEPT ${index}` });
  }
  await bench.store.totals();
  inspect(path, (db) => {
    // No statement of ours writes a summary; this one does as the engine's connection would.
    db.exec("PRAGMA secure_delete = ON");
    db.exec(`UPDATE messages SET summary = '${WORD} summary'
              WHERE status NOT IN ('received', 'routed')`);
    for (const table of ["messages", "bodies", "queue", "message_events", "response", "state"]) {
      assert.ok(rowsWith(db, table) > 0, `${table} held it`);
    }
  });
  await purgeWorded(bench);
  assert.equal(await bench.store.upkeep!.checkpoint({ commitLog: true }), true);
  assert.deepEqual(["-wal", "-log"].map((end) => found(path + end).length), [0, 0]);
  const file = Deno.readFileSync(path);
  assert.deepEqual(found(path).filter((offset) => !isUnused(file, offset)), [], `seed ${seed}`);
  inspect(path, (db) => {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    for (const { name } of tables) assert.equal(rowsWith(db, String(name)), 0, String(name));
  });
  assert.equal((await bench.lane("outbound", "OB_WAITS")).length, 40);
});

/** How many rows of a table hold the word, in any column. */
function rowsWith(db: DatabaseSync, table: string): number {
  return db.prepare(`SELECT * FROM ${table}`).all()
    .filter((row) => Object.values(row).some((value) => String(value).includes(WORD))).length;
}

// Goal: what docs/operating/retention.md tells whoever wants to be rid of those fragments too. Method:
// the statement runs in a process of its own, for the runtime gives it to one with every permission.
Deno.test("VACUUM on a stopped store leaves nothing anywhere, and the store goes on", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  const { path } = bench.store;
  let storms = 0;
  // Not each leaves something behind.
  while (storms < 8 && found(path).length === 0) {
    await storm(bench, { random: new Random(storms += 1), someStay: true });
    await purgeAll(bench);
  }
  assert.ok(found(path).length > 0, "there is something to be rid of");
  await bench.store[Symbol.asyncDispose]();
  const script = `import { DatabaseSync } from "node:sqlite";
    const db = new DatabaseSync(${JSON.stringify(path)});
    db.exec("VACUUM");
    db.close();`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", script],
    env: { NO_COLOR: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  assert.equal(found(path).length, 0);
  await bench.reopen();
  const kept = bench.message({ raw: "after it" });
  await bench.store.submit({ kind: "record_error", message: kept, error: "no" });
  const { messages } = await bench.store.totals();
  assert.equal(messages, storms * MESSAGES + 1);
});

const texts = {
  messages: ["error", "summary", "metadata"],
  bodies: ["body"],
  queue: ["last_error"],
  message_events: ["detail"],
};

Deno.test("nothing of a purged message comes back with the next opening", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  await storm(bench, { random: new Random(7), someStay: false });
  await purgeAll(bench);
  await bench.reopen();
  const { path } = bench.store;
  const file = Deno.readFileSync(path);
  assert.equal(found(path).filter((offset) => !isUnused(file, offset)).length, 0);
  const bodies = inspect(path, (db) => db.prepare("SELECT count(*) AS n FROM bodies").get());
  assert.equal(bodies!.n, 0);
});
