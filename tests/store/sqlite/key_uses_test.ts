/** How often a key has sealed: what the store says is never less, after whatever end. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createLogger, renderRecord } from "../../../src/logging/mod.ts";
import { USE_BLOCK, USES_WARNED } from "../../../src/store/counted_cells.ts";
import { rotateKey } from "../../../src/store/sqlite/rotate_key.ts";
import { delivery, StoreBench } from "../../contract/store/bench.ts";
import { within } from "../../connectors/waiting.ts";
import { rotatedKeys, testKeys } from "../ciphers.ts";
import { countingWriter, fewUses } from "./few_uses.ts";
import { Folder, inspect, inspectRecovered, openStore } from "./bench.ts";
import { backendWith, cellsOf, filledBench, idOf, OWN_CELLS, storeKeysOf } from "./filled.ts";

const keyId = idOf(testKeys);
/** More than one batch of the child seals: what a kill leaves nowhere. */
const CELLS_MAX = 40;

// Goal: over clean ends the count is exact: nothing is lost of it and nothing is added.
// Method: uses are entered a few at a time, so that each run does it again and again.
Deno.test("SqliteStore counts every use of its key, over restarts", async () => {
  await using bench = await StoreBench.open({
    ...backendWith(() => testKeys),
    reopen: ({ path }, now) => openStore(path, { now, keys: testKeys, writer: countingWriter }),
  });
  let uses = OWN_CELLS;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 6 }), async (payloads) => {
      for (const [index, count] of payloads.entries()) {
        const deliveries = Array.from(
          { length: count },
          (_, to) => delivery(`OB_${to}`, { payload: `payload ${uses} ${index} ${to}` }),
        );
        await bench.handOff(await bench.receive(), { deliveries });
        uses += 1 + count;
      }
      await bench.store[Symbol.asyncDispose]();
      assert.deepEqual(storeKeysOf(bench.store.path), { [keyId]: uses });
      await bench.reopen();
    }),
    { numRuns: 10 },
  );
});

// Goal: after a kill at any point the count is an upper bound of the cells there ever were.
// Method: all cells that tables and log ever held, after each of several deaths of one store.
Deno.test("SqliteStore has entered every use of its key before it was killed", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const seen = new Set<string>();
  const deaths = ["inside_batch@6", "before_commit@3", "after_commit@7", "inside_tidy@2"];
  for (const [index, death] of deaths.entries()) {
    const entry = new URL("./crash_child.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--allow-read", "--allow-write", entry],
        ...[path, `store.${death}`, "30", "1"],
      ],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const { signal } = await within(child.status, "the child to end", 30_000);
    assert.equal(signal, "SIGKILL", death);
    for (const cell of Object.values(inspectRecovered(path, cellsOf)).flat()) seen.add(cell);
    const { [keyId]: uses = 0 } = storeKeysOf(path);
    assert.ok(uses >= seen.size, `${death}: ${uses} entered, ${seen.size} made`);
    const most = seen.size + (index + 1) * (fewUses.block + CELLS_MAX);
    assert.ok(uses <= most, `${death}: ${uses} entered, ${seen.size} made`);
  }
  assert.ok(seen.size > 50, `only ${seen.size} cells were made`);
});

// Goal: what memory takes in is sealed anew, however often, also by batches that bring no cell.
Deno.test("SqliteStore enters uses for what it seals anew", async () => {
  await using bench = await filledBench(() => testKeys, 30);
  const { path } = bench.store;
  const writer = countingWriter;
  bench.store = await openStore(path, { now: () => bench.now, keys: rotatedKeys, writer });
  for (let index = 0; index < 30; index += 1) {
    const { mine } = await bench.release(await bench.take("outbound", `OB_A${index}`));
    assert.equal(mine, true);
  }
  await bench.store[Symbol.asyncDispose]();
  const { [idOf(rotatedKeys)]: uses = 0 } = storeKeysOf(path);
  assert.ok(uses >= 60, `${uses} uses`);
});

Deno.test("rotateKey() counts the uses it makes of the active key", async () => {
  await using bench = await filledBench(() => testKeys);
  const { path } = bench.store;
  const { keyId, cells } = await rotateKey({ path, keys: rotatedKeys, now: 1 });
  const made = Object.values(cells).reduce((sum, count) => sum + count, 0);
  assert.deepEqual(storeKeysOf(path), { [keyId]: made });
});

// Goal: an operator hears in time that a key is worn, once a start, with what to do.
Deno.test("SqliteStore warns of a key that has sealed 2^31 times", async () => {
  await using folder = new Folder();
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    sinks: [{ write: (record) => lines.push(renderRecord(record, "text")) }],
  });
  const receives = async (uses: number) => {
    inspect(folder.file(), (db) => db.prepare("UPDATE store_keys SET uses = ?").run(uses));
    await using store = await openStore(folder.file(), { keys: testKeys, logger });
    for (let index = 0; index < 3; index += 1) {
      await store.submit({
        kind: "record_error",
        error: `error ${index}`,
        message: {
          ...{ id: crypto.randomUUID(), raw: `${index}`, channel: "IB", receivedAt: 1 },
          ...{ sourceType: "mllp", controlId: undefined, messageType: undefined },
        },
      });
    }
  };
  await (await openStore(folder.file(), { keys: testKeys }))[Symbol.asyncDispose]();
  await receives(USES_WARNED - 2 * USE_BLOCK);
  assert.equal(lines.length, 0);
  await receives(USES_WARNED);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /WARNING.*store\.key_worn/i);
  assert.ok(lines[0]!.includes(keyId));
  assert.match(lines[0]!, /rotate-key/);
});
