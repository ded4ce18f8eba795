import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { CommitLog } from "../../../src/store/sqlite/commit_log.ts";
import { openDatabase } from "../../../src/store/sqlite/database.ts";
import { queries } from "../../../src/store/sqlite/queries.ts";
import { Session } from "../../../src/store/sqlite/session.ts";
import { Writer } from "../../../src/store/sqlite/writer.ts";
import type { HandOffResult, ReceiveResult } from "../../../src/store/intent_results.ts";
import type { Intent } from "../../../src/store/intents.ts";
import { Folder } from "./bench.ts";
import { keylessCells } from "../../../src/crypto/cells.ts";
import { migrations } from "../../../src/store/sqlite/migrations/mod.ts";
import { AuditLog } from "../../../src/store/sqlite/registers/audit_log.ts";

// Goal: the totals that stand in for counting are what counting would give, at every moment: before
// and after the look-up tables fill, after a restart, after a crash, in a store of an older version.

/** A writer in this thread, so that a test can end it wherever it likes. */
class Bench implements Disposable {
  readonly #path: string;
  #opened: ReturnType<typeof openDatabase>;
  #session: Session;
  #log: CommitLog;
  #writer: Writer;
  #number = 0;

  constructor(path: string) {
    this.#path = path;
    this.#opened = openDatabase({ path, synchronous: "normal", now: 1 });
    const { db, nextSeq, log, nextFrame } = this.#opened;
    this.#session = new Session(db, nextSeq);
    this.#log = new CommitLog({ ...log, nextId: nextFrame });
    this.#writer = new Writer({
      session: this.#session,
      log: this.#log,
      audit: new AuditLog(this.#session.db, keylessCells),
      isSyncing: false,
    });
  }

  run<R>(intents: readonly Intent[]): R[] {
    return this.#writer.run(intents).map((outcome) => {
      assert.ok("result" in outcome, JSON.stringify(outcome));
      return outcome.result as R;
    });
  }

  /** Messages with one delivery each; every third is left pending, every fifth dead. */
  messages(count: number, channel = "IB_A"): void {
    const numbers = Array.from({ length: count }, () => this.#number += 1);
    const received = this.run<ReceiveResult>(numbers.map((n) => ({
      kind: "receive",
      token: n,
      message: {
        id: `id${n}`.padEnd(32, "0"),
        channel,
        receivedAt: n,
        sourceType: "mllp",
        controlId: `C${n}`,
        messageType: undefined,
        raw: "MSH|",
      },
    })));
    const routed = this.run<HandOffResult>(received.map(({ seq, messageSeq }, index) => ({
      kind: "hand_off",
      at: 1,
      seq,
      token: numbers[index]!,
      messageSeq,
      channel,
      handlers: 1,
      deliveries: [{
        destination: "OB_B",
        handler: "h",
        payload: undefined,
        token: numbers[index]!,
      }],
      failures: [],
      state: [],
    })));
    for (const [index, { seqs: [seq] }] of routed.entries()) {
      const n = numbers[index]!;
      const row = { at: 2, seq: seq!, token: n, messageSeq: received[index]!.messageSeq };
      const rest = { ...row, destination: "OB_B" };
      if (n % 3 === 0) this.run([{ kind: "release", at: 2, seq: seq!, token: n }]);
      else if (n % 5 === 0) {
        this.run([{ kind: "dead_letter", ...rest, error: "AR", next: undefined }]);
      } else this.run([{ kind: "complete", ...rest, next: undefined }]);
    }
  }

  cancel(limit?: number): number {
    const intent = { kind: "cancel", destination: "OB_B", scope: "all", at: 3, limit } as const;
    return this.run<{ cancelled: number }>([intent])[0]!.cancelled;
  }

  /** As after a crash: nothing is closed in order. */
  abandon(): void {
    this.#opened.db.close();
    this.#log.close();
    this.#opened.unlock();
  }

  /** What the totals say must be what counting says. */
  check(): void {
    this.#writer.behind.storeAll();
    using db = new Reading(this.#path);
    const counted = db.one(`
      SELECT (SELECT count(*) FROM messages) AS messages,
             (SELECT count(*) FROM messages WHERE channel_id = 'IB_A') AS ofA,
             count(*) FILTER (WHERE stage = 'outbound') AS deliveries,
             count(*) FILTER (WHERE stage = 'outbound' AND status = 'dead') AS dead,
             count(*) FILTER (WHERE stage = 'outbound' AND status = 'cancelled') AS cancelled
        FROM queue`);
    const told = {
      messages: db.one(queries.countAll).total,
      ofA: db.one(queries.countAllOfChannel, "IB_A").total,
      ...db.one(queries.outbox),
    };
    assert.deepEqual(told, counted);
  }

  [Symbol.dispose](): void {
    this.abandon();
  }
}

class Reading implements Disposable {
  readonly #db: DatabaseSync;

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true });
  }

  one(sql: string, ...values: string[]): Record<string, unknown> {
    return { ...this.#db.prepare(sql).get(...values) };
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

Deno.test("totals are exact while the look-up tables fill, and after a crash", async () => {
  await using folder = new Folder();
  {
    using bench = new Bench(folder.file());
    bench.check();
    for (const count of [1, 100, 154, 1, 256, 300, 7]) {
      bench.messages(count);
      bench.check();
      bench.messages(3, "IB_OTHER");
      bench.check();
    }
  }
  using again = new Bench(folder.file());
  again.check();
  again.messages(700, "IB_NEW");
  again.check();
});

Deno.test("totals follow what operators cancel, in one commit or in many", async () => {
  await using folder = new Folder();
  using bench = new Bench(folder.file());
  bench.messages(300);
  assert.equal(bench.cancel(40), 40);
  bench.check();
  assert.equal(bench.cancel(), 60);
  bench.check();
  assert.equal(bench.cancel(), 0);
  bench.check();
  bench.run([{ kind: "replay_dead", channel: undefined, destination: undefined, at: 4 }]);
  bench.check();
  assert.ok(bench.cancel() > 0);
  bench.check();
});

Deno.test("a batch that fails leaves the totals as they were", async () => {
  await using folder = new Folder();
  using bench = new Bench(folder.file());
  bench.messages(255);
  const message = { id: "x", channel: "IB_A", receivedAt: 1, sourceType: "m", raw: "" };
  const bad = { ...message, channel: null as unknown as string };
  const rest = { controlId: undefined, messageType: undefined };
  assert.throws(() =>
    bench.run([
      { kind: "record_error", message: { ...message, ...rest }, error: "e" },
      { kind: "record_error", message: { ...bad, ...rest }, error: "e" },
    ])
  );
  bench.check();
  bench.messages(300);
  bench.check();
});

function tablesSinceFirstVersion(db: DatabaseSync): string[] {
  const first = /CREATE TABLE (\w+)/g;
  const kept = new Set([...migrations[0]!.sql.matchAll(first)].map(([, name]) => name));
  return db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    .map(({ name }) => String(name))
    .filter((name) => !kept.has(name) && name !== "store_meta" && !name.startsWith("sqlite_"));
}

Deno.test("a store of the first version gets its totals when it is opened", async () => {
  await using folder = new Folder();
  const path = folder.file();
  {
    using bench = new Bench(path);
    bench.messages(700);
    bench.cancel(50);
  }
  {
    using db = new DatabaseSync(path);
    for (const name of tablesSinceFirstVersion(db)) db.exec(`DROP TABLE ${name}`);
    db.exec(`
      DROP INDEX messages_unpurged;
      DROP INDEX messages_unprocessed;
      DROP INDEX queue_dead_unpurged;
      DROP INDEX state_set_at;
      DROP INDEX connection_event_ts;
      DROP INDEX queue_dead;
      CREATE INDEX queue_dead ON queue (lane, seq) WHERE status = 'dead';
      ALTER TABLE store_meta DROP COLUMN log_from;
      ALTER TABLE store_meta DROP COLUMN sealing_key;
      ALTER TABLE bodies DROP COLUMN base_seq;
      UPDATE store_meta SET schema_version = 1`);
    Deno.removeSync(`${path}-log`);
  }
  using bench = new Bench(path);
  bench.check();
  bench.messages(300);
  bench.check();
});

Deno.test("no total and no list of dead letters looks at the history", async () => {
  await using folder = new Folder();
  const path = folder.file();
  using _bench = new Bench(path);
  using db = new DatabaseSync(path, { readOnly: true });
  const plan = (sql: string) => {
    const numbers = [...sql.matchAll(/\?(\d)/g)].map((match) => Number(match[1]));
    const values = new Array(Math.max(0, ...numbers)).fill(1);
    return db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values).map(({ detail }) => detail);
  };
  for (
    const name of ["countAll", "countAllOfChannel", "outbox", "countDead", "deadLetters"] as const
  ) {
    for (const step of plan(queries[name])) {
      assert.doesNotMatch(
        String(step),
        /^SCAN (?!CONSTANT|json_each )|TEMP B-TREE/,
        `${name}: ${step}`,
      );
    }
  }
});
