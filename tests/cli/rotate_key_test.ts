/** `rotate-key` as an operator meets it: what it says, exit codes, kills (I50). */
import assert from "node:assert/strict";
import type { CellKeys } from "../../src/crypto/keys.ts";
import { migrations } from "../../src/store/sqlite/migrations/mod.ts";
import type { StoreBench } from "../contract/store/bench.ts";
import { otherKeys, rotatedKeys, testKeys } from "../store/ciphers.ts";
import { inspect, openStore } from "../store/sqlite/bench.ts";
import {
  cellsByKey,
  cellsOf,
  filledBench,
  idOf,
  storeKeysOf,
  textsOf,
} from "../store/sqlite/filled.ts";
import { offlineFlags, run, type RunOptions, tempDir } from "./program.ts";

const [oldId, newId] = [idOf(testKeys), idOf(rotatedKeys)];
const oldKey = testKeys.active.toBase64();
const newKey = otherKeys.active.toBase64();
const both = {
  MEFOR_STORE_ENCRYPTION_KEY: newKey,
  MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: oldKey,
};

function rotate(args: readonly string[], env: RunOptions["env"] = both) {
  return run(["rotate-key", ...args], { env, flags: [...offlineFlags, "--allow-write"] });
}

function closedStore(
  keys: CellKeys | undefined = testKeys,
  messages?: number,
): Promise<StoreBench> {
  return filledBench(() => keys, messages);
}

Deno.test("rotate-key says what it has done, and that the old key may go", async () => {
  await using bench = await closedStore();
  const { path } = bench.store;
  const total = Object.values(inspect(path, cellsOf)).flat().length;
  const { code, out, err } = await rotate(["--db", path]);
  assert.deepEqual([code, err], [0, ""]);
  const lines = out.trimEnd().split("\n");
  assert.equal(
    lines[0],
    `OK: ${total} values sealed with key "${newId}"; none in the store needs another`,
  );
  assert.match(lines[1]!, /^ {2}messages\.error +\d+$/);
  assert.match(
    lines.at(-1)!,
    new RegExp(`^Key "${oldId}" may leave MEFOR_STORE_ENCRYPTION_KEYS_RET`),
  );
  assert.deepEqual(cellsByKey(path), { [newId]: total });

  const again = await rotate(["--db", path], { MEFOR_STORE_ENCRYPTION_KEY: newKey });
  assert.equal(again.code, 0);
  assert.match(again.out, /^OK: 0 values sealed/);
  assert.doesNotMatch(again.out, /may leave/);
});

Deno.test("rotate-key --json is one line, also beside an engine", async () => {
  await using bench = await closedStore();
  const { path } = bench.store;
  bench.store = await openStore(path, { now: () => bench.now, keys: rotatedKeys });
  const { code, out, err } = await rotate(["--db", path, "--json"]);
  assert.deepEqual([code, err], [0, ""]);
  const { columns, ...rest } = JSON.parse(out);
  assert.equal(out.trimEnd().split("\n").length, 1);
  const resealed = Object.values<number>(columns).reduce((sum, count) => sum + count, 0);
  assert.deepEqual(rest, { key_id: newId, resealed, retired_may_go: [oldId], beside_engine: true });
  assert.equal(columns["bodies.body"], 25);
});

Deno.test("rotate-key finds the store as the engine does", async () => {
  await using bench = await closedStore();
  await using dir = await tempDir();
  const at = bench.store.path.lastIndexOf("/");
  const data = bench.store.path.slice(0, at);
  await dir.write(
    "messagefoundry.toml",
    `[engine]\ndata_dir = "${data}"\n[store]\npath = "${bench.store.path.slice(at + 1)}"\n`,
  );
  const { code, out } = await rotate(["--service-config", `${dir.path}/messagefoundry.toml`]);
  assert.equal(code, 0, out);
  assert.deepEqual(Object.keys(storeKeysOf(bench.store.path)), [newId]);
});

// Goal: what cannot begin is refused with 2, what fails on the way with 1, and each says what to do;
// no store is made or changed, and neither key nor content is shown.
Deno.test("rotate-key refuses with one sentence and a hint", async () => {
  await using bench = await closedStore();
  await using dir = await tempDir();
  const { path } = bench.store;
  const before = inspect(path, cellsOf);
  const db = ["--db", path];
  await dir.write("kms.toml", "[store]\nkey_provider = 'vault'\n");
  await dir.write("server.toml", "[store]\nbackend = 'postgres'\nserver = 's'\ndatabase = 'd'\n");
  await dir.write(
    "theirs.db",
    "no database at all, but long enough to be looked at as one ".repeat(20),
  );
  const cases: readonly [readonly string[], RunOptions["env"], RegExp][] = [
    [db, {}, /there is no active key\nhint: Set MEFOR_STORE_ENCRYPTION_KEY to what "messagef/],
    [db, { MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: oldKey }, /RETIRED needs MEFOR_STORE_ENCR/],
    [db, { MEFOR_STORE_ENCRYPTION_KEY: "abc" }, /must be base64 of 32 bytes/],
    [
      db,
      { MEFOR_STORE_ENCRYPTION_KEY: newKey },
      new RegExp(`sealed with key "${oldId}", which is`),
    ],
    [["--db", `${dir.path}/no.db`], both, /Cannot find the store ".*no\.db"\nhint: Name it with/],
    [["--db", `${dir.path}/theirs.db`], both, /not a SQLite database/],
    [[...db, "--service-config", `${dir.path}/kms.toml`], both, /key_provider "vault"/],
    [
      ["--service-config", `${dir.path}/server.toml`],
      both,
      /server: this process may not\nhint: S/,
    ],
    [
      [...db, "--service-config", `${dir.path}/server.toml`],
      both,
      /Cannot take --db: .*"postgres"/,
    ],
    [["--service-config", `${dir.path}/none.toml`], both, /no file/],
    [[...db, "--fast"], both, /unknown option/],
  ];
  for (const [args, env, expected] of cases) {
    const { code, out, err } = await rotate(args, env);
    const isDamaged = args.includes(`${dir.path}/theirs.db`);
    assert.deepEqual([code, out], [isDamaged ? 1 : 2, ""], `${args}: ${err}`);
    assert.match(err, expected);
    assert.doesNotMatch(err, /CANARY|\n\s+at /);
    for (const key of [oldKey, newKey]) assert.ok(!err.includes(key.slice(0, 8)));
  }
  await assert.rejects(Deno.stat(`${dir.path}/no.db`), Deno.errors.NotFound);
  const json = await rotate([...db, "--json"], {});
  assert.equal(json.code, 2);
  assert.match(JSON.parse(json.out).error, /no active key/);

  const own = migrations.at(-1)!.version;
  inspect(path, (db) => db.prepare("UPDATE store_meta SET schema_version = 9999").run());
  const newer = await rotate(db);
  assert.equal(newer.code, 2);
  assert.match(newer.err, /schema version 9999 is newer/);
  inspect(path, (db) => db.prepare("UPDATE store_meta SET schema_version = ?").run(own));

  bench.store = await openStore(path, { now: () => bench.now, keys: testKeys });
  const beside = await rotate(db, { ...both, MEFOR_STORE_ENCRYPTION_KEY: newKey });
  assert.equal(beside.code, 2);
  assert.match(beside.err, /engine seals with key "\w+", not with "\w+"\nhint: Restart the engine/);
  await bench.store[Symbol.asyncDispose]();

  assert.deepEqual(inspect(path, cellsOf), before);
  assert.deepEqual(Object.keys(storeKeysOf(path)), [oldId]);
  inspect(path, (db) => db.exec("UPDATE bodies SET body = body || 'AAAA' WHERE seq % 2 = 0"));
  const damaged = await rotate(db);
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /no configured key opens row \d+ of "bodies\.body"\nhint: /);
  assert.ok(oldId in storeKeysOf(path));
});

// Goal: a kill at any point loses nothing, and the next run finishes.
// Method: one store, killed at each point in turn, looked through after each: every text is there
// with both keys; in the end with the new one alone.
Deno.test("rotate-key survives being killed at every point, and a rerun finishes", async () => {
  await using bench = await closedStore(testKeys, 400);
  const { path } = bench.store;
  const before = textsOf(path, testKeys);
  const points = [
    "before_commit@1",
    "after_commit@1",
    "before_commit@2",
    "after_commit@3",
    "before_commit@4",
    "before_finish@1",
    "after_finish@1",
  ];
  let left = cellsByKey(path)[oldId]!;
  for (const point of points) {
    const { code, err } = await rotate(["--db", path], {
      ...both,
      MEFOR_FAILPOINTS: `reseal.${point}`,
    });
    assert.equal(code, 137, `${point} never came: ${err}`);
    assert.deepEqual(textsOf(path, rotatedKeys), before, point);
    const now = cellsByKey(path)[oldId] ?? 0;
    assert.ok(point === "before_commit@1" ? now === left : now < left || now === 0, point);
    left = now;
    assert.equal(oldId in storeKeysOf(path), point !== "after_finish@1", point);
  }
  assert.equal(left, 0);
  const { code } = await rotate(["--db", path], { MEFOR_STORE_ENCRYPTION_KEY: newKey });
  assert.equal(code, 0);
  assert.deepEqual(textsOf(path, otherKeys), before);
  assert.deepEqual(Object.keys(storeKeysOf(path)), [newId]);
});
