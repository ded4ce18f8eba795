// Goal: a damaged store is found, by a thread that holds up no other, and a check ends with its store.
import assert from "node:assert/strict";
import { Folder, inspect, openStore } from "./bench.ts";

Deno.test("checkIntegrity() tells a sound file from a damaged one", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await (await openStore(path))[Symbol.asyncDispose]();
  const pageBytes = inspect(path, (db) => Number(db.prepare("PRAGMA page_size").get()?.page_size));
  const rootOfTable = inspect(path, (db) => {
    const row = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'bodies'").get();
    return Number(row?.rootpage);
  });
  await using store = await openStore(path);
  assert.deepEqual(await store.checkIntegrity(), { ok: true, detail: "ok" });
  using file = await Deno.open(path, { write: true });
  await file.seek(pageBytes * (rootOfTable - 1), Deno.SeekMode.Start);
  await file.write(new Uint8Array(pageBytes).fill(0xa5));
  const { ok, detail } = await store.checkIntegrity();
  assert.equal(ok, false);
  assert.notEqual(detail, "ok");
});

Deno.test("checkIntegrity() ends with its store", async () => {
  await using folder = new Folder();
  const store = await openStore(folder.file());
  const checked = store.checkIntegrity();
  const settled = checked.then(({ ok }) => ok, ({ code }) => code);
  await store[Symbol.asyncDispose]();
  assert.ok([true, "store.closed"].includes(await settled));
  await assert.rejects(store.checkIntegrity(), { code: "store.closed" });
});
