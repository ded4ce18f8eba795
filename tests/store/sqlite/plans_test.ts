/** How SQLite goes about each statement: by the index its comment names, without sorting. */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { queries } from "../../../src/store/sqlite/queries.ts";
import { statements } from "../../../src/store/sqlite/statements.ts";
import { Folder, inspect, openStore } from "./bench.ts";

/** Every statement whose comment says `Index: name.`, read from the sources themselves. */
function promisedIndexes(): Map<string, string> {
  const promised = new Map<string, string>();
  for (const file of ["statements.ts", "purge_statements.ts", "queries.ts"]) {
    const url = new URL(`../../../src/store/sqlite/${file}`, import.meta.url);
    const source = Deno.readTextFileSync(url);
    const pattern = /\/\*\*(?:(?!\*\/)[\s\S])*?Index: (\w+)\.(?:(?!\*\/)[\s\S])*?\*\/\s*(\w+):/g;
    for (const [, index, name] of source.matchAll(pattern)) promised.set(name!, index!);
  }
  return promised;
}

const all: Readonly<Record<string, string>> = { ...statements, ...queries };

/** Read every row of a table or index on purpose: at opening, for an operator, or a page at a time. */
const walks: Readonly<Record<string, string>> = {
  recover: "once at opening, over open rows only",
  openLanes: "once at opening, over open rows only",
  deadDeliveries: "an operator's act, over dead rows only",
  countDead: "over dead rows only",
  outbox: "over dead and over cancelled rows only",
  openRows: "over open rows only, for a node that runs no lanes",
  messages: "newest first, ends with the page",
  countMessages: "filters no index serves",
  countProcessed: "an index of those alone that are something else",
  messagesOfChannels: "newest first, ends with the page; for whoever sees a few inbounds only",
  countOfChannels: "filters no index serves; for whoever sees a few inbounds only",
  connectionEvents: "newest first, ends with the page",
  state: "once at start",
  countEvents: "shared by its askers for ten seconds",
};

/** Sorted on purpose: a few hundred rows, or only the rows of an operator's act. */
const sorts: ReadonlySet<string> = new Set([
  "indexIds",
  "indexChannels",
  "indexControlIds",
  "addMessageTotals",
  "addDeliveryTotals",
  "deadDeliveries",
  "openRouted",
  "openLanes",
  "oldestOpen",
]);

Deno.test("every statement goes by the index that its comment names", async () => {
  await withStore((db) => {
    const promised = promisedIndexes();
    assert.ok(promised.size >= 10, `${promised.size} comments name an index`);
    for (const [name, index] of promised) {
      assert.ok(all[name], `${name} is no statement`);
      assert.match(planOf(db, name), new RegExp(`USING (COVERING )?INDEX ${index}\\b`), name);
    }
  });
});

Deno.test("no statement walks a table or sorts, but those known to", async () => {
  await withStore((db) => {
    for (const name of Object.keys(all)) {
      const steps = planOf(db, name).split("\n");
      const walked = steps.filter((step) =>
        /^SCAN /.test(step) &&
        !/^SCAN (CONSTANT ROW|\d-ROW VALUES|pragma_|json_each |n$|\(subquery)/.test(step)
      );
      if (!(name in walks)) assert.deepEqual(walked, [], name);
      const sorted = steps.filter((step) => /TEMP B-TREE/.test(step));
      if (!sorts.has(name)) assert.deepEqual(sorted, [], name);
    }
    for (const name of [...Object.keys(walks), ...sorts]) assert.ok(name in all, name);
  });
});

// Goal: pages of a long history are as quick as those of a short one.
// Method: 100,000 messages; every paged list, first page and a deep one, the best of five reads.
// The bounds leave room for a busy machine; a plan that sorts or scans misses them.
Deno.test("SqliteStore pages through 100,000 messages by their tables", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const count = 100_000;
  inspect(path, (db) => fill(db, count));
  await using store = await openStore(path);
  const page = { limit: 50, offset: 0 };
  const timed = async (what: string, msMax: number, read: () => Promise<{ total: number }>) => {
    const took: number[] = [];
    let total = 0;
    for (let round = 0; round < 5; round += 1) {
      const start = performance.now();
      ({ total } = await read());
      took.push(performance.now() - start);
    }
    const ms = Math.min(...took);
    assert.ok(ms < msMax, `${what} took ${ms.toFixed(0)} ms at best`);
    return total;
  };
  const total = await timed("the first page", 50, () => store.messages({}, page));
  assert.equal(total, count);
  const ofChannel = await timed(
    "a channel's first page",
    50,
    () => store.messages({ channel: "IB_1" }, page),
  );
  assert.equal(ofChannel, count / 4);
  const ofControl = await timed(
    "a control ID's page",
    50,
    () => store.messages({ controlId: "C77777" }, page),
  );
  assert.equal(ofControl, 1);
  const errors = await timed(
    "the first page of errors",
    100,
    () => store.messages({ status: "error" }, page),
  );
  assert.equal(errors, count / 100);
  const deep = { limit: 50, offset: count / 8 };
  await timed("a deep page", 250, () => store.messages({}, deep));
  await timed("a channel's deep page", 500, () => store.messages({ channel: "IB_1" }, deep));
  const dead = await timed("the first dead letters", 100, () => store.deadLetters({}, page));
  assert.equal(dead, count / 100);
  await timed(
    "a destination's dead letters",
    100,
    () => store.deadLetters({ destination: "OB_1", channel: "IB_1" }, page),
  );
  const { messages } = await store.messages({ channel: "IB_1" }, { limit: 3, offset: 0 });
  assert.deepEqual(messages.map(({ controlId }) => controlId), ["C99997", "C99993", "C99989"]);
});

async function withStore(look: (db: DatabaseSync) => void): Promise<void> {
  await using folder = new Folder();
  await using _store = await openStore(folder.file());
  inspect(folder.file(), look);
}

function planOf(db: DatabaseSync, name: string): string {
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${all[name]}`).all();
  return rows.map(({ detail }) => String(detail)).join("\n");
}

/** Messages as a store would hold them; each hundredth is dead, the others are delivered. */
function fill(db: DatabaseSync, count: number): void {
  db.exec(`
    BEGIN;
    CREATE TEMP TABLE numbers AS
      WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
      SELECT i, 10 + i * 5 AS seq FROM n;
    INSERT INTO messages
      SELECT seq, printf('%032x', i), 'IB_' || (i % 4), 1000 + i, 'mllp', 'C' || i, 'ADT^A01',
             'received', CASE WHEN i % 100 = 0 THEN 'error' ELSE 'processed' END, NULL, NULL, NULL,
             seq, NULL
        FROM numbers;
    INSERT INTO bodies (seq, body) SELECT seq, 'body' FROM numbers;
    INSERT INTO queue
      SELECT seq + 1, seq, 'outbound', 'OB_' || (i % 3), 'IB_' || (i % 4), 'h', seq,
             CASE WHEN i % 100 = 0 THEN 'dead' ELSE 'done' END, 1, 1000 + i, NULL, NULL, 1000 + i,
             1000 + i
        FROM numbers;
    INSERT INTO message_events SELECT seq, seq + 2, 1000 + i, 'routed', NULL, NULL FROM numbers;
    INSERT INTO message_events SELECT seq, seq + 3, 1000 + i, 'delivered', 'OB', NULL FROM numbers;
    INSERT INTO message_by_id SELECT id, seq FROM messages ORDER BY id;
    INSERT INTO message_by_channel SELECT channel_id, seq FROM messages ORDER BY channel_id, seq;
    INSERT INTO message_by_control SELECT control_id, seq FROM messages ORDER BY control_id, seq;
    INSERT INTO totals
      SELECT 'messages', channel_id, count(*) FROM messages GROUP BY channel_id;
    INSERT INTO totals SELECT 'deliveries', lane, count(*) FROM queue GROUP BY lane;
    UPDATE store_meta SET next_seq = ${count * 5 + 100}, indexed_to = ${count * 5 + 50};
    COMMIT;
  `);
}
