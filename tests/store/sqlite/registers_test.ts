// Goal: register intents are whole or not at all, apart from the messages' commits, and every audit
// row stands in the commit of what it tells of (I53), in one chain that shows every change (I52).
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { verifyAudit } from "../../../src/audit/mod.ts";
import type { AuditFields } from "../../../src/crypto/audit_chain.ts";
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { openAuditRows } from "../../../src/store/sqlite/registers/audit_rows.ts";
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { otherKeys, testKeys } from "../ciphers.ts";
import { Folder, inspect, openStore } from "./bench.ts";

function row(action: string, rest: Partial<AuditFields> = {}): AuditFields {
  return { at: 1, actor: "ann", action, channel: null, detail: null, ...rest };
}

function append(store: SqliteStore, ...audit: AuditFields[]) {
  return store.submit({ kind: "register", changes: [], audit });
}

function verdict(path: string, keys?: CellKeys) {
  using log = openAuditRows(path, keys);
  return verifyAudit(log.rows(), log.key);
}

/** A log of `count` rows, closed. */
async function logOf(path: string, count: number, keys?: CellKeys): Promise<void> {
  await using store = await openStore(path, { keys });
  for (let n = 0; n < count; n++) {
    await append(
      store,
      row("test.act", { at: n, channel: n % 2 ? "IB" : null, detail: `{"n":${n}}` }),
    );
  }
}

Deno.test("appends from many tasks make one chain, over restarts, with a key and without", async () => {
  for (const keys of [undefined, testKeys]) {
    await using folder = new Folder();
    const path = folder.file();
    for (let life = 0; life < 2; life++) {
      await using store = await openStore(path, { keys });
      const tasks = Array.from(
        { length: 20 },
        (_, task) => append(store, row(`task.${task}`), row(`task.${task}.more`)),
      );
      for (const { applied } of await Promise.all(tasks)) assert.ok(applied);
    }
    const { ok, rows } = verdict(path, keys);
    assert.deepEqual([ok, rows], [true, 80]);
  }
});

// Goal: who asks for a channel with an odd name, and is denied it, breaks no chain.
Deno.test("rows whose texts have a NUL in them fit the chain", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const rows = [
    row("test.act", { channel: "IB\0x" }),
    row("test.act", { actor: "ann\0", detail: "a\0" }),
    row("test.act", { channel: "\0" }),
    row("test\0act"),
  ];
  {
    await using store = await openStore(path);
    await append(store, ...rows);
    const newest = await store.register("auditNewest", 9);
    assert.deepEqual(newest.map(({ channel_id }) => channel_id), [null, "\0", null, "IB\0x"]);
  }
  using log = openAuditRows(path, undefined);
  const read = [...log.rows()];
  assert.deepEqual(read.map(({ id: _, isKeyed: __, hash: ___, ...fields }) => fields), rows);
  assert.deepEqual(verifyAudit(read, log.key).ok, true);
});

Deno.test("every change to a row of the log, its removal and a swap are found at that row", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await logOf(path, 9, testKeys);
  const intact = verdict(path, testKeys);
  assert.deepEqual([intact.ok, intact.rows], [true, 9]);
  const tampered = (change: (db: DatabaseSync) => void) => {
    const copy = folder.file("copy.db");
    Deno.copyFileSync(path, copy);
    inspect(copy, change);
    return verdict(copy, testKeys);
  };
  const edits = [
    "at = at + 1",
    "actor = actor || 'x'",
    "action = 'other'",
    "channel_id = 'IB_OTHER'",
    `detail = '{"n":77}'`,
    "keyed = 0",
    "row_hash = upper(row_hash)",
  ];
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.constantFrom(...edits), (id, edit) => {
      const found = tampered((db) => db.exec(`UPDATE audit_log SET ${edit} WHERE id = ${id}`));
      assert.ok(!found.ok && found.row === id, `${edit} of row ${id}: ${JSON.stringify(found)}`);
    }),
    { numRuns: 40 },
  );
  for (let id = 1; id < 9; id++) {
    const removed = tampered((db) => db.exec(`DELETE FROM audit_log WHERE id = ${id}`));
    assert.ok(!removed.ok && removed.row === id + 1);
    const swapped = tampered((db) =>
      db.exec(`
        UPDATE audit_log SET id = -1 WHERE id = ${id};
        UPDATE audit_log SET id = ${id} WHERE id = ${id + 1};
        UPDATE audit_log SET id = ${id + 1} WHERE id = -1`)
    );
    assert.ok(!swapped.ok && swapped.row === id);
  }
  // Cut off at its end the log is whole in itself: the anchor tells.
  const cut = tampered((db) => db.exec("DELETE FROM audit_log WHERE id = 9"));
  assert.ok(cut.ok && intact.ok && cut.rows === 8 && cut.head !== intact.head);
  // Without the store's key nobody can say, and nobody could have forged it.
  assert.equal(verdict(path, otherKeys).ok, false);
});

Deno.test("a chain that began without a key is keyed from the first key on", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await logOf(path, 3);
  await logOf(path, 3, testKeys);
  const { ok, rows } = verdict(path, testKeys);
  assert.deepEqual([ok, rows], [true, 6]);
  assert.deepEqual(
    inspect(path, (db) => db.prepare("SELECT keyed FROM audit_log ORDER BY id").all())
      .map(({ keyed }) => keyed),
    [0, 0, 0, 1, 1, 1],
  );
  // Rows after a key was in use cannot do without.
  inspect(path, (db) => db.exec("UPDATE audit_log SET keyed = 0 WHERE id = 6"));
  const forged = verdict(path, testKeys);
  assert.ok(!forged.ok && forged.row === 6);
});

Deno.test("a damaged key of the chain keeps no store from opening, and shows in the log", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await logOf(path, 2, testKeys);
  inspect(path, (db) => db.exec("UPDATE audit_key SET key = substr(key, 1, 60)"));
  await logOf(path, 2, testKeys);
  const found = verdict(path, testKeys);
  assert.ok(!found.ok && found.row === 1);
  assert.deepEqual(
    inspect(path, (db) => db.prepare("SELECT keyed FROM audit_log ORDER BY id").all())
      .map(({ keyed }) => keyed),
    [1, 1, 0, 0],
  );
});
