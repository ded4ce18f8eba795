// Goal: one live instance for each kind of event on each connection, whatever is raised, acknowledged
// and resolved in which order; its reason is sealed.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { RegisterValue } from "../../../src/store/registers/mod.ts";
import { alertSql } from "../../../src/store/sqlite/registers/alerts.ts";
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { testKeys } from "../ciphers.ts";
import { Folder, inspect, openStore } from "./bench.ts";

interface Event {
  readonly type?: string;
  readonly connection?: string;
  readonly severity?: string;
  readonly first?: number;
  readonly last?: number;
  readonly count?: number;
  readonly reason?: string;
}

function raise(store: SqliteStore, event: Event = {}) {
  const { type = "queue_buildup", connection = "OB", severity = "warning" } = event;
  const { first = 1, last = first, count = 1, reason = "3 rows wait" } = event;
  const values = [type, connection, severity, first, last, count, reason];
  return store.submit({ kind: "register", changes: [{ name: "alertRaise", values }], audit: [] });
}

async function change(
  store: SqliteStore,
  name: "alertAcknowledge" | "alertResolve",
  values: readonly RegisterValue[],
): Promise<boolean> {
  const audit = [{ at: 1, actor: "ann", action: `test.${name}`, channel: null, detail: null }];
  const changes = [{ name, values, expect: 1 }];
  return (await store.submit({ kind: "register", changes, audit })).applied;
}

Deno.test("alertRaise makes one live instance and adds to it until it is resolved", async () => {
  await using folder = new Folder();
  await using store = await openStore(folder.file());
  await raise(store, { first: 10, count: 2 });
  await raise(store, {
    first: 20,
    last: 30,
    count: 3,
    severity: "critical",
    reason: "9 rows wait",
  });
  await raise(store, { connection: "OB_2", first: 25 });
  await raise(store, { type: "connection_stopped", first: 5 });
  const live = await store.register("alertsLive", 10);
  assert.deepEqual(
    live.map((
      { event_type, connection, count, last_seen },
    ) => [event_type, connection, count, last_seen]),
    [
      ["queue_buildup", "OB", 5, 30],
      ["queue_buildup", "OB_2", 1, 25],
      ["connection_stopped", "OB", 1, 5],
    ],
  );
  assert.deepEqual((await store.register("alertsLive", 1)).length, 1);
  const [{ id, first_seen, severity, status, reason, acked_by }] = live as [
    Record<string, RegisterValue>,
  ];
  assert.deepEqual([first_seen, severity, status, reason, acked_by], [
    10,
    "critical",
    "open",
    "9 rows wait",
    null,
  ]);
  assert.ok(await change(store, "alertAcknowledge", ["ann", 40, id!]));
  assert.ok(await change(store, "alertAcknowledge", ["bob", 50, id!]));
  await raise(store, { first: 60 });
  const [acked] = await store.register("alertById", id!);
  assert.deepEqual(
    [acked?.status, acked?.acked_by, acked?.acked_at, acked?.count],
    ["acknowledged", "ann", 40, 6],
  );
  assert.deepEqual(await store.register("alertsOpen"), [
    { connection: "OB", open: 1 },
    { connection: "OB_2", open: 1 },
  ]);
  assert.ok(await change(store, "alertResolve", [70, id!]));
  await raise(store, { first: 80 });
  const again = (await store.register("alertsLive", 10))[0];
  assert.notEqual(again?.id, id);
  assert.deepEqual([again?.count, again?.first_seen, again?.status], [1, 80, "open"]);
  const [gone] = await store.register("alertById", id!);
  assert.deepEqual([gone?.status, gone?.resolved_at, gone?.count], ["resolved", 70, 6]);
});

Deno.test("what is resolved or was never there is neither acknowledged nor resolved, nor audited", async () => {
  await using folder = new Folder();
  await using store = await openStore(folder.file());
  await raise(store);
  assert.ok(await change(store, "alertResolve", [2, 1]));
  assert.ok(!await change(store, "alertResolve", [3, 1]));
  assert.ok(!await change(store, "alertAcknowledge", ["ann", 3, 1]));
  assert.ok(!await change(store, "alertResolve", [3, 99]));
  const actions = (await store.register("auditNewest", 10)).map(({ action }) => action);
  assert.deepEqual(actions, ["test.alertResolve"]);
});

Deno.test("the reason of an instance is sealed, and null when nobody can open it", async () => {
  await using folder = new Folder();
  const path = folder.file();
  {
    await using store = await openStore(path, { keys: testKeys });
    await raise(store, { reason: "first" });
    await raise(store, { reason: "second" });
    const [row] = await store.register("alertsLive", 1);
    assert.equal(row?.reason, "second");
  }
  const cells = inspect(path, (db) => db.prepare("SELECT reason FROM alert_instance").all());
  assert.equal(cells.length, 1);
  assert.match(String(cells[0]?.reason), /^mfenc:v1:/);
  inspect(path, (db) => db.exec("UPDATE alert_instance SET reason = reason || 'x'"));
  await using store = await openStore(path, { keys: testKeys });
  assert.equal((await store.register("alertById", 1))[0]?.reason, null);
});

Deno.test("statements of instances go by their index", async () => {
  await using folder = new Folder();
  await using store = await openStore(folder.file());
  inspect(store.path, (db) => {
    for (const name of ["alertsLive", "alertsOpen"] as const) {
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${alertSql[name]}`).all();
      assert.match(JSON.stringify(plan), /USING INDEX alert_instance_live/, name);
    }
    for (const name of ["alertById", "alertAcknowledge", "alertResolve"] as const) {
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${alertSql[name]}`).all();
      assert.match(JSON.stringify(plan), /USING INTEGER PRIMARY KEY/, name);
    }
  });
});

type Act = { readonly kind: "raise"; readonly type: string; readonly count: number } | {
  readonly kind: "alertAcknowledge" | "alertResolve";
  readonly id: number;
};

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant("raise" as const),
    type: fc.constantFrom("queue_buildup", "cert_expiry"),
    count: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    kind: fc.constantFrom("alertAcknowledge" as const, "alertResolve" as const),
    id: fc.integer({ min: 1, max: 6 }),
  }),
);

Deno.test("in any order of acts, each event is counted in exactly one instance", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
      await using folder = new Folder();
      await using store = await openStore(folder.file());
      const model: { id: number; type: string; status: string; count: number }[] = [];
      for (const [at, one] of acts.entries()) {
        if (one.kind === "raise") {
          await raise(store, { type: one.type, count: one.count, first: at });
          const live = model.find(({ type, status }) => type === one.type && status !== "resolved");
          if (live) live.count += one.count;
          else {
            const id = model.length + 1;
            model.push({ id, type: one.type, status: "open", count: one.count });
          }
          continue;
        }
        const found = model.find(({ id, status }) => id === one.id && status !== "resolved");
        const values = one.kind === "alertResolve" ? [at, one.id] : ["ann", at, one.id];
        assert.equal(await change(store, one.kind, values), found !== undefined);
        if (found) found.status = one.kind === "alertResolve" ? "resolved" : "acknowledged";
      }
      const rows = inspect(store.path, (db) =>
        db.prepare(`
          SELECT id, event_type AS type, status, count FROM alert_instance ORDER BY id`).all());
      assert.deepEqual(rows.map((row) => ({ ...row })), model);
    }),
    { numRuns: 25 },
  );
});
