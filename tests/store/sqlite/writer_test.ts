/** The writer on its own thread's terms: batches, savepoints, numbers, look-up tables, the log. */
import assert from "node:assert/strict";
import type { Intent } from "../../../src/store/intents.ts";
import {
  NUMBER_BLOCK,
  openDatabase,
  type OpenedDatabase,
} from "../../../src/store/sqlite/database.ts";
import { Session } from "../../../src/store/sqlite/session.ts";
import { type OnPoint, Writer } from "../../../src/store/sqlite/writer.ts";
import type { Outcome } from "../../../src/store/wire.ts";
import { assertWhole, Folder, inspect, openStore } from "./bench.ts";

class WriterBench implements AsyncDisposable {
  readonly #folder = new Folder();
  readonly path = this.#folder.file();
  readonly opened: OpenedDatabase;
  readonly session: Session;
  readonly writer: Writer;
  #messages = 0;

  constructor(onPoint?: OnPoint) {
    this.opened = openDatabase({ path: this.path, synchronous: "normal", now: 1 });
    // Tests of a busy file need not wait as long as an engine does.
    this.opened.db.exec("PRAGMA busy_timeout = 20");
    this.session = new Session(this.opened.db, this.opened.nextSeq);
    this.writer = new Writer(this.session, onPoint);
  }

  close(): void {
    if (!this.opened.db.isOpen) return;
    this.opened.db.close();
    this.opened.unlock();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#folder[Symbol.asyncDispose]();
  }

  receives(count: number, raw = "body"): Intent[] {
    return Array.from({ length: count }, (): Intent => {
      const number = this.#messages += 1;
      const message = {
        ...{ id: `m${number}`, channel: `IB_${number % 3}`, receivedAt: 1, sourceType: "mllp" },
        ...{ controlId: number % 2 ? `C${number}` : undefined, messageType: undefined, raw },
      };
      return { kind: "receive", message, token: number };
    });
  }

  count(table: string, where = "1"): number {
    const sql = `SELECT count(*) AS rows FROM ${table} WHERE ${where}`;
    return Number(inspect(this.path, (db) => db.prepare(sql).get())?.rows);
  }
}

const failuresOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap((outcome, index) =>
    "failure" in outcome ? [`${index} ${outcome.failure.code}`] : []
  );

// Goal: a number that somebody else used fails the one intent that meets it (I17).
// Method: a second connection puts rows where the batch's numbers will fall.
for (const [table, ahead, failing] of [["messages", 10, 5], ["queue", 21, 10]] as const) {
  Deno.test(`Writer fails one of 64 intents whose number is taken in ${table}`, async () => {
    await using bench = new WriterBench();
    const { session, writer } = bench;
    const taken = session.newest + 1 + ahead;
    inspect(bench.path, (db) =>
      db.exec(
        table === "messages"
          ? `INSERT INTO messages VALUES (${taken}, 'x', 'IB', 1, 'x', NULL, NULL, 'error', 'error',
                                          NULL, NULL, NULL, ${taken}, NULL)`
          : `INSERT INTO queue VALUES (${taken}, 1, 'ingress', 'IB', 'IB', NULL, 1, 'dead', 0, 1,
                                       NULL, NULL, 1, 1)`,
      ));
    const outcomes = writer.run(bench.receives(64));
    assert.deepEqual(failuresOf(outcomes), [`${failing} store.failed`]);
    assert.equal(writer.counters.commits, 1);
    assert.equal(bench.count("messages", "channel_id <> 'IB'"), 63);
    assert.equal(bench.count("queue", "lane <> 'IB'"), 63);
    assert.equal(bench.count("messages", `id = 'm${failing + 1}'`), 0);
    assert.deepEqual(failuresOf(writer.run(bench.receives(64))), []);
  });
}

Deno.test("Writer says of a failed intent what class of fault it was, and no value", async () => {
  await using bench = new WriterBench();
  const [intent] = bench.receives(1, "SECRET");
  assert.ok(intent?.kind === "receive");
  const bad = { ...intent, message: { ...intent.message, id: null as unknown as string } };
  const [outcome] = bench.writer.run([bad]);
  assert.ok(outcome && "failure" in outcome);
  assert.deepEqual(outcome.failure, {
    code: "store.failed",
    message: "Cannot complete a store transaction (Error 19)",
    hint: undefined,
  });
});

// A commit that fails for a reason nobody foresaw must leave the connection usable.
Deno.test("Writer refuses a batch whose commit fails, and takes the next one", async () => {
  let fails = true;
  await using bench = new WriterBench((point) => {
    if (fails && point === "before_commit") throw new Error("unforeseen");
  });
  const { writer, session } = bench;
  const newest = session.newest;
  assert.equal(failuresOf(writer.run(bench.receives(8))).length, 8);
  assert.equal(session.newest, newest, "the numbers are given back");
  assert.deepEqual([bench.count("messages"), bench.count("queue"), bench.count("bodies")], [
    0,
    0,
    0,
  ]);
  fails = false;
  assert.deepEqual(failuresOf(writer.run(bench.receives(8))), []);
  assert.equal(bench.count("messages"), 8);
});

Deno.test("Writer refuses while another process writes, and takes the next batch after it", async () => {
  await using bench = new WriterBench();
  inspect(bench.path, (db) => {
    db.exec("BEGIN IMMEDIATE");
    const outcomes = bench.writer.run(bench.receives(3));
    assert.deepEqual(failuresOf(outcomes), ["0 store.busy", "1 store.busy", "2 store.busy"]);
    db.exec("ROLLBACK");
  });
  assert.deepEqual(failuresOf(bench.writer.run(bench.receives(3))), []);
  assert.equal(bench.count("messages"), 3);
});

// Goal: numbers reserved in the file always lie ahead of numbers used, whatever was rolled back.
// Method: a reservation that is rolled back, right where the block before it ends.
Deno.test("Writer never uses a number that the file has not reserved", async () => {
  let fails = false;
  await using bench = new WriterBench((point) => {
    if (fails && point === "before_commit") throw new Error("unforeseen");
  });
  const { session, writer } = bench;
  const reserved = () =>
    Number(
      inspect(bench.path, (db) => db.prepare("SELECT next_seq AS n FROM store_meta").get())?.n,
    );
  const first = session.newest;
  while (session.newest < first + NUMBER_BLOCK - 20) session.next();
  fails = true;
  writer.run(bench.receives(4));
  fails = false;
  writer.run(bench.receives(64));
  assert.ok(session.newest > first + NUMBER_BLOCK, "the first block is used up");
  assert.ok(reserved() > session.newest, `${reserved()} reserved, ${session.newest} used`);
  bench.close();
  const again = openDatabase({ path: bench.path, synchronous: "normal", now: 1 });
  assert.ok(again.nextSeq > session.newest);
  again.db.close();
  again.unlock();
});

// Goal: whichever half a message is in, look-up table or not yet, it is found once.
// Method: batches that end on, before and behind the point where the tables are filled.
Deno.test("Writer keeps look-up tables and totals equal to the messages", async () => {
  let fails = false;
  await using bench = new WriterBench((point) => {
    if (fails && point === "before_commit") throw new Error("unforeseen");
  });
  const { writer } = bench;
  for (const [round, size] of [1, 254, 1, 1, 255, 256, 3, 300, 600, 7].entries()) {
    fails = round % 3 === 2;
    writer.run(bench.receives(size));
    fails = false;
    writer.run(bench.receives(size));
    inspect(bench.path, (db) => assertWhole(db, `after ${size}`));
    const waiting = bench.count("messages", "seq > (SELECT indexed_to FROM store_meta)");
    assert.ok(waiting < 256 + size, `${waiting} messages wait for their look-up tables`);
  }
});

Deno.test("SqliteStore keeps the write-ahead log short while it writes", async () => {
  await using folder = new Folder();
  await using store = await openStore(folder.file());
  const raw = "x".repeat(32_000);
  let longest = 0;
  const batches = 40;
  for (let batch = 0; batch < batches; batch += 1) {
    await Promise.all(Array.from({ length: 32 }, (_, index) =>
      store.submit({
        kind: "receive",
        token: undefined,
        message: {
          ...{ id: `${batch}.${index}`, channel: "IB", receivedAt: 1, sourceType: "mllp", raw },
          ...{ controlId: undefined, messageType: undefined },
        },
      })));
    await store.messages({}, { limit: 10, offset: 0 });
    longest = Math.max(longest, Deno.statSync(folder.file("store.db-wal")).size);
  }
  assert.ok(longest < 26 * 2 ** 20, `the log grew to ${longest} bytes of ${batches} MB written`);
});

Deno.test("SqliteStore stores equal payloads of one handoff once", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await using store = await openStore(path);
  const message = {
    ...{ id: "a", channel: "IB", receivedAt: 1, sourceType: "mllp", raw: "raw" },
    ...{ controlId: undefined, messageType: undefined },
  };
  const token = store.nextToken();
  const { seq, messageSeq } = await store.submit({ kind: "receive", message, token });
  const delivery = (destination: string, payload: string | undefined) => ({
    ...{ destination, payload, handler: "h", token: undefined },
  });
  await store.submit({
    ...{ kind: "hand_off", at: 1, seq, token, messageSeq, channel: "IB", handlers: 1 },
    ...{ failures: [], state: [] },
    deliveries: [
      delivery("A", "same"),
      delivery("B", undefined),
      delivery("C", "same"),
      delivery("D", "other"),
      delivery("E", "same"),
    ],
  });
  const rows = inspect(path, (db) =>
    db.prepare(`
    SELECT q.lane, b.body, q.body_seq FROM queue q JOIN bodies b ON b.seq = q.body_seq ORDER BY q.seq
  `).all().map((row) => ({ ...row })));
  assert.deepEqual(rows.map(({ lane, body }) => [lane, body]), [
    ["A", "same"],
    ["B", "raw"],
    ["C", "same"],
    ["D", "other"],
    ["E", "same"],
  ]);
  const bodies = inspect(path, (db) => db.prepare("SELECT body FROM bodies ORDER BY seq").all());
  assert.deepEqual(bodies.map(({ body }) => body), ["raw", "same", "other"]);
});
