// Goal: a damaged store is found, by a thread that holds up no other, and a check ends with its store.
import assert from "node:assert/strict";
import { StoreBench } from "../../contract/store/bench.ts";
import { Folder, inspect, openStore, sqliteBackend } from "./bench.ts";

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

// Goal: rows that do not fit together are found as well, though each page of them is whole.
// Method: a store with open, done and answered rows, of which one row at a time is broken.
Deno.test("checkIntegrity() finds rows that lack what they mean", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  await bench.receive();
  const raw = `MSH|^~\\&|A|B\rPID|1||${"7".repeat(200)}`;
  await bench.queued(["OB"], { raw });
  await bench.complete(await bench.take("outbound", "OB"), "OB");
  await bench.queued(["OB"]);
  await bench.store.totals();
  const { path } = bench.store;
  assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
  const breaks = {
    "DELETE FROM messages WHERE seq = (SELECT max(seq) FROM messages)": /rows_without_message: 1/,
    "DELETE FROM bodies WHERE seq = (SELECT min(seq) FROM bodies)":
      /rows_without_body: 1, messages_without_body: 1/,
    "UPDATE queue SET status = 'done' WHERE status = 'pending'": /open_without_open_row/,
    "UPDATE queue SET body_seq = 0 WHERE status = 'pending'": /open_without_body/,
    "INSERT INTO response VALUES (1000000000, 'OB', 1, 'accepted', NULL, 5, 1)":
      /responses_without_message_or_body: 1/,
    "UPDATE bodies SET base_seq = 1000000000 WHERE seq = (SELECT max(seq) FROM bodies)":
      /changes_of_no_body: 1/,
  };
  for (const [change, expected] of Object.entries(breaks)) {
    await using folder = new Folder();
    const copy = folder.file();
    for (const end of ["", "-wal"]) Deno.copyFileSync(path + end, copy + end);
    inspect(copy, (db) => db.exec(change));
    await using store = await openStore(copy);
    const { ok, detail } = await store.checkIntegrity();
    assert.equal(ok, false, change);
    assert.match(detail, expected);
  }
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
