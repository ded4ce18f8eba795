/** `rotateKey()` over stores that are closed, and beside stores that are open (I50). */
import assert from "node:assert/strict";
import type { PurgeMark } from "../../../src/store/purge.ts";
import { cipheredColumns } from "../../../src/store/ciphered_cells.ts";
import { cellCipherOf } from "../../../src/crypto/sealed_cells.ts";
import type { CellKeys } from "../../../src/crypto/keys.ts";
import { migrations } from "../../../src/store/sqlite/migrations/mod.ts";
import { ColumnCells, type Position } from "../../../src/store/sqlite/column_cells.ts";
import { rotateKey, type RotateOptions } from "../../../src/store/sqlite/rotate_key.ts";
import { heldOf, StoreBench } from "../../contract/store/bench.ts";
import { otherKeys, rotatedKeys, testKeys } from "../ciphers.ts";
import { assertWhole, damagePageWith, Folder, inspect, openStore } from "./bench.ts";
import {
  backendWith,
  cellsByKey,
  cellsOf,
  filledBench,
  idOf,
  PATIENT,
  storeKeysOf,
  textsOf,
} from "./filled.ts";

const [oldId, newId] = [idOf(testKeys), idOf(rotatedKeys)];

function rotate(path: string, options: Partial<RotateOptions> = {}) {
  return rotateKey({ path, keys: rotatedKeys, now: 2_000_000, ...options });
}

/** A bench with stores that change from the old key to the new one, both at hand. */
function changingBench(messages?: number) {
  let keys: CellKeys = testKeys;
  return filledBench(() => keys, messages).then((bench) => {
    keys = rotatedKeys;
    return bench;
  });
}

function raises(code: string, ...texts: RegExp[]) {
  return (thrown: Error & { code?: string; hint?: string }) => {
    assert.equal(thrown.code, code, thrown.message);
    for (const text of texts) assert.match(thrown.message, text);
    assert.doesNotMatch(`${thrown.message} ${thrown.hint}`, /CANARY/);
    return true;
  };
}

// Goal: afterwards no cell of any ciphered column needs another key, nothing has changed, and the
// store opens with the new key alone.
Deno.test("rotateKey() seals every ciphered column anew, and lets the old key go", async () => {
  await using bench = await changingBench();
  const { path } = bench.store;
  const before = textsOf(path, testKeys);
  const stored = inspect(path, cellsOf);
  for (const { table, column } of cipheredColumns) {
    assert.ok(stored[`${table}.${column}`]!.length > 0, `${table}.${column} has cells`);
  }
  const report = await rotate(path);
  assert.deepEqual(report, {
    keyId: newId,
    retired: [oldId],
    isBesideEngine: false,
    keysGone: [oldId],
    cells: Object.fromEntries(Object.entries(stored).map(([name, of]) => [name, of.length])),
  });
  const total = Object.values(stored).flat().length;
  assert.deepEqual(cellsByKey(path), { [newId]: total });
  assert.deepEqual(textsOf(path, otherKeys), before);
  assert.deepEqual(Object.keys(storeKeysOf(path)), [newId]);
  assert.ok(storeKeysOf(path)[newId]! >= total);
  inspect(path, (db) => assertWhole(db));

  bench.store = await openStore(path, { now: () => bench.now, keys: otherKeys });
  const { rows } = await bench.claim("outbound", "OB_A3");
  assert.deepEqual(rows.map(({ body }) => body), ["CANARYpayload 3"]);
  assert.equal((await bench.store.state())[2]?.value, "CANARYvalue 2");
});

Deno.test("rotateKey() once more finds nothing to do", async () => {
  await using bench = await changingBench();
  await rotate(bench.store.path);
  const before = inspect(bench.store.path, cellsOf);
  const { cells, keysGone } = await rotate(bench.store.path, { keys: otherKeys });
  assert.deepEqual([Object.values(cells).filter((count) => count > 0), keysGone], [[], []]);
  assert.deepEqual(inspect(bench.store.path, cellsOf), before);
});

// Goal: what a killed engine had answered and not brought into the tables is not left with the old
// key, nor does it come back with it at the next opening.
Deno.test("rotateKey() takes in what the commit log of a killed engine holds", async () => {
  await using folder = new Folder();
  const path = folder.file();
  const entry = new URL("./crash_child.ts", import.meta.url).pathname;
  const child = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-read", "--allow-write", entry],
      ...[path, "store.after_commit@7", "9", "1"],
    ],
    stderr: "inherit",
  }).output();
  assert.equal(child.signal, "SIGKILL");
  const inTables = Object.values(inspect(path, cellsOf)).flat().length;
  const { cells } = await rotate(path);
  const sealed = Object.values(cells).reduce((sum, count) => sum + count, 0);
  assert.ok(sealed > inTables, `${sealed} of which the tables had ${inTables}`);
  assert.deepEqual(cellsByKey(path), { [newId]: sealed });
  await using _again = await openStore(path, { keys: otherKeys });
  inspect(path, (db) => assertWhole(db));
  assert.deepEqual(Object.keys(cellsByKey(path)), [newId]);
});

// Goal: beside an open store too, whatever memory, log and statements of it hold.
// Method: rows with errors of the old key are taken into memory, changed, replayed, given up, while
// the rotation runs; then a kill, so that the log is carried out, and an opening without the old key.
Deno.test("rotateKey() beside an open store leaves nothing with the old key, in tables and log", async () => {
  await using bench = await changingBench(40);
  const { path } = bench.store;
  await bench.reopen();
  const rotating = rotate(path);
  let isRotating = true;
  void rotating.finally(() => isRotating = false).catch(() => {});
  let rounds = 0;
  for (let index = 0; isRotating || rounds < 20; index = (index + 1) % 40, rounds += 1) {
    bench.passSeconds(1);
    const held = await bench.take("outbound", `OB_A${index}`);
    await bench.retry(held, `OB_A${index}`, bench.now, `CANARYagain ${rounds}`);
    await bench.receiveCold({ raw: `CANARYfresh ${rounds}` });
    await bench.store.submit({ kind: "replay", id: held.id, at: bench.now });
    if (rounds % 3 === 0) {
      await bench.store.submit({
        kind: "replay_dead",
        channel: undefined,
        destination: `OB_B${index}`,
        at: bench.now,
      });
      await bench.bury(await bench.take("outbound", `OB_B${index}`), `OB_B${index}`, "CANARYagain");
    }
    const state = [{ namespace: "beds", key: `${PATIENT} ${index}`, value: `CANARYnow ${rounds}` }];
    await bench.handOff(await bench.receive({ channel: `IB_${index}` }), { state });
  }
  const { isBesideEngine, keysGone } = await rotating;
  assert.deepEqual([isBesideEngine, keysGone], [true, [oldId]]);
  await bench.store.totals();
  assert.deepEqual(Object.keys(cellsByKey(path)), [newId]);
  await bench.store[Symbol.asyncDispose]();
  bench.store = await openStore(path, { now: () => bench.now, keys: otherKeys });
  const texts = Object.values(textsOf(path, otherKeys)).flat();
  assert.ok(!texts.includes("unreadable"));
  assert.ok(texts.includes(`CANARYfresh ${rounds - 1}`));
  inspect(path, (db) => assertWhole(db));
});

// Goal: an opened store writes no cell of a retired key, though its memory came with one.
// Method: a row with an old error, changed without a new one, seen in the log and in the tables.
Deno.test("SqliteStore seals anew what it takes into memory and writes again", async () => {
  await using bench = await changingBench(1);
  const { path } = bench.store;
  await bench.reopen();
  const before = cellsByKey(path)[oldId]!;
  const log = () => new TextDecoder("latin1").decode(Deno.readFileSync(`${path}-log`));
  const { rows } = await bench.claim("outbound", "OB_A0");
  assert.ok(!log().includes(`mfenc:v1:${oldId}`));
  await bench.release(heldOf(rows[0]!));
  assert.ok(log().includes(`mfenc:v1:${newId}`), "the change is in the log");
  assert.ok(!log().includes(`mfenc:v1:${oldId}`), "with the old key's cell");
  await bench.store.totals();
  assert.ok(cellsByKey(path)[oldId]! < before);
});

Deno.test("SqliteStore seals its own words too", async () => {
  await using bench = await StoreBench.open(backendWith(() => testKeys));
  const { id } = await bench.receiveCold();
  await bench.queued(["OB_GONE"]);
  const token = bench.store.nextToken();
  await bench.claim("ingress", "IB_ADT", { attemptsMax: 0, token });
  await bench.store.submit({
    kind: "sweep_missing",
    at: bench.now,
    destinations: [],
    handlers: [],
  });
  assert.equal((await bench.look(id)).error, "attempts exhausted");
  assert.deepEqual(Object.keys(cellsByKey(bench.store.path)), [oldId]);
});

// Goal: the end is not declared while somebody seals with the old key, or in clear.
Deno.test("rotateKey() refuses beside a store that seals with another key, and changes nothing", async () => {
  await using bench = await filledBench(() => testKeys);
  const { path } = bench.store;
  const cases: readonly [CellKeys, CellKeys, RegExp][] = [
    [{ active: testKeys.active, retired: [otherKeys.active] }, rotatedKeys, /seals with key "/],
  ];
  for (const [engine, tool, text] of cases) {
    await using _engine = await openStore(path, { keys: engine });
    const before = inspect(path, cellsOf);
    await assert.rejects(rotate(path, { keys: tool }), raises("store.key_in_use", text));
    assert.deepEqual(inspect(path, cellsOf), before);
  }
  assert.ok(oldId in storeKeysOf(path));
  await using folder = new Folder();
  await using _keyless = await openStore(folder.file());
  await assert.rejects(
    rotate(folder.file(), { keys: otherKeys }),
    raises("store.key_in_use", /has no key and stores cells in clear/),
  );
});

// Goal: an engine that starts with the old key active while the rotation runs stops it; one that
// came and went between the last look and the end is seen, and what it left is sealed anew.
// Method: the points of failure tests call a function here instead of killing.
Deno.test("rotateKey() sees every opening of the store until its end", async () => {
  await using bench = await changingBench();
  const { path } = bench.store;
  const back = { active: testKeys.active, retired: [otherKeys.active] };
  const setSealing = (keyId: string) =>
    inspect(path, (db) => {
      db.prepare("UPDATE store_meta SET sealing_key = ?, epoch = epoch + 1").run(keyId);
    });
  let commits = 0;
  await assert.rejects(
    rotate(path, {
      failpoints: {
        hit(name) {
          if (name === "reseal.after_commit" && ++commits === 2) setSealing(oldId);
        },
      },
    }),
    raises("store.key_in_use"),
  );
  assert.ok(oldId in storeKeysOf(path));

  const late = cellCipherOf(back).seal("CANARYlate");
  let ends = 0;
  const { keysGone } = await rotate(path, {
    failpoints: {
      hit(name) {
        if (name !== "reseal.before_finish" || ++ends > 1) return;
        inspect(path, (db) => db.prepare("UPDATE messages SET error = ?").run(late));
        setSealing(oldId);
        setSealing(newId);
      },
    },
  });
  assert.equal(ends, 2);
  assert.deepEqual(keysGone, [oldId]);
  assert.deepEqual(Object.keys(cellsByKey(path)), [newId]);
  assert.equal(textsOf(path, otherKeys)["messages.error"]![0], "CANARYlate");
});

Deno.test("rotateKey() stops before a batch with a cell that no key opens, and names its row", async () => {
  await using bench = await changingBench();
  const { path } = bench.store;
  const seq = inspect(path, (db) => {
    const { seq } = db.prepare("SELECT max(seq) AS seq FROM bodies").get()!;
    db.prepare("UPDATE bodies SET body = substr(body, 1, length(body) - 4) || 'AAA=' WHERE seq = ?")
      .run(seq!);
    return seq;
  });
  const before = inspect(path, cellsOf);
  await assert.rejects(
    rotate(path),
    raises("store.unreadable", new RegExp(`row ${seq} of "bodies\\.body"`)),
  );
  assert.deepEqual(inspect(path, cellsOf)["bodies.body"], before["bodies.body"]);
  assert.ok(oldId in storeKeysOf(path), "the old key is still wanted");
});

// Goal: the key of a state entry may be a patient's, so a row of it is named by its number.
Deno.test("rotateKey() names an unreadable state entry without its key", async () => {
  await using bench = await changingBench();
  inspect(bench.store.path, (db) => {
    db.prepare("UPDATE state SET value = 'mfenc:v9:x' WHERE key = ?").run(`${PATIENT} 2`);
  });
  await assert.rejects(
    rotate(bench.store.path),
    raises("store.unreadable", /row 3 \(in the order of its key\) of "state\.value"/),
  );
});

Deno.test("rotateKey() needs every key of the store, also beside an engine", async () => {
  await using bench = await filledBench(() => testKeys);
  const { path } = bench.store;
  await assert.rejects(rotate(path, { keys: otherKeys }), raises("store.key_missing"));
  await bench.reopen();
  await assert.rejects(rotate(path, { keys: otherKeys }), raises("store.key_missing"));
  assert.deepEqual(Object.keys(cellsByKey(path)), [oldId]);
});

Deno.test("rotateKey() makes no store, and leaves a newer, an older and a foreign one alone", async () => {
  await using folder = new Folder();
  const path = folder.file();
  await assert.rejects(rotate(path), raises("store.not_found", /store\.db/));
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
  await assert.rejects(rotate(folder.path), raises("store.not_found"));
  await (await openStore(path, { keys: testKeys }))[Symbol.asyncDispose]();
  const setVersion = (version: number) =>
    inspect(path, (db) => db.prepare("UPDATE store_meta SET schema_version = ?").run(version));
  const own = migrations.at(-1)!.version;
  setVersion(9999);
  await assert.rejects(rotate(path), raises("store.newer_schema"));
  setVersion(own);
  await using _engine = await openStore(path, { keys: testKeys });
  setVersion(own - 1);
  await assert.rejects(rotate(path), raises("store.older_schema"));
  setVersion(own);
  const foreign = folder.file("foreign.db");
  inspect(foreign, (db) => db.exec("CREATE TABLE theirs (x)"));
  await assert.rejects(rotate(foreign), raises("store.foreign"));
});

// Goal: a body that retention empties between look and write stays empty.
// Goal: a key is not let go because the cells that need it stand behind a page that cannot be read.
Deno.test("ColumnCells does not end at a damaged page", async () => {
  await using folder = new Folder();
  const path = folder.file();
  inspect(path, (db) => {
    db.exec("BEGIN; CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT) STRICT");
    const insert = db.prepare("INSERT INTO notes (note) VALUES (?)");
    for (let n = 1; n <= 900; n++) insert.run(`note ${n}.`.padEnd(100));
    db.exec("COMMIT");
  });
  damagePageWith("note 700.", path);
  inspect(path, (db) => {
    const column = { table: "notes", key: ["id"], column: "note" };
    const cells = new ColumnCells(db, { column, which: "clear", keyId: newId });
    const { cells: found, at, isEnd } = cells.after(undefined, { cellsMax: 500, bytesMax: 1e9 });
    assert.deepEqual([found.length, at, isEnd], [500, [500], false]);
    const limits = { cellsMax: 500, bytesMax: 1e9 };
    assert.throws(() => cells.after(at, limits), /database disk image is malformed/);
  });
});

Deno.test("ColumnCells changes no cell that is not what was found", async () => {
  await using bench = await changingBench();
  inspect(bench.store.path, (db) => {
    for (const column of cipheredColumns) {
      const cells = new ColumnCells(db, { column, which: "former", keyId: newId });
      const total = cells.count();
      const { cells: found, isEnd } = cells.after(undefined, { cellsMax: 500, bytesMax: 1e9 });
      assert.deepEqual([found.length, isEnd], [total, true], cells.name);
      if (column.table === "audit_key") continue; // One row, for ever.
      const [purged, changed, whole] = found;
      const places = column.key.map(() => cells.isNumbered ? "?" : "CAST(? AS TEXT)");
      const where = `(${column.key.join(", ")}) = (${places.join(", ")})`;
      const set = (text: string, at: Position) =>
        db.prepare(`UPDATE ${column.table} SET ${column.column} = ? WHERE ${where}`)
          .run(text, ...at);
      set("", purged!.at);
      set("by somebody else", changed!.at);
      assert.equal(cells.change(purged!, "CANARY"), false, cells.name);
      assert.equal(cells.change(changed!, "CANARY"), false, cells.name);
      assert.equal(cells.change(whole!, "anew"), true, cells.name);
      const now = [purged, changed, whole].map((one) => {
        const row = db.prepare(`SELECT ${column.column} AS c FROM ${column.table} WHERE ${where}`)
          .get(...one!.at);
        return row?.c;
      });
      assert.deepEqual(now, ["", "by somebody else", "anew"], cells.name);
    }
  });
});

// Goal: the same with a rotation at work (I50): purged bodies stay purged, the others are all there.
Deno.test("rotateKey() resurrects no body that is purged meanwhile", async () => {
  await using bench = await changingBench(30);
  const { path } = bench.store;
  await bench.reopen();
  const ids = inspect(path, (db) => db.prepare("SELECT id FROM messages ORDER BY seq DESC").all());
  const rotating = rotate(path);
  const batch = { kind: "purge", of: "messages", limit: 3, before: bench.now + 1 } as const;
  let after: PurgeMark | undefined;
  for (let n = 0; n < 10; n += 1) {
    ({ next: after } = await bench.store.submit({ ...batch, after, at: bench.now }));
  }
  await rotating;
  const kept = { purged: 0, whole: 0 };
  for (const { id } of ids) {
    const { raw, purgedAt } = (await bench.store.message(String(id)))!;
    if (purgedAt !== null) assert.equal(raw, "");
    else assert.match(raw, /^CANARY(raw|refused|asked) \d+/);
    kept[purgedAt === null ? "whole" : "purged"] += 1;
  }
  assert.ok(kept.purged > 5 && kept.whole > 5, JSON.stringify(kept));
});

// Goal: a cursor saves the way to where the last run got, and is not believed beyond that.
Deno.test("rotateKey() goes on where it was stopped, and looks at everything before it ends", async () => {
  await using bench = await changingBench(300);
  const { path } = bench.store;
  const stop = new AbortController();
  await assert.rejects(rotate(path, {
    signal: stop.signal,
    failpoints: { hit: (name) => name === "reseal.after_commit" && stop.abort() },
  }));
  const cursors = inspect(path, (db) => db.prepare("SELECT * FROM reseal_cursors").all());
  assert.equal(cursors.length, 1);
  const [{ cells, position }] = cursors as [Record<string, string>];
  assert.equal(cells, "messages.error");
  assert.equal(cellsByKey(path)[newId], 500);
  // Somebody put an old cell behind the cursor.
  const old = cellCipherOf(testKeys).seal("CANARYbehind");
  inspect(path, (db) => {
    db.prepare("UPDATE messages SET error = ? WHERE seq <= ? AND error <> ''")
      .run(old, JSON.parse(position!)[0]);
  });
  const { keysGone } = await rotate(path);
  assert.deepEqual(keysGone, [oldId]);
  assert.deepEqual(Object.keys(cellsByKey(path)), [newId]);
  assert.equal(inspect(path, (db) => db.prepare("SELECT * FROM reseal_cursors").all()).length, 0);
});

Deno.test("rotateKey() writes no key of a state entry down", async () => {
  await using bench = await changingBench(3);
  const { path } = bench.store;
  let positions = "";
  await rotate(path, {
    failpoints: {
      hit(name) {
        if (name !== "reseal.after_commit") return;
        const rows = inspect(path, (db) => db.prepare("SELECT * FROM reseal_cursors").all());
        positions += JSON.stringify(rows);
      },
    },
  });
  assert.match(positions, /connection_event\.reason/);
  assert.doesNotMatch(positions, /CANARY|state/);
});

// Goal: what a cell was before is not left in the file, its logs, or the free parts of its pages.
Deno.test("rotateKey() leaves no old cell in the file of a closed store, clear or sealed", async () => {
  for (const first of [testKeys, undefined]) {
    await using bench = await filledBench(() => first, 60);
    const { path } = bench.store;
    const old = Object.values(inspect(path, cellsOf)).flat();
    const read = () => new TextDecoder("latin1").decode(Deno.readFileSync(path));
    const isThere = (bytes: string) => old.filter((cell) => bytes.includes(cell)).length;
    assert.ok(isThere(read()) > old.length / 2, "the search finds what is there");
    await rotate(path);
    assert.equal(isThere(read()), 0);
    if (first === undefined) assert.doesNotMatch(read().replaceAll(PATIENT, ""), /CANARY/);
    const left = [...Deno.readDirSync(path.replace(/\/[^/]*$/, ""))].map(({ name }) => name);
    assert.deepEqual(left.toSorted(), ["store.db", "store.db.lock"]);
  }
});

// Goal: no key of a state entry, however odd, is passed over, or looked at for ever.
Deno.test("rotateKey() finds state entries whose keys hold what ends a text", async () => {
  await using bench = await StoreBench.open(backendWith(() => testKeys));
  const { path } = bench.store;
  const names = ["", "a", "a\0", "a\0b", "\u{1F600}", "\0"];
  const state = names.flatMap((namespace) =>
    names.map((key) => ({
      namespace,
      key,
      value: `${names.indexOf(namespace)} ${names.indexOf(key)}`,
    }))
  );
  await bench.handOff(await bench.receive(), { state });
  await bench.store[Symbol.asyncDispose]();
  const before = textsOf(path, testKeys)["state.value"];
  assert.equal(before!.length, 36);
  const { cells } = await rotate(path);
  assert.equal(cells["state.value"], 36);
  assert.deepEqual(textsOf(path, otherKeys)["state.value"], before);
});

// Goal: a first key works as a change of keys does.
Deno.test("rotateKey() seals a store that never had a key", async () => {
  await using bench = await filledBench(() => undefined);
  const keys = otherKeys;
  const { path } = bench.store;
  const before = textsOf(path, undefined);
  const { keysGone } = await rotate(path, { keys });
  assert.deepEqual(keysGone, ["clear"]);
  assert.deepEqual(Object.keys(cellsByKey(path)), [newId]);
  assert.deepEqual(textsOf(path, keys), before);
  bench.store = await openStore(path, { now: () => bench.now, keys });
  assert.equal((await bench.store.state())[0]?.value, "CANARYvalue 0");
});
