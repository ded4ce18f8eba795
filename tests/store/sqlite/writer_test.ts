/** The writer on its own thread's terms: batches, savepoints, numbers, look-up tables, the log. */
import assert from "node:assert/strict";
import type { Intent } from "../../../src/store/intents.ts";
import { verifyAudit } from "../../../src/audit/verify.ts";
import { CommitLog } from "../../../src/store/sqlite/commit_log.ts";
import {
  NUMBER_BLOCK,
  openDatabase,
  type OpenedDatabase,
} from "../../../src/store/sqlite/database.ts";
import { Session } from "../../../src/store/sqlite/session.ts";
import type { OnPoint } from "../../../src/store/points.ts";
import { Writer } from "../../../src/store/sqlite/writer.ts";
import type { Outcome } from "../../../src/store/wire.ts";
import { assertWhole, auditRowsOf, Folder, inspect, openStore } from "./bench.ts";
import { keylessCells } from "../../../src/crypto/cells.ts";
import { AuditLog } from "../../../src/store/sqlite/registers/audit_log.ts";

class WriterBench implements AsyncDisposable {
  readonly #folder = new Folder();
  readonly path = this.#folder.file();
  readonly opened: OpenedDatabase;
  readonly session: Session;
  readonly log: CommitLog;
  readonly writer: Writer;
  #messages = 0;

  constructor(onPoint?: OnPoint) {
    this.opened = openDatabase({ path: this.path, synchronous: "normal", now: 1 });
    // Tests of a busy file need not wait as long as an engine does.
    this.opened.db.exec("PRAGMA busy_timeout = 20");
    const { db, nextSeq, log, nextFrame } = this.opened;
    this.session = new Session(db, nextSeq);
    this.log = new CommitLog({ ...log, nextId: nextFrame });
    this.writer = new Writer({
      session: this.session,
      log: this.log,
      audit: new AuditLog(this.session.db, keylessCells),
      isSyncing: false,
      onPoint,
    });
  }

  close(): void {
    if (!this.opened.db.isOpen) return;
    this.opened.db.close();
    this.log.close();
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
    this.writer.behind.storeAll();
    const sql = `SELECT count(*) AS rows FROM ${table} WHERE ${where}`;
    return Number(inspect(this.path, (db) => db.prepare(sql).get())?.rows);
  }
}

/** Messages that are finished as they come. */
function recordErrors(bench: WriterBench, count: number): Intent[] {
  return bench.receives(count).flatMap((intent): Intent[] =>
    intent.kind === "receive"
      ? [{ kind: "record_error", message: intent.message, error: "refused" }]
      : []
  );
}

const failuresOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap((outcome, index) =>
    "failure" in outcome ? [`${index} ${outcome.failure.code}`] : []
  );

// Goal: one bad member among 64 fails alone, and costs the others one commit (I17).
Deno.test("Writer fails the one of 64 intents that cannot be stored", async () => {
  await using bench = new WriterBench();
  const { writer } = bench;
  const intents = bench.receives(64);
  const bad = intents[5]!;
  assert.ok(bad.kind === "receive");
  intents[5] = { ...bad, message: { ...bad.message, receivedAt: 0.5 } };
  assert.deepEqual(failuresOf(writer.run(intents)), ["5 store.failed"]);
  assert.equal(writer.counters.commits, 1);
  assert.equal(bench.count("messages"), 63);
  assert.equal(bench.count("queue"), 63);
  assert.equal(bench.count("bodies"), 63);
  assert.equal(bench.count("messages", "id = 'm6'"), 0);
  assert.deepEqual(failuresOf(writer.run(bench.receives(64))), []);
  assert.equal(bench.count("messages"), 127);
});

Deno.test("Writer says of a failed intent what class of fault it was, and no value", async () => {
  await using bench = new WriterBench();
  const [intent] = bench.receives(1, "SECRET");
  assert.ok(intent?.kind === "receive");
  const bad = { ...intent, message: { ...intent.message, id: null as unknown as string } };
  const [outcome] = bench.writer.run([bad]);
  assert.ok(outcome && "failure" in outcome);
  assert.deepEqual(outcome.failure, {
    code: "store.failed",
    message: "Cannot complete a store transaction (TypeError)",
    hint: undefined,
  });
});

// Goal: who looks at messages does not have the traffic written twice.
Deno.test("Writer notes a look at a stored message and leaves those on their way in memory", async () => {
  await using bench = new WriterBench();
  const { writer, session } = bench;
  const note = (id: string): Intent => ({ kind: "note_event", id, event: "viewed", at: 5 });
  writer.run(bench.receives(1));
  writer.behind.storeAll();
  writer.run(bench.receives(50));
  const before = session.statementCount;
  const looks = [note("m1"), note("m1"), note("unknown")];
  // The one that nobody knows has everything brought into the tables, to be sure.
  assert.deepEqual(writer.run(looks.slice(0, 2)), [
    { result: { found: true } },
    { result: { found: true } },
  ]);
  assert.ok(session.statementCount - before < 10, `${session.statementCount - before} statements`);
  assert.ok(writer.behind.isUntidy);
  const rows = (sql: string) => Number(inspect(bench.path, (db) => db.prepare(sql).get())?.rows);
  assert.equal(rows("SELECT count(*) AS rows FROM messages"), 1);
  assert.equal(rows("SELECT count(*) AS rows FROM message_events WHERE event = 'viewed'"), 2);
  assert.deepEqual(writer.run([...looks.slice(2), note("m51")]), [
    { result: { found: false } },
    { result: { found: true } },
  ]);
  assert.equal(bench.count("message_events", "event = 'viewed'"), 3);
  assert.equal(bench.count("messages"), 51);
});

// A commit that fails for a reason nobody foresaw must leave the connection usable.
Deno.test("Writer refuses a batch whose commit fails, and takes the next one", async () => {
  let fails = true;
  await using bench = new WriterBench((point) => {
    if (fails && point === "before_commit") throw new Error("unforeseen");
  });
  const { writer } = bench;
  assert.equal(failuresOf(writer.run(bench.receives(8))).length, 8);
  assert.deepEqual([bench.count("messages"), bench.count("queue"), bench.count("bodies")], [
    0,
    0,
    0,
  ]);
  fails = false;
  assert.deepEqual(failuresOf(writer.run(bench.receives(8))), []);
  assert.equal(bench.count("messages"), 8);
});

// Goal: what was answered comes out of the log after a rollback, or nothing is answered any more.
// Method: a batch in memory, a log that somebody removed or that the disk spoiled, a bad member.
Deno.test("Writer takes back into memory no less than it has answered", async () => {
  for (const fate of ["removed", "damaged"] as const) {
    await using bench = new WriterBench();
    const { writer, log } = bench;
    assert.deepEqual(failuresOf(writer.run(bench.receives(2))), []);
    assert.deepEqual(failuresOf(writer.run(bench.receives(2))), []);
    if (fate === "removed") Deno.removeSync(log.path);
    else {
      const bytes = Deno.readFileSync(log.path);
      bytes[100]! ^= 0x10;
      Deno.writeFileSync(log.path, bytes);
    }
    const [bad] = bench.receives(1);
    assert.ok(bad?.kind === "receive");
    const spoiled = { ...bad, message: { ...bad.message, receivedAt: 0.5 } };
    const code = fate === "removed" ? "store.failed" : "store.corrupt";
    assert.deepEqual(failuresOf(writer.run([spoiled])), [`0 ${code}`]);
    const next = failuresOf(writer.run(bench.receives(1)));
    if (fate === "removed") {
      assert.deepEqual(next, []);
      assert.equal(bench.count("messages"), 5);
    } else {
      assert.deepEqual(next, ["0 store.corrupt"]);
      assert.throws(() => bench.count("messages"), { code: "store.corrupt" });
    }
  }
});

// Goal: tidying in vain costs commits nothing, neither time nor what memory holds.
// Method: a lock that a step would wait a minute for, and what lies about from before.
Deno.test("Writer commits while tidying cannot have the tables", async () => {
  await using bench = new WriterBench();
  const { writer, session } = bench;
  session.db.exec("PRAGMA busy_timeout = 60000");
  assert.deepEqual(failuresOf(writer.run(recordErrors(bench, 70))), []);
  writer.behind.tidyOld();
  inspect(bench.path, (db) => {
    db.exec("BEGIN IMMEDIATE");
    const startedAt = performance.now();
    assert.throws(() => writer.behind.tidy(() => false), { message: /locked/ });
    assert.throws(() => writer.behind.tidyOld(), { message: /locked/ });
    // More than memory is to hold.
    for (let batch = 0; batch < 6; batch += 1) {
      assert.deepEqual(failuresOf(writer.run(recordErrors(bench, 200))), []);
    }
    assert.throws(() => writer.behind.tidy(() => false), { message: /locked/ });
    assert.deepEqual(failuresOf(writer.run(bench.receives(3))), []);
    assert.ok(performance.now() - startedAt < 30_000, "nobody has waited");
    db.exec("ROLLBACK");
  });
  assert.equal(session.db.prepare("PRAGMA busy_timeout").get()?.timeout, 60_000, "as it was");
  assert.equal(bench.count("messages"), 1_273);
});

// Goal: uses of a key are entered durably, also where commits do not wait for the disk and tidying has
// left its transaction open.
Deno.test("WriteBehind makes a durable change while a step of tidying is open", async () => {
  await using bench = new WriterBench();
  const { writer, session } = bench;
  assert.deepEqual(failuresOf(writer.run(recordErrors(bench, 70))), []);
  assert.equal(writer.behind.tidy(() => true), true, "a step is open");
  writer.behind.durably(({ db }) => db.exec("UPDATE retention SET reclaimed_on = 'then'"));
  assert.equal(session.db.prepare("PRAGMA synchronous").get()?.synchronous, 1, "as it was");
  assert.equal(bench.count("retention", "reclaimed_on = 'then'"), 1);
  assert.equal(bench.count("messages"), 70);
});

// Goal: who holds the tables holds up no commit, and what was answered meanwhile gets there later.
Deno.test("Writer commits to the log while another process writes to the tables", async () => {
  await using bench = new WriterBench();
  const { writer } = bench;
  inspect(bench.path, (db) => {
    db.exec("BEGIN IMMEDIATE");
    assert.deepEqual(failuresOf(writer.run(bench.receives(3))), []);
    assert.throws(() => writer.behind.storeAll(), { message: /locked/ });
    const resync = { kind: "resync", stage: "ingress", lane: "IB_1", at: 1 } as const;
    assert.deepEqual(failuresOf(writer.run([resync])), ["0 store.busy"]);
    db.exec("ROLLBACK");
  });
  assert.deepEqual(failuresOf(writer.run(bench.receives(3))), []);
  assert.equal(bench.count("messages"), 6);
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
    writer.behind.storeAll();
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
  const batches = 80;
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
  assert.ok(longest < 42 * 2 ** 20, `the log grew to ${longest} bytes of ${batches} MB written`);
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
  await store.totals();
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

// Goal: an audit row whose commit failed, before or after it went into the log, is nowhere, also for
// the next opening; the chain goes on as if it had never been.
Deno.test("Writer: a note that cannot be made durable leaves nothing behind", async () => {
  for (const failing of ["sync", "commit"] as const) {
    await using bench = new WriterBench();
    const { writer, log, opened: { db } } = bench;
    const tell = (number: number) => {
      const detail = JSON.stringify({ number });
      const audit = [{ at: 1, actor: "ann", action: "told", channel: null, detail }];
      return writer.run([{ kind: "register", changes: [], audit }]);
    };
    assert.deepEqual(failuresOf(writer.run(bench.receives(1))), []);
    assert.deepEqual(failuresOf(tell(1)), []);
    const { sync } = log;
    const { exec } = db;
    if (failing === "sync") {
      log.sync = () => {
        throw new Error("No space left on device (os error 28)");
      };
    } else {
      db.exec = (sql) => {
        if (sql === "COMMIT") throw new Error("disk I/O error");
        exec.call(db, sql);
      };
    }
    assert.equal(failuresOf(tell(2)).length, 1);
    log.sync = sync;
    db.exec = exec;
    assert.deepEqual(failuresOf(tell(3)), []);
    assert.deepEqual(failuresOf(writer.run(bench.receives(1))), []);
    bench.close();
    const reopened = openDatabase({ path: bench.path, synchronous: "normal", now: 1 });
    try {
      const rows = auditRowsOf(reopened.db);
      assert.deepEqual(rows.map(({ detail }) => detail), ['{"number":1}', '{"number":3}'], failing);
      assert.ok(verifyAudit(rows, undefined).ok);
      assertWhole(reopened.db);
      const { messages } = reopened.db.prepare("SELECT count(*) AS messages FROM messages").get()!;
      assert.equal(messages, 2);
    } finally {
      reopened.db.close();
      reopened.unlock();
    }
  }
});
