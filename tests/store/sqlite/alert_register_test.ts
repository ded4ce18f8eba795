// Goal: the reason of an alert instance is sealed, and its statements go by their index; what they
// mean is held by the contract.
import assert from "node:assert/strict";
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
