/** A store that gets its first key: what is there in clear is sealed while the engine runs. */
import assert from "node:assert/strict";
import { createLogger, type Logger, renderRecord } from "../../../src/logging/mod.ts";
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { rotateKey } from "../../../src/store/sqlite/rotate_key.ts";
import { StoreBench } from "../../contract/store/bench.ts";
import { until } from "../../connectors/waiting.ts";
import { testKeys } from "../ciphers.ts";
import { Folder, inspect, openStore, sqliteBackend } from "./bench.ts";
import {
  cellsByKey,
  cellsOf,
  filledBench,
  idOf,
  OWN_CELLS,
  PATIENT,
  storeKeysOf,
  textsOf,
} from "./filled.ts";

const keys = testKeys;
const keyId = idOf(keys);

class Log {
  readonly lines: string[] = [];
  readonly logger: Logger = createLogger({
    level: "info",
    sinks: [{ write: (record) => this.lines.push(renderRecord(record, "text")) }],
  });

  async line(pattern: RegExp): Promise<string> {
    const found = () => this.lines.find((line) => pattern.test(line));
    await until(() => found() !== undefined, `a line like ${pattern}`, 20_000);
    return found()!;
  }
}

/** A closed store of messages in clear. */
function clearBench(messages?: number): Promise<StoreBench> {
  return filledBench(() => undefined, messages);
}

// Goal: a first key seals all that is there, once, and says so; the start does not wait for it.
Deno.test("SqliteStore with its first key seals what was in clear, while it runs", async () => {
  await using bench = await clearBench(300);
  const { path } = bench.store;
  const before = textsOf(path, undefined);
  const total = Object.values(before).flat().length;
  const log = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: log.logger });
  assert.equal(cellsByKey(path).clear, total, "the start waited");
  await log.line(/store\.sealing /);
  const { rows } = await bench.claim("outbound", "OB_A7");
  assert.deepEqual(rows.map(({ body }) => body), ["CANARYpayload 7"]);
  await bench.receiveCold({ raw: "CANARYfresh" });
  assert.match(await log.line(/store\.sealed /), /cells=\d+/);
  await bench.store.totals();
  assert.deepEqual(Object.keys(cellsByKey(path)), [keyId]);
  assert.deepEqual(Object.keys(storeKeysOf(path)), [keyId]);
  const texts = textsOf(path, keys);
  const fresh = texts["bodies.body"]!.indexOf("CANARYfresh");
  assert.deepEqual(texts["bodies.body"]!.toSpliced(fresh, 1), before["bodies.body"]);
  for (const name of ["message_events.detail", "state.value", "connection_event.reason"]) {
    assert.deepEqual(texts[name], before[name], name);
  }

  await bench.store[Symbol.asyncDispose]();
  const file = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  assert.doesNotMatch(file.replaceAll(PATIENT, ""), /CANARY/);
  const again = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: again.logger });
  assert.deepEqual(again.lines, [], "sealed once");
});

// Goal: a stop does not wait for the sealing, and costs nothing of it.
Deno.test("SqliteStore that is closed while it seals goes on at its next opening", async () => {
  await using bench = await clearBench(600);
  const { path } = bench.store;
  const before = textsOf(path, undefined);
  const total = Object.values(before).flat().length;
  const log = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: log.logger });
  await until(() => (cellsByKey(path)[keyId] ?? 0) > OWN_CELLS, "the first sealed cells", 20_000);
  await bench.store[Symbol.asyncDispose]();
  await log.line(/store\.sealing_stopped/);
  const { clear = 0 } = cellsByKey(path);
  assert.ok(clear > 0 && clear < total, `${clear} of ${total} are left`);
  assert.ok("clear" in storeKeysOf(path));

  const next = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: next.logger });
  assert.match(await next.line(/store\.sealed /), new RegExp(`cells=${clear}\\b`));
  assert.deepEqual(cellsByKey(path), { [keyId]: total + OWN_CELLS });
  assert.deepEqual(textsOf(path, keys), before);
});

// Goal: texts that look like sealed cells are sealed as what they are, not as they lay there.
Deno.test("SqliteStore seals the text of a marked cell, without its mark", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  const { path } = bench.store;
  const bodies = ["mfenc:v1:0123456789abcdef:AAAA", "mfenc:clear:x", "nfenc:v1:0123456789abcdef:A"];
  for (const raw of bodies) await bench.receiveCold({ raw });
  await bench.store[Symbol.asyncDispose]();
  assert.match(inspect(path, cellsOf)["bodies.body"]!.join(), /mfenc:clear:mfenc:clear:x/);
  const log = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: log.logger });
  await log.line(/store\.sealed cells=3/);
  assert.deepEqual(textsOf(path, keys)["bodies.body"], bodies);
  const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
  assert.deepEqual(rows.map(({ body }) => body), bodies);
});

Deno.test("SqliteStore tells of a cell it cannot seal, and works on", async () => {
  await using bench = await clearBench();
  const { path } = bench.store;
  inspect(path, (db) => db.exec("UPDATE state SET value = 'mfenc:v9:CANARY' WHERE key LIKE '% 1'"));
  const log = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: log.logger });
  const line = await log.line(/store\.sealing_failed/);
  assert.match(line, /store\.unreadable/);
  assert.match(line, /row 2 .*state\.value/);
  assert.doesNotMatch(line, /CANARY/);
  const { id } = await bench.receiveCold();
  assert.equal((await bench.look(id)).status, "received");
  assert.ok("clear" in storeKeysOf(path), "the next opening tries again");
});

Deno.test("SqliteStore that begins with a key has nothing to seal", async () => {
  await using folder = new Folder();
  const log = new Log();
  for (const _ of [1, 2]) {
    await using _store = await openStore(folder.file(), { keys, logger: log.logger });
    assert.deepEqual(Object.keys(storeKeysOf(folder.file())), [keyId]);
  }
  assert.deepEqual(log.lines, []);
});

// Goal: whoever is in a hurry runs the tool beside the engine that seals; both end, nothing twice.
Deno.test("rotateKey() and an engine that seals go through a store side by side", async () => {
  await using bench = await clearBench(300);
  const { path } = bench.store;
  const before = textsOf(path, undefined);
  const log = new Log();
  bench.store = await openStore(path, { now: () => bench.now, keys, logger: log.logger });
  const { cells, isBesideEngine } = await rotateKey({ path, keys, now: 1 });
  const byEngine = Number(/cells=(\d+)/.exec(await log.line(/store\.sealed /))![1]);
  const byTool = Object.values(cells).reduce((sum, count) => sum + count, 0);
  assert.equal(isBesideEngine, true);
  assert.equal(byEngine + byTool, Object.values(before).flat().length);
  assert.deepEqual(textsOf(path, keys), before);
  assert.deepEqual(Object.keys(storeKeysOf(path)), [keyId]);
});

Deno.test("SqliteStore says of each retired key whether cells need it", async () => {
  await using bench = await clearBench(1);
  const { path } = bench.store;
  const retired: CellKeys = { active: new Uint8Array(32).fill(7), retired: [keys.active] };
  for (const expected of [/store\.key_unneeded/, /store\.key_needed/]) {
    const log = new Log();
    bench.store = await openStore(path, {
      now: () => bench.now,
      keys: retired,
      logger: log.logger,
    });
    assert.match(await log.line(expected), new RegExp(keyId));
    await log.line(/store\.(sealed|key_needed) /);
    await bench.store[Symbol.asyncDispose]();
    bench.store = await openStore(path, {
      now: () => bench.now,
      keys: { active: keys.active, retired: [retired.active] },
    });
    await bench.store[Symbol.asyncDispose]();
  }
});
