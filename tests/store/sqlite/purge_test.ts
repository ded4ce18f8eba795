/** What a purge keeps of metadata, and how large its batches are: no intent writes either yet. */
import assert from "node:assert/strict";
import type { Intent } from "../../../src/store/intents.ts";
import { CommitLog } from "../../../src/store/sqlite/commit_log.ts";
import { openDatabase } from "../../../src/store/sqlite/database.ts";
import { AuditLog } from "../../../src/store/sqlite/registers/audit_log.ts";
import { Session } from "../../../src/store/sqlite/session.ts";
import { Writer } from "../../../src/store/sqlite/writer.ts";
import { keylessCells } from "../../../src/crypto/cells.ts";
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import { StoreBench } from "../../contract/store/bench.ts";
import { testKeys } from "../ciphers.ts";
import { Folder, inspect, openStore, sqliteBackend } from "./bench.ts";

function backendWith(keys: CellKeys | undefined) {
  return {
    ...sqliteBackend,
    open: async (now: () => number) =>
      openStore(`${await Deno.makeTempDir()}/store.db`, { now, keys }),
  };
}

Deno.test("a purge keeps what ties a message to others, and drops the rest of its metadata", async () => {
  for (const keys of [undefined, testKeys]) {
    const cipher = cellCipherOf(keys);
    await using bench = await StoreBench.open(backendWith(keys));
    const correlation = { correlation_id: "a", correlation_depth: 2 };
    const cells = [
      cipher.seal(JSON.stringify({ ...correlation, attached: "CANARY" })),
      cipher.seal(JSON.stringify({ attached: "CANARY" })),
      cipher.seal("not JSON: CANARY"),
      "mfenc:v1:0000000000000000:AAAA",
      null,
    ];
    const ids: string[] = [];
    for (const cell of cells) {
      const held = await bench.receive();
      await bench.handOff(held, { handlers: 0 });
      await bench.store.totals();
      inspect(
        bench.store.path,
        (db) =>
          db.prepare("UPDATE messages SET metadata = ?, summary = 'CANARY' WHERE id = ?")
            .run(cell, held.id),
      );
      ids.push(held.id);
    }
    assert.equal(await bench.purge("messages", bench.now + 1), cells.length);
    const kept = await Promise.all(
      ids.map(async (id) => (await bench.store.message(id))!.metadata),
    );
    assert.deepEqual(
      kept.map((text) => text === null ? null : JSON.parse(text)),
      [correlation, null, null, null, null],
    );
    const sealed = inspect(
      bench.store.path,
      (db) => db.prepare("SELECT metadata AS m FROM messages WHERE id = ?").get(ids[0]!)!.m,
    );
    assert.equal(String(sealed).startsWith("mfenc:v1:"), keys !== undefined);
  }
});

Deno.test("a batch ends with the body that makes a mebibyte full", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  for (let n = 0; n < 9; n += 1) {
    const held = await bench.receive({ raw: "x".repeat(400 * 1024) });
    await bench.handOff(held, { handlers: 0 });
  }
  const batch = { kind: "purge", of: "messages", limit: 100, before: bench.now + 1 } as const;
  const { purged, next } = await bench.store.submit({ ...batch, after: undefined, at: bench.now });
  assert.deepEqual([purged, next !== undefined], [3, true]);
  const rest = await bench.store.submit({ ...batch, after: next, at: bench.now });
  assert.equal(rest.purged, 3);
});

// Goal: a purge that comes while a step of tidying is left open ends that step and runs.
// Method: a writer in this thread that syncs, so that a purge's commit is another than the usual.
Deno.test("a purge comes between two steps of tidying", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const { db, nextSeq, log: place, nextFrame, unlock } = openDatabase({
    ...{ path, synchronous: "full", now: 1 },
  });
  const log = new CommitLog({ ...place, nextId: nextFrame });
  const writer = new Writer({
    session: new Session(db, nextSeq),
    ...{ log, audit: new AuditLog(db, keylessCells), isSyncing: true, tidyMessages: 2 },
  });
  const refused = (n: number): Intent => ({
    kind: "record_error",
    error: "not HL7",
    message: {
      ...{ id: `m${n}`, channel: "IB", receivedAt: 1, sourceType: "mllp", raw: "raw" },
      ...{ controlId: undefined, messageType: undefined },
    },
  });
  writer.run([1, 2, 3, 4].map(refused));
  assert.equal(writer.behind.tidy(() => true), true, "a step is open");
  const batch = { kind: "purge", of: "messages", limit: 9, before: 2, after: undefined } as const;
  const [outcome] = writer.run([{ ...batch, at: 3 }]);
  assert.deepEqual(outcome, { result: { purged: 4, next: undefined, state: [] } });
  assert.equal(db.prepare("PRAGMA synchronous").get()?.synchronous, 2, "what follows is synced");
  db.close();
  log.close();
  unlock();
});
