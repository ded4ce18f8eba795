// Goal: rows that are looked up in place are those of the moment, whoever wrote them.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { InlineReads } from "../../../src/store/sqlite/inline_reads.ts";
import type { RegisterChangeName, RegisterValue } from "../../../src/store/registers/mod.ts";
import { eventually } from "../../connectors/waiting.ts";
import { Folder, openStore } from "./bench.ts";

const ID = "u1";
const INSERT =
  "INSERT INTO users (id, username, username_key, auth_provider, created_at, updated_at)" +
  " VALUES (?, ?, ?, 'local', 1, 1)";

Deno.test("a change of the store's own is seen at once, one of another connection soon", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await using store = await openStore(path);
  using other = new DatabaseSync(path);
  const names = async () => (await store.register("userById", ID)).map(({ username }) => username);
  const change = (name: RegisterChangeName, ...values: RegisterValue[]) =>
    store.submit({ kind: "register", changes: [{ name, values }], audit: [] });
  assert.deepEqual(await names(), []);
  other.prepare(INSERT).run(ID, "ann", "ann");
  await eventually(async () => (await names()).join() === "ann", "the new row", 5_000);
  for (let round = 0; round < 20; round += 1) {
    const before = await names();
    await change("deleteUser", ID);
    assert.deepEqual([before, await names()], [["ann"], []], "changed by the store");
    other.prepare(INSERT).run(ID, "ann", "ann");
    await eventually(async () => (await names()).length === 1, "the row again", 5_000);
  }
  other.prepare("UPDATE users SET username = 'bea' WHERE id = ?").run(ID);
  await eventually(async () => (await names()).join() === "bea", "the new name", 5_000);
});

Deno.test("a row is kept, frozen, while nobody changes a register", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await using _store = await openStore(path);
  using other = new DatabaseSync(path);
  using reads = new InlineReads(path);
  other.prepare(INSERT).run(ID, "ann", "ann");
  const [row] = reads.rows("userById", [ID])!;
  assert.ok(Object.isFrozen(row));
  assert.equal(reads.rows("userById", [ID])![0], row);
  other.prepare("DELETE FROM users").run();
  reads.forget();
  assert.deepEqual(reads.rows("userById", [ID]), []);
});

Deno.test("more rows than are kept are all found", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await using _store = await openStore(path);
  using other = new DatabaseSync(path);
  const insert = other.prepare(INSERT);
  const ids = Array.from({ length: 600 }, (_, at) => `u${at}`);
  for (const id of ids) insert.run(id, `name ${id}`, id);
  using reads = new InlineReads(path);
  for (const id of [...ids, ...ids]) {
    assert.equal(reads.rows("userById", [id])![0]!.username, `name ${id}`);
  }
});
