/**
 * How long a pass over a large store takes, and what it costs whoever waits for an acknowledgement.
 *
 * `deno task proof:retention [messages] [body bytes]`: fills a store, then times receipts without a
 * pass, and beside one. A receipt is the commit an acknowledgement waits for.
 */
import { DatabaseSync } from "node:sqlite";
import { systemClock } from "../../src/clock.ts";
import { nullLogger } from "../../src/logging/mod.ts";
import { Figures } from "../../src/maintenance/figures.ts";
import { Pass } from "../../src/maintenance/pass.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";

const SENDERS = 4;
const QUIET_MS = 10_000;
const DAY_US = 86_400_000_000;

async function main(): Promise<void> {
  const messages = Number(Deno.args[0] ?? 1_000_000);
  const bytes = Number(Deno.args[1] ?? 1_400);
  const folder = await Deno.makeTempDir({ prefix: "retention_" });
  const path = `${folder}/store.db`;
  try {
    await (await open(path))[Symbol.asyncDispose]();
    fill(path, messages, bytes);
    await using store = await open(path);
    const size = await store.upkeep.sizeBytes();
    say(`${messages} messages of ${bytes} bytes, ${(size / 1e6).toFixed(0)} MB`);
    say(`quiet: ${await receipts(store, new Promise((done) => setTimeout(done, QUIET_MS)))}`);

    const figures = new Figures();
    const startedAt = performance.now();
    const pass = run(store, figures, "messages_days = 1\ndead_letter_days = 1");
    say(`beside a pass: ${await receipts(store, pass)}`);
    const seconds = (performance.now() - startedAt) / 1000;
    const { purged, failures } = figures;
    say(
      `pass: ${seconds.toFixed(1)} s, ${purged.messages} messages, ${purged.dead_letters} dead ` +
        `letters, ${failures} failures`,
    );
    say(`${batches.length} batches: ${spread(batches)}`);
    const reclaimedAt = performance.now();
    const reclaim = run(store, figures, 'vacuum_at = "00:00"');
    say(`beside giving pages back: ${await receipts(store, reclaim)}`);
    const left = await store.upkeep.sizeBytes();
    say(
      `giving back: ${((performance.now() - reclaimedAt) / 1000).toFixed(1)} s, ` +
        `${(left / 1e6).toFixed(0)} MB left`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(path: string): Promise<SqliteStore> {
  return SqliteStore.open({ path, synchronous: "full", now: () => Date.now() * 1000 });
}

function run(store: SqliteStore, figures: Figures, retention: string): Promise<void> {
  const file = { path: "messagefoundry.toml", text: `[retention]\n${retention}` };
  const pass = new Pass({
    settings: loadSettings({ file, env: {} }).settings.retention,
    ownWindows: () => ({ messages: new Map(), deadLetters: new Map() }),
    ...{ store, figures, clock: systemClock, logger: nullLogger, isLeader: () => true },
    purgeState: async (purge) => {
      const askedAt = performance.now();
      await purge();
      batches.push(performance.now() - askedAt);
    },
    onStorage: () => {},
    signal: new AbortController().signal,
    zone: "UTC",
  }, { reclaimedOn: undefined, checkpointedAt: 0, logsHoldPurged: false, isUnfinished: false });
  return pass.run();
}

/** What the batches of a pass took, milliseconds. */
const batches: number[] = [];

/** Receives, hands off and delivers until `end`; what the receipts took. */
async function receipts(store: SqliteStore, end: Promise<unknown>): Promise<string> {
  let isOver = false;
  void end.then(() => isOver = true);
  const took: number[] = [];
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: SENDERS }, async (_, waiter) => {
    while (!isOver) took.push(await one(store, waiter));
  }));
  const seconds = (performance.now() - startedAt) / 1000;
  return `${(took.length / seconds).toFixed(0)} receipts/s, ${spread(took)}`;
}

function spread(took: number[]): string {
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))]!;
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => at(share).toFixed(1));
  return `p50 ${p50} ms, p99 ${p99} ms, p99.9 ${p999} ms, slowest ${took.at(-1)!.toFixed(1)} ms`;
}

async function one(store: SqliteStore, waiter: number): Promise<number> {
  const at = Date.now() * 1000;
  const message = {
    ...{ id: crypto.randomUUID().replaceAll("-", ""), channel: "IB", receivedAt: at },
    ...{ sourceType: "mllp", controlId: undefined, messageType: undefined },
    raw: "x".repeat(1_400),
  };
  const token = store.nextToken();
  const askedAt = performance.now();
  const { seq, messageSeq } = await store.submit({ kind: "receive", message, token }, { waiter });
  const tookMs = performance.now() - askedAt;
  const next = store.nextToken();
  const delivery = { destination: "OB", handler: "h", payload: undefined, token: next };
  const { seqs } = await store.submit({
    ...{ kind: "hand_off", at, seq, token, messageSeq, channel: "IB", handlers: 1 },
    ...{ deliveries: [delivery], failures: [], state: [] },
  });
  const row = { at, seq: seqs[0]!, token: next, messageSeq, destination: "OB", next: undefined };
  await store.submit({ kind: "complete", ...row });
  return tookMs;
}

/** Messages of long ago, as a store holds them: delivered, every hundredth a dead letter. */
function fill(path: string, count: number, bytes: number): void {
  using db = new DatabaseSync(path);
  const first = Date.now() * 1000 - 30 * DAY_US;
  const body = "y".repeat(bytes - 20);
  db.exec("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 20000");
  const step = 20_000;
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    db.exec(`
      BEGIN;
      CREATE TEMP TABLE IF NOT EXISTS n (i INTEGER PRIMARY KEY, seq INTEGER);
      DELETE FROM n;
      INSERT INTO n WITH RECURSIVE c (i) AS (VALUES (${from}) UNION ALL
        SELECT i + 1 FROM c WHERE i + 1 < ${to}) SELECT i, 10 + i * 7 FROM c;
      INSERT INTO messages SELECT seq, printf('%032x', i), 'IB', ${first} + i, 'mllp', 'C' || i,
        'ADT^A01', 'received', iif(i % 100, 'processed', 'error'), NULL, NULL, NULL, seq, NULL
        FROM n;
      INSERT INTO bodies SELECT seq, printf('%020d', i) || '${body}' FROM n;
      INSERT INTO bodies SELECT seq + 2, printf('%020d', i) || '${body}' FROM n;
      INSERT INTO queue SELECT seq + 2, seq, 'outbound', 'OB', 'IB', 'h', seq + 2,
        iif(i % 100, 'done', 'dead'), 1, ${first}, NULL, iif(i % 100, NULL, 'AR'), ${first},
        ${first} + i FROM n;
      INSERT INTO message_events SELECT seq, seq + 3, ${first}, 'routed', NULL, NULL FROM n;
      INSERT INTO message_events SELECT seq, seq + 4, ${first}, 'transformed', NULL, NULL FROM n;
      INSERT INTO message_events SELECT seq, seq + 5, ${first},
        iif(i % 100, 'delivered', 'dead'), 'OB', iif(i % 100, NULL, 'AR') FROM n;
      COMMIT`);
  }
  const newest = 10 + count * 7;
  db.exec(`
    BEGIN;
    INSERT INTO message_by_id SELECT id, seq FROM messages ORDER BY id;
    INSERT INTO message_by_channel SELECT channel_id, seq FROM messages;
    INSERT INTO totals VALUES ('messages', 'IB', ${count}), ('deliveries', 'OB', ${count});
    UPDATE store_meta SET indexed_to = ${newest}, next_seq = ${newest + 1};
    COMMIT`);
  db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
}

function say(line: string): void {
  console.log(line);
}

if (import.meta.main) await main();
