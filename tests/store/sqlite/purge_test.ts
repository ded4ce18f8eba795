/** What a purge keeps of metadata, and how large its batches are: no intent writes either yet. */
import assert from "node:assert/strict";
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import { StoreBench } from "../../contract/store/bench.ts";
import { testKeys } from "../ciphers.ts";
import { inspect, openStore, sqliteBackend } from "./bench.ts";

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
