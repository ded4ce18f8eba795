import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../src/store/errors.ts";
import type { Intent } from "../../src/store/intents.ts";
import type { SqliteStore } from "../../src/store/sqlite/store.ts";
import { inspect } from "../store/sqlite/bench.ts";
import { DAY_S, PassBench } from "./bench.ts";

const none = { messages: 0, dead_letters: 0, state: 0, connection_events: 0, alerts: 0 };
const windows = { messages_days: 0, dead_letter_days: 0, state_max_age_days: 0, vacuumed: false };
const told = { actor: "system", action: "retention_purge" };

Deno.test("a pass keeps each window by itself, and tells of it in one audit row", async () => {
  await using bench = await PassBench.open();
  const done = await bench.message("old");
  const dead = await bench.message("lost", "dead");
  await bench.bench.store.submit({
    kind: "connection_events",
    events: [{
      ...{ at: bench.bench.now, connection: "IB", transport: "mllp", direction: "inbound" },
      ...{ event: "closed", peer: undefined, reason: undefined },
    }],
  });
  const raws = () =>
    Promise.all([done, dead].map(async (id) => (await bench.store.message(id))!.raw));
  const settings = "messages_days = 2\ndead_letter_days = 3\nstate_max_age_days = 4";

  // Each window ends with the microsecond after its last day.
  bench.bench.passSeconds(2 * DAY_S);
  await bench.pass(settings);
  assert.deepEqual([await raws(), await bench.audit()], [["old", "lost"], []]);
  bench.bench.now += 1;
  await bench.pass(settings);
  assert.deepEqual(await raws(), ["", ""]);
  const payloads = async () => (await bench.store.outboundOf(dead))!.map(({ payload }) => payload);
  assert.deepEqual(await payloads(), ["lost sent"]);
  bench.bench.passSeconds(DAY_S);
  await bench.pass(settings);
  assert.deepEqual(await payloads(), [""]);
  bench.bench.passSeconds(DAY_S);
  await bench.pass(settings);
  assert.deepEqual(await bench.store.state(), []);
  assert.deepEqual(bench.forgotten.sort(), ["n lost", "n old"]);
  await bench.pass(settings);

  const days = { ...windows, messages_days: 2, dead_letter_days: 3, state_max_age_days: 4 };
  assert.deepEqual(await bench.audit(), [
    { ...told, ...days, ...none, messages: 2, connection_events: 1 },
    { ...told, ...days, ...none, dead_letters: 1 },
    { ...told, ...days, ...none, state: 2 },
  ]);
  assert.deepEqual(bench.figures.purged, {
    ...{ messages: 2, dead_letters: 1, state: 2, connection_events: 1, alerts: 0 },
  });
  assert.equal(bench.figures.passes, 5);
});

Deno.test("a pass keeps the windows of connections, also where all others keep everything", async () => {
  await using bench = await PassBench.open();
  const [done, dead] = [await bench.message("old"), await bench.message("lost", "dead")];
  bench.bench.passSeconds(3 * DAY_S + 1);
  const ownWindows = (messages: number, deadLetters: number) => ({
    ownWindows: () => ({
      messages: new Map([["IB_ADT", messages], ["IB_GONE", 9]]),
      deadLetters: new Map([["OB_A", deadLetters]]),
    }),
  });
  const bodies = async () => [
    (await bench.store.message(done))!.raw,
    (await bench.store.outboundOf(dead))![0]!.payload,
  ];
  await bench.pass("messages_days = 1\ndead_letter_days = 1", ownWindows(0, 4));
  assert.deepEqual([await bodies(), await bench.audit()], [["old", "lost sent"], []]);
  await bench.pass("", ownWindows(4, 0));
  assert.deepEqual([await bodies(), await bench.audit()], [["old", "lost sent"], []]);
  await bench.pass("", ownWindows(3, 3));
  assert.deepEqual(await bodies(), ["", ""]);
  const many = new Map(Array.from({ length: 25 }, (_, n) => [`IB_${n}`, 1]));
  await bench.message("later");
  bench.bench.passSeconds(2 * DAY_S);
  await bench.pass("messages_days = 1", {
    ownWindows: () => ({ messages: many, deadLetters: new Map() }),
  });
  const [, { messages_days_of: shown } = {}] = await bench.audit();
  assert.match(String(shown), /^IB_0=1 .* IB_19=1 and 5 more$/);
  const of = { messages_days_of: "IB_ADT=3 IB_GONE=9", dead_letter_days_of: "OB_A=3" };
  assert.deepEqual(await bench.audit(), [
    { ...told, ...windows, ...of, ...none, messages: 2, dead_letters: 1 },
    { ...told, ...windows, messages_days: 1, messages_days_of: shown, ...none, messages: 1 },
  ]);
});

Deno.test("a pass without windows changes nothing and tells of nothing", async () => {
  await using bench = await PassBench.open();
  const id = await bench.message("old");
  bench.bench.passSeconds(10_000 * DAY_S);
  await bench.pass("");
  await bench.pass("max_db_mb = 100000\nwal_checkpoint_seconds = 1e9");
  assert.equal((await bench.store.message(id))!.raw, "old");
  assert.deepEqual([await bench.audit(), bench.advisories, bench.log], [[], [], []]);
});

Deno.test("resolved alerts go with the window of messages, open ones stay", async () => {
  await using bench = await PassBench.open();
  const at = bench.bench.now;
  inspect(bench.store.path, (db) => {
    const insert = db.prepare(`
      INSERT INTO alert_instance (event_type, connection, severity, status, first_seen, last_seen,
                                  count, resolved_at)
      VALUES ('cert_expiry', ?, 'warning', ?, ?, ?, 1, ?)`);
    insert.run("A", "resolved", at, at, at);
    insert.run("B", "resolved", at, at, at + 1);
    insert.run("C", "open", at, at, null);
  });
  bench.bench.now += DAY_S * 1e6 + 1;
  await bench.pass("messages_days = 1");
  const left = inspect(
    bench.store.path,
    (db) => db.prepare("SELECT connection AS c FROM alert_instance ORDER BY id").all(),
  );
  assert.deepEqual(left.map(({ c }) => c), ["B", "C"]);
  assert.equal((await bench.audit())[0]!.alerts, 1);
});

// Goal: I44 and the leader's part of §5. Who does not lead writes nothing, not even a row.
Deno.test("a follower writes nothing, and one that loses the lead writes no more", async () => {
  await using bench = await PassBench.open();
  for (let n = 0; n < 250; n += 1) await bench.message(`m${n}`);
  bench.bench.passSeconds(2 * DAY_S);
  bench.isLeader = () => false;
  await bench.pass('messages_days = 1\nvacuum_at = "00:00"\nmax_db_mb = 1');
  assert.deepEqual(await bench.audit(), []);
  assert.equal((await bench.store.retention()).counts.messages, 0);

  let asked = 0;
  bench.isLeader = () => ++asked < 3;
  await bench.pass("messages_days = 1");
  const { counts } = await bench.store.retention();
  assert.equal(counts.messages, 200, "it was asked before each batch");
  assert.deepEqual(await bench.audit(), [], "its successor tells of it");

  bench.isLeader = () => true;
  await bench.restart();
  await bench.pass("messages_days = 1");
  const rows = await bench.audit();
  assert.deepEqual(rows.map(({ messages, cut_short }) => [messages, cut_short]), [
    [200, true],
    [50, undefined],
  ]);
});

Deno.test("a pass that is stopped tells of what it did", async () => {
  await using bench = await PassBench.open();
  for (let n = 0; n < 120; n += 1) await bench.message(`m${n}`);
  bench.bench.passSeconds(2 * DAY_S);
  await bench.pass("messages_days = 1", {
    purgeState: async (purge) => {
      await purge();
      bench.stop.abort();
    },
  });
  assert.deepEqual((await bench.audit()).map(({ messages }) => messages), [100]);
  assert.equal((await bench.store.retention()).logsHoldPurged, true);
});

Deno.test("a chore that fails is logged and tried again, and the others go on", async () => {
  await using bench = await PassBench.open();
  await bench.message("old", "dead");
  bench.bench.passSeconds(2 * DAY_S);
  let fails = true;
  const store = failing(
    bench.store,
    (intent) => fails && intent.kind === "purge" && intent.of === "messages",
  );
  const settings = "messages_days = 1\ndead_letter_days = 1";
  await bench.pass(settings, { store });
  assert.deepEqual(bench.events(), ["retention.failed", "audit"]);
  assert.match(bench.log[0]!.message, /chore=messages .*store\.disk_full/);
  assert.deepEqual([bench.figures.failures, bench.figures.lastDoneAt], [1, undefined]);
  fails = false;
  await bench.pass(settings, { store });
  assert.deepEqual(
    (await bench.audit()).map(({ messages, dead_letters }) => [messages, dead_letters]),
    [[0, 1], [1, 0]],
  );
  assert.equal(bench.figures.lastDoneAt, bench.bench.now / 1000);
});

Deno.test("a pass whose row could not be written has it written first by the next", async () => {
  await using bench = await PassBench.open();
  await bench.message("one");
  bench.bench.passSeconds(2 * DAY_S);
  let fails = true;
  const store = failing(bench.store, ({ kind }) => fails && kind === "end_purge");
  await bench.pass("messages_days = 1", { store });
  assert.deepEqual(await bench.audit(), []);
  fails = false;
  await bench.message("two");
  bench.bench.passSeconds(2 * DAY_S);
  await bench.pass("messages_days = 1", { store });
  const rows = await bench.audit();
  assert.deepEqual(rows.map(({ messages, cut_short }) => [messages, cut_short]), [
    [1, true],
    [1, undefined],
  ]);
});

/** A store that refuses some intents, as on a full disk. */
function failing(real: SqliteStore, fails: (intent: Intent) => boolean): SqliteStore {
  const submit = (intent: Intent) =>
    fails(intent)
      ? Promise.reject(new StoreError("store.disk_full", "Cannot write"))
      : real.submit(intent);
  return new Proxy(real, {
    get: (target, name) => {
      if (name === "submit") return submit;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("a store over its size is told of with each pass, and nothing is deleted", async () => {
  await using bench = await PassBench.open();
  const id = await bench.message("x".repeat(1_200_000));
  const store = bench.store.path;
  await bench.pass("max_db_mb = 100");
  assert.equal(bench.advisories.length, 0);
  await bench.pass("max_db_mb = 1");
  await bench.pass("max_db_mb = 1");
  const [first, second] = bench.advisories;
  assert.deepEqual([first!.store, first!.limitBytes, second!.limitBytes], [store, 1e6, 1e6]);
  const onDisk = ["", "-wal", "-shm", "-log"].reduce(
    (sum, end) => sum + Deno.statSync(store + end).size,
    0,
  );
  assert.ok(first!.sizeBytes > 1e6 && second!.sizeBytes <= onDisk, `${first!.sizeBytes} bytes`);
  const rows = await bench.audit();
  assert.deepEqual(rows.map(({ limit_bytes, messages }) => [limit_bytes, messages]), [
    [1e6, 0],
    [1e6, 0],
  ]);
  assert.equal((await bench.store.message(id))!.raw.length, 1_200_000);
  assert.ok(bench.events().includes("retention.storage_threshold"));
  assert.ok(bench.figures.isOverSize);
  await bench.pass("max_db_mb = 1000");
  assert.ok(!bench.figures.isOverSize);
});

// Goal: I45, over restarts too; the file gives back what purges freed.
Deno.test("free pages are given back once a local day, at its time", async () => {
  await using bench = await PassBench.open();
  for (let n = 0; n < 90; n += 1) await bench.message(`m${n} ${"x".repeat(20_000)}`);
  const size = () => Deno.statSync(bench.store.path).size;
  const at = (time: string) => bench.bench.now = Date.parse(`2026-06-0${time}:00Z`) * 1000;
  const settings = 'messages_days = 1\nvacuum_at = "03:30"';
  at("1T03:29");
  await bench.pass(settings);
  const full = size();
  assert.ok(full > 2_000_000, `${full} bytes`);
  assert.equal((await bench.audit())[0]!.vacuumed, false);
  at("1T03:30");
  await bench.pass(settings);
  assert.ok(size() < full / 4, `${size()} of ${full} bytes`);
  at("1T23:59");
  await bench.pass(settings);
  await bench.restart();
  await bench.pass(settings);
  at("2T03:00");
  await bench.pass(settings);
  at("4T17:00");
  await bench.pass(settings);
  const reclaimed = await bench.audit();
  assert.deepEqual(reclaimed.map(({ vacuumed }) => vacuumed), [false, true, true]);
  assert.equal((await bench.store.retention()).reclaimedOn, "2026-06-04");
});

Deno.test("SQLite's log is cut off when its time has come, without a row", async () => {
  await using bench = await PassBench.open();
  const wal = () => Deno.statSync(`${bench.store.path}-wal`).size;
  await bench.message("one");
  await bench.store.totals();
  bench.monotonic = 59_999;
  await bench.pass("wal_checkpoint_seconds = 60");
  assert.ok(wal() > 0);
  bench.monotonic = 60_000;
  await bench.pass("wal_checkpoint_seconds = 60");
  // The end of the pass is a commit of its own.
  assert.ok(wal() < 64 * 1024, `${wal()} bytes`);
  const { checkpoints } = await bench.store.counters();
  bench.monotonic = 119_999;
  await bench.pass("wal_checkpoint_seconds = 60");
  assert.equal((await bench.store.counters()).checkpoints, checkpoints);
  assert.deepEqual(await bench.audit(), []);
});

// Whoever copies the store by hand holds its log: nobody waits for him.
Deno.test("a log that somebody reads is cut off by the next pass", async () => {
  await using bench = await PassBench.open();
  await bench.message("CANARY");
  await bench.store.totals();
  bench.bench.passSeconds(2 * DAY_S);
  {
    using reader = new DatabaseSync(bench.store.path, { readOnly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM messages").get();
    const startedAt = performance.now();
    await bench.pass("messages_days = 1");
    assert.ok(performance.now() - startedAt < 4_000, "nobody waited");
  }
  assert.ok(bench.events().includes("retention.log_held"));
  assert.equal((await bench.store.retention()).logsHoldPurged, true);
  await bench.restart();
  await bench.pass("");
  assert.equal((await bench.store.retention()).logsHoldPurged, false);
});
