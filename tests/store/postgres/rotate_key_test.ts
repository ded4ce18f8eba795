/** `rotateServerKey()` over stores that nobody has open, and beside stores that engines work on (I50). */
import assert from "node:assert/strict";
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import { createLogger, renderRecord } from "../../../src/logging/mod.ts";
import type { PostgresStore } from "../../../src/store/postgres/store.ts";
import { test } from "../../maintenance/one_server.ts";
import { otherKeys, rotatedKeys, testKeys } from "../ciphers.ts";
import { idOf, PATIENT } from "../sqlite/filled.ts";
import { openStore } from "./bench.ts";
import { RotationPlace } from "./rotation_place.ts";

const [oldId, newId] = [idOf(testKeys), idOf(rotatedKeys)];

function raises(code: string, ...texts: RegExp[]) {
  return (thrown: Error & { code?: string; hint?: string }) => {
    assert.equal(thrown.code, code, thrown.message);
    for (const text of texts) assert.match(thrown.message, text);
    assert.doesNotMatch(`${thrown.message} ${thrown.hint}`, /CANARY/);
    return true;
  };
}

test("rotateServerKey() seals every ciphered column anew, and lets the old key go", async (server) => {
  await using place = await RotationPlace.filled(server);
  await place.close();
  const before = await place.texts(testKeys);
  const stored = await place.cells();
  for (const [name, cells] of Object.entries(stored)) assert.ok(cells.length > 0, name);
  const told: number[] = [];
  const report = await place.rotate({ onProgress: ({ done, total }) => told.push(done, total) });
  assert.deepEqual(report, {
    keyId: newId,
    retired: [oldId],
    isBesideEngine: false,
    keysGone: [oldId],
    cells: Object.fromEntries(Object.entries(stored).map(([name, of]) => [name, of.length])),
  });
  const total = Object.values(stored).flat().length;
  assert.deepEqual(told.slice(0, 2), [0, total]);
  assert.deepEqual(told.slice(-2), [total, total]);
  assert.deepEqual(await place.cellsByKey(), { [newId]: total });
  assert.deepEqual(await place.texts(otherKeys), before);
  assert.deepEqual(await place.storeKeys(), [newId]);

  const again = await place.rotate({ keys: otherKeys });
  assert.deepEqual([Object.values(again.cells).some((count) => count > 0), again.keysGone], [
    false,
    [],
  ]);
  const store = await place.open(otherKeys);
  const { rows } = await place.bench.claim("outbound", "OB_A2");
  assert.deepEqual(rows.map(({ body }) => body), ["CANARYpayload 2"]);
  assert.equal((await store.checkIntegrity()).detail, "ok");
});

// Goal: beside an open store too, whatever its memory and its statements hold.
test("rotateServerKey() beside an engine at work leaves nothing with the old key", async (server) => {
  await using place = await RotationPlace.filled(server, { rows: 12 });
  const { bench } = place;
  await place.close();
  await place.open(rotatedKeys);
  const rotating = place.rotate();
  let isRotating = true;
  void rotating.finally(() => isRotating = false).catch(() => {});
  let rounds = 0;
  for (let index = 0; isRotating || rounds < 12; index = (index + 1) % 12, rounds += 1) {
    bench.passSeconds(1);
    const held = await bench.take("outbound", `OB_A${index}`);
    await bench.retry(held, `OB_A${index}`, bench.now, `CANARYagain ${rounds}`);
    await bench.receive({ raw: `CANARYfresh ${rounds}` });
    await bench.store.submit({ kind: "replay", id: held.id, at: bench.now });
    const state = [{ namespace: "beds", key: `${PATIENT} ${index}`, value: `CANARYnow ${rounds}` }];
    await bench.handOff(await bench.receive({ channel: `IB_${index}` }), { state });
  }
  const { isBesideEngine, keysGone } = await rotating;
  assert.deepEqual([isBesideEngine, keysGone], [true, [oldId]]);
  assert.deepEqual(Object.keys(await place.cellsByKey()), [newId]);
  assert.equal((await bench.store.checkIntegrity()).detail, "ok");
  await place.close();
  await place.open(otherKeys);
  const texts = Object.values(await place.texts(otherKeys)).flat();
  assert.ok(!texts.includes("unreadable"));
  assert.ok(texts.includes(`CANARYfresh ${rounds - 1}`));
});

// Goal: the end is not declared while somebody seals with the old key, or in clear; one node of many
// is enough, also the one that was opened first.
test("rotateServerKey() refuses while any engine seals with another key", async (server) => {
  await using place = await RotationPlace.filled(server);
  await place.close();
  const shared = { isShared: true, now: () => 1 };
  {
    await using _old = await openStore(place.options, { ...shared, keys: testKeys });
    await using _new = await openStore(place.options, { ...shared, keys: rotatedKeys });
    const before = await place.cells();
    await assert.rejects(
      place.rotate(),
      raises("store.key_in_use", new RegExp(`seals with key "${oldId}", not with "${newId}"`)),
    );
    assert.deepEqual(await place.cells(), before);
  }
  const { isBesideEngine } = await place.rotate();
  assert.equal(isBesideEngine, false);

  await using clear = await RotationPlace.filled(server, { isClear: true, rows: 1 });
  await assert.rejects(
    clear.rotate({ keys: otherKeys }),
    raises("store.key_in_use", /has no key and stores cells in clear/),
  );
  await clear.close();
  const events: string[] = [];
  const logger = createLogger({
    level: "info",
    sinks: [{ write: (record) => events.push(renderRecord(record, "text")) }],
  });
  const start = { keys: otherKeys, logger };
  await (await openStore(clear.options, start))[Symbol.asyncDispose]();
  assert.match(events.splice(0).join(), /store\.clear_cells.*run rotate-key/);
  const { keysGone } = await clear.rotate({ keys: otherKeys });
  assert.deepEqual(keysGone, ["clear"]);
  await (await openStore(clear.options, start))[Symbol.asyncDispose]();
  assert.doesNotMatch(events.join(), /clear_cells/);
  assert.deepEqual(Object.keys(await clear.cellsByKey()), [newId]);
});

// Goal: a node with the old key that comes between the last look and the end is seen; one that is cut
// off meanwhile can write nothing when it is back.
// Method: the points of failure tests call a function here instead of killing.
test("rotateServerKey() sees every opening of the store until its end", async (server) => {
  await using place = await RotationPlace.filled(server);
  await place.close();
  const back = { active: testKeys.active, retired: [otherKeys.active] };
  const late = cellCipherOf(back).seal("CANARYlate");
  const session = `late.${oldId}`;
  let ends = 0;
  const { keysGone } = await place.rotate({
    failpoints: {
      async hit(name) {
        if (name !== "reseal.before_finish" || ++ends > 1) return;
        await place.ask("INSERT INTO store_writer VALUES ($1, 1, 0, 1)", [session]);
        await place.ask("UPDATE messages SET error = $1", [late]);
      },
    },
  });
  assert.equal(ends, 2);
  assert.deepEqual(keysGone, [oldId]);
  assert.deepEqual(Object.keys(await place.cellsByKey()), [newId]);
  assert.deepEqual(
    await place.ask("SELECT session FROM store_writer WHERE session = $1", [session]),
    [],
  );

  // One that stays connected is an engine that runs.
  const engine = { keys: back, isShared: true, now: () => 1 };
  let late2: PostgresStore | undefined;
  await assert.rejects(
    place.rotate({
      failpoints: {
        async hit(name) {
          if (name === "reseal.before_finish") late2 ??= await openStore(place.options, engine);
        },
      },
    }),
    raises("store.key_in_use"),
  );
  await late2![Symbol.asyncDispose]();
  assert.ok((await place.storeKeys()).includes(oldId));
});

// Goal: an engine that was cut off while the rotation ended cannot bring an old cell in afterwards.
test("an engine with the old key that was cut off writes nothing once the rotation is over", async (server) => {
  await using place = await RotationPlace.filled(server);
  const store = place.bench.store as PostgresStore;
  const end = () =>
    place.ask(
      `SELECT pg_terminate_backend(pid)
         FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND application_name <> 'rotation'`,
    );
  let isOver = false;
  const cutting = (async () => {
    // It connects again at once, so it is cut off for as long as the rotation takes.
    while (!isOver) await end();
  })();
  let tries = 0;
  for (; tries < 100; tries += 1) {
    try {
      await place.rotate();
      break;
    } catch (thrown) {
      raises("store.key_in_use")(thrown as Error);
    }
  }
  isOver = true;
  await cutting;
  assert.ok(tries < 100, "the rotation never found it cut off");
  await assert.rejects(place.bench.receive({ raw: "CANARYlate" }));
  assert.deepEqual(Object.keys(await place.cellsByKey()), [newId]);
  await store[Symbol.asyncDispose]();
});

test("rotateServerKey() stops before a cell that no key opens, and names its row alone", async (server) => {
  await using place = await RotationPlace.filled(server);
  await place.close();
  const [row] = await place.ask(
    "UPDATE bodies SET body = left(body, -4) || 'AAA=' WHERE seq = (SELECT max(seq) FROM bodies) " +
      "RETURNING seq",
  );
  await place.ask("UPDATE bodies SET body = $1 WHERE seq <> $2", [
    cellCipherOf(testKeys).seal("CANARYwhole"),
    Number(row!.seq),
  ]);
  await assert.rejects(
    place.rotate(),
    raises("store.unreadable", new RegExp(`row ${row!.seq} of "bodies\\.body"`)),
  );
  await place.ask("UPDATE bodies SET body = $1 WHERE seq = $2", [
    cellCipherOf(testKeys).seal("CANARYwhole"),
    Number(row!.seq),
  ]);
  await place.ask("UPDATE state SET value = 'mfenc:v9:x' WHERE key = $1", [`${PATIENT} 1`]);
  await assert.rejects(
    place.rotate(),
    raises("store.unreadable", /row 2 \(in the order of its key\) of "state\.value"/),
  );
  assert.ok((await place.storeKeys()).includes(oldId), "the old key is still wanted");
  await assert.rejects(place.rotate({ keys: otherKeys }), raises("store.key_missing"));
});
