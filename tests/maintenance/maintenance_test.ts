import assert from "node:assert/strict";
import { nullLogger } from "../../src/logging/mod.ts";
import { Maintenance } from "../../src/maintenance/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import type { Intent } from "../../src/store/intents.ts";
import { noCounts, type PurgeRecord, type StoreUpkeep } from "../../src/store/purge.ts";
import type { Store } from "../../src/store/store.ts";
import { VirtualTime } from "../pipeline/virtual_time.ts";

/** A store in which nothing is ever due; it notes when it was asked. */
class IdleStore {
  readonly asked: string[] = [];
  readonly #time: VirtualTime;
  record: PurgeRecord = { counts: noCounts, logsHoldPurged: false, reclaimedOn: undefined };
  upkeep: StoreUpkeep | undefined;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  retention(): Promise<PurgeRecord> {
    this.asked.push(`${this.#time.now} retention`);
    return Promise.resolve(this.record);
  }

  submit(intent: Intent): Promise<unknown> {
    const of = intent.kind === "purge" ? ` ${intent.of}` : "";
    this.asked.push(`${this.#time.now} ${intent.kind}${of}`);
    return Promise.resolve({ purged: 0, next: undefined, state: [], audited: false, counts: {} });
  }
}

function begin(time: VirtualTime, store: IdleStore, settings: string, isLeader = () => true) {
  const file = { path: "messagefoundry.toml", text: `[retention]\n${settings}` };
  return new Maintenance({
    settings: loadSettings({ file, env: {} }).settings.retention,
    ownWindows: () => ({ messages: new Map(), deadLetters: new Map() }),
    store: store as unknown as Store,
    clock: time.clock,
    logger: nullLogger,
    isLeader,
    purgeState: async (purge) => void await purge(),
    onStorage: () => {},
    zone: "UTC",
  });
}

/** Notes when pages were given back, as on a clock on the wall. */
function upkeepAt(time: VirtualTime, reclaimed: string[]): StoreUpkeep {
  return {
    sizeBytes: () => Promise.resolve(0),
    checkpoint: () => Promise.resolve(true),
    reclaim() {
      reclaimed.push(new Date(time.clock.now()).toISOString().slice(0, 16));
      return Promise.resolve(0);
    },
  };
}

Deno.test("Maintenance runs its passes in their time, chores in their order", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  {
    await using _loop = begin(time, store, "messages_days = 1\ndead_letter_days = 1");
    await time.pass(29_999);
    assert.deepEqual(store.asked, [], "the engine has just started");
    await time.pass(1);
    const order = ["messages", "dead_letters", "connection_events", "alerts"];
    const pass = [...order.map((of) => `purge ${of}`), "end_purge"];
    assert.deepEqual(store.asked, ["retention", ...pass].map((what) => `30000 ${what}`));
    await time.pass(3_599_999);
    assert.equal(store.asked.length, 6);
    await time.pass(1);
    assert.deepEqual(store.asked.slice(6), pass.map((what) => `3630000 ${what}`));
  }
  await time.pass(10_000_000);
  assert.equal(store.asked.length, 11, "it has stopped");
  assert.equal(time.pending, 0);
});

Deno.test("Maintenance with nothing set looks once and leaves the store alone", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  await using _loop = begin(time, store, "purge_interval_seconds = 10");
  await time.pass(100_000);
  assert.deepEqual(store.asked, ["10000 retention"]);
});

Deno.test("Maintenance tells of a pass that its predecessor did not end", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  store.record = { ...store.record, counts: { ...noCounts, messages: 3 } };
  await using loop = begin(time, store, "purge_interval_seconds = 10");
  await time.pass(10_000);
  assert.deepEqual(store.asked.slice(0, 2), ["10000 retention", "10000 end_purge"]);
  const asked = store.asked.length;
  await time.pass(100_000);
  assert.equal(store.asked.length, asked);
  assert.equal(loop.figures.isRunning, false);
});

Deno.test("Maintenance does nothing while another process leads", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  let leads = false;
  const settings = "messages_days = 1\npurge_interval_seconds = 10";
  await using loop = begin(time, store, settings, () => leads);
  await time.pass(100_000);
  assert.deepEqual([store.asked, loop.figures.passes], [[], 0]);
  leads = true;
  await time.pass(10_000);
  assert.equal(loop.figures.passes, 1);
});

Deno.test("Maintenance goes on when the store cannot be read at first", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  const read = store.retention.bind(store);
  let fails = true;
  store.retention = () => fails ? Promise.reject(new Error("away")) : read();
  await using loop = begin(time, store, "messages_days = 1\npurge_interval_seconds = 10");
  await time.pass(20_000);
  assert.deepEqual([loop.figures.passes, loop.figures.failures], [0, 2]);
  fails = false;
  await time.pass(10_000);
  assert.equal(loop.figures.passes, 1);
});

// Goal: I45 where no pass falls between the time of day and midnight.
// Method: passes begin at 53 minutes and 50 seconds past each hour.
Deno.test("Maintenance gives pages back at their time of day, late in the day too", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  const reclaimed: string[] = [];
  store.upkeep = upkeepAt(time, reclaimed);
  await using loop = begin(time, store, 'vacuum_at = "23:58"');
  await time.pass(2 * 86_400_000);
  assert.deepEqual(reclaimed, ["2025-10-09T23:58", "2025-10-10T23:58"]);
  assert.ok(loop.figures.passes <= 51, `${loop.figures.passes} passes`);
});

Deno.test("Maintenance tries pages that could not be given back again at its interval", async () => {
  using time = new VirtualTime();
  const store = new IdleStore(time);
  let tries = 0;
  const reclaim = () => {
    tries += 1;
    return Promise.reject(new Error("disk full"));
  };
  store.upkeep = { ...upkeepAt(time, []), reclaim };
  await using _loop = begin(time, store, 'vacuum_at = "12:00"');
  await time.pass(4 * 3_600_000);
  // 08:53:20 is the start; passes at 12:00, then an hour apart.
  assert.equal(tries, 1);
  await time.pass(3_600_000);
  assert.equal(tries, 2);
});
