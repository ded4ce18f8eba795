/**
 * What SIGKILL leaves at each point of a commit (I1, I10, I11, I14).
 *
 * The store is killed again and again in its own child process, and opened and looked through
 * after each; messages that survived move on with the next one.
 */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { within } from "../../connectors/waiting.ts";
import { assertWhole, Folder, inspect, inspectRecovered, openStore } from "./bench.ts";
import { type Batch, bodyOf, changedOf, destinations, type Line } from "./crash_child.ts";

/** In the order of one store's life. */
const deaths = [
  "store.inside_batch@6",
  "store.before_commit@6",
  "store.after_commit@7",
  "store.inside_batch@40",
  "store.before_commit.hand_off@2",
  "store.after_commit.hand_off@2",
  "store.inside_batch.hand_off@9",
  "store.before_commit.complete@2",
  "store.after_commit.complete@2",
  "store.inside_batch.complete@20",
  "store.inside_tidy@2",
  "store.after_tidy@2",
  "store.before_commit.claim@1",
  "store.after_commit.claim@3",
];

// Goal: what was answered is there, what was not is there as a whole batch or not at all; no
// message stands still without an open row; claims end, attempts stay, numbers and tokens go on.
Deno.test("SqliteStore survives being killed at every point of a commit", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const life = new Life();
  for (const failpoint of deaths) {
    const { batches, unanswered, killed } = await runChild(path, failpoint);
    assert.ok(killed, `${failpoint} never came`);
    inspectRecovered(path, (db) => {
      for (const batch of batches) life.answered(batch);
      if (unanswered) life.unanswered(db, unanswered, failpoint);
      life.check(db, failpoint);
    });
    await life.checkRecovery(path, failpoint);
  }
  const { killed } = await runChild(path, "", 3);
  assert.equal(killed, false);
  inspect(path, (db) => life.check(db, "the end"));
});

/** What must be true of the store, as far as its callers were told. */
class Life {
  readonly #received = new Set<string>();
  readonly #handedOff = new Set<string>();
  /** How often a delivery of each message was answered; each has one a destination. */
  readonly #delivered = new Map<string, number>();
  #token = 0;
  #seq = 0;

  answered(batch: Batch): void {
    for (const id of batch.received) this.#received.add(id);
    for (const id of batch.handedOff) this.#handedOff.add(id);
    for (const id of batch.delivered) {
      this.#delivered.set(id, (this.#delivered.get(id) ?? 0) + 1);
    }
    this.#token = Math.max(this.#token, batch.token);
  }

  /**
   * A batch nobody was told of: durable as a whole after its commit, absent before. A step of
   * tidying goes on between batches, so there it is either.
   */
  unanswered(db: DatabaseSync, batch: Batch, failpoint: string): void {
    this.#token = Math.max(this.#token, batch.token);
    const found = batch.received.map((id) => this.#find(db, id) !== undefined);
    const isDurable = failpoint.includes("_tidy")
      ? found.includes(true)
      : failpoint.startsWith("store.after_commit");
    assert.deepEqual(found, found.map(() => isDurable), `${failpoint}: messages of the batch`);
    if (isDurable) this.answered(batch);
  }

  check(db: DatabaseSync, failpoint: string): void {
    assertWhole(db, failpoint);
    for (const id of this.#received) {
      const message = this.#find(db, id);
      assert.equal(message?.body, bodyOf(id), `${failpoint}: an answered message is gone`);
    }
    const messages = db.prepare("SELECT seq, id, status FROM messages").all();
    for (const { seq, id, status } of messages) {
      this.#checkWhole(db, Number(seq), String(id), String(status), failpoint);
    }
    const seqs = db.prepare(`
      SELECT max((SELECT max(seq) FROM messages), (SELECT max(seq) FROM queue),
                 (SELECT max(seq) FROM message_events)) AS newest
    `).get();
    this.#seq = Math.max(this.#seq, Number(seqs?.newest ?? 0));
  }

  /** Opens the store: nothing is in flight, attempts are kept, numbers and tokens go on. */
  async checkRecovery(path: string, failpoint: string): Promise<void> {
    const before = inspectRecovered(path, rowsInFlight);
    const store = await openStore(path);
    try {
      assert.equal(store.recovered, before.length, failpoint);
      assert.deepEqual(inspect(path, rowsInFlight), []);
      const after = inspect(path, (db) =>
        before.map(({ seq }) => ({
          ...db.prepare("SELECT seq, attempts, status FROM queue WHERE seq = ?").get(seq!),
        })));
      assert.deepEqual(
        after,
        before.map(({ seq, attempts }) => ({ seq, attempts, status: "pending" })),
      );
      const token = store.nextToken();
      assert.ok(token > this.#token, `${failpoint}: token ${token} came again`);
      for (const { claim_token } of before) assert.ok(token > Number(claim_token));
      const { messageSeq } = await store.submit({
        kind: "record_error",
        error: "decode error",
        message: {
          ...{ id: crypto.randomUUID(), raw: "", channel: "IB_A", receivedAt: 1 },
          ...{ sourceType: "mllp", controlId: undefined, messageType: undefined },
        },
      });
      assert.ok(messageSeq > this.#seq, `${failpoint}: number ${messageSeq} came again`);
    } finally {
      await store[Symbol.asyncDispose]();
    }
  }

  /** Consumed row gone exactly when produced rows, state, events and status stand (I11). */
  #checkWhole(db: DatabaseSync, seq: number, id: string, status: string, failpoint: string): void {
    if (status === "error") return;
    const rows = db.prepare(`
      SELECT q.stage, q.lane, q.status, b.body
        FROM queue q JOIN bodies b ON b.seq = q.body_seq
       WHERE q.message_seq = ? ORDER BY q.seq`).all(seq);
    const events = db.prepare("SELECT event FROM message_events WHERE message_seq = ? ORDER BY seq")
      .all(seq).map(({ event }) => event);
    const state = db.prepare("SELECT value FROM state WHERE key = ?").get(id);
    if (status === "received") {
      assert.deepEqual(rows.map(({ stage }) => stage), ["ingress"], failpoint);
      assert.deepEqual([events, state], [[], undefined], failpoint);
      assert.ok(!this.#handedOff.has(id), `${failpoint}: an answered handoff is gone`);
      return;
    }
    assert.deepEqual(
      rows.map(({ stage, lane, body }) => [stage, lane, body]),
      [
        ["outbound", destinations[0], changedOf(id)],
        ["outbound", destinations[1], bodyOf(id)],
      ],
      failpoint,
    );
    assert.equal(state?.value, "1", failpoint);
    const done = rows.filter(({ status }) => status === "done").length;
    assert.deepEqual(
      events,
      ["routed", "transformed", ...Array(done).fill("delivered")],
      failpoint,
    );
    assert.equal(status, done === 2 ? "processed" : "routed", failpoint);
    assert.ok(done >= (this.#delivered.get(id) ?? 0), `${failpoint}: an answered delivery is gone`);
  }

  #find(db: DatabaseSync, id: string) {
    return db.prepare(
      "SELECT m.status, b.body FROM messages m JOIN bodies b ON b.seq = m.body_seq WHERE m.id = ?",
    ).get(id);
  }
}

function rowsInFlight(db: DatabaseSync) {
  return db.prepare(
    "SELECT seq, attempts, claim_token FROM queue WHERE status = 'inflight' ORDER BY seq",
  ).all();
}

/** Runs the child to its death or its end. */
async function runChild(path: string, failpoint: string, rounds = 30) {
  const entry = new URL("./crash_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-read", "--allow-write", entry],
      ...[path, failpoint, String(rounds)],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const { stdout, signal, success } = await within(child.output(), "the child to end", 30_000);
  const lines = new TextDecoder().decode(stdout).split("\n").filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  const submitted = lines.flatMap((line) => line.line === "submits" ? [line.batch] : []);
  const answers = lines.length - submitted.length;
  const killed = signal === "SIGKILL";
  assert.ok(killed || success, "the child failed");
  return {
    killed,
    batches: submitted.slice(0, answers),
    unanswered: submitted[answers] as Batch | undefined,
  };
}
