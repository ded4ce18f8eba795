import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describeFailure, isEnvironmental, StoreError } from "../../src/store/errors.ts";

/** What SQLite says, by result code of a statement and by text of `exec()`. */
const environment: readonly [code: string, errcode: number, text: string][] = [
  ["store.busy", 5, "database is locked"],
  ["store.busy", 261, "database is locked"],
  ["store.busy", 6, "database table is locked"],
  ["store.read_only", 8, "attempt to write a readonly database"],
  ["store.read_only", 776, "attempt to write a readonly database"],
  ["store.io", 10, "disk I/O error"],
  ["store.io", 1034, "disk I/O error"],
  ["store.corrupt", 11, "database disk image is malformed"],
  ["store.disk_full", 13, "database or disk is full"],
  ["store.open_failed", 14, "unable to open database file"],
  ["store.corrupt", 26, "file is not a database"],
];

for (const [code, errcode, text] of environment) {
  Deno.test(`describeFailure() names SQLite's ${errcode}, "${text}", ${code}`, () => {
    for (const thrown of [Object.assign(new Error("any"), { errcode }), new Error(text)]) {
      assert.equal(describeFailure(thrown).code, code);
      assert.match(describeFailure(thrown).message, /^Cannot /);
      assert.ok(describeFailure(thrown).hint);
      assert.equal(isEnvironmental(thrown), true);
    }
  });
}

Deno.test("describeFailure() repeats no value a statement was bound to", () => {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE t (name TEXT NOT NULL PRIMARY KEY CHECK (name <> 'DOE^JOHN')) STRICT");
  const insert = db.prepare("INSERT INTO t VALUES (?)");
  const failures = [
    () => insert.run("DOE^JOHN"),
    () => insert.run(null),
    () => insert.run(Number.NaN),
    () => db.exec("INSERT INTO t VALUES ('DOE^JOHN')"),
    () => db.exec("SELECT 'DOE^JOHN' FROM nowhere"),
    () => {
      throw new TypeError("DOE^JOHN is not iterable");
    },
    () => {
      throw "DOE^JOHN";
    },
  ];
  for (const fail of failures) {
    let thrown: unknown;
    try {
      fail();
    } catch (error) {
      thrown = error;
    }
    const failure = describeFailure(thrown);
    assert.equal(failure.code, "store.failed");
    assert.doesNotMatch(JSON.stringify(failure), /DOE/);
    assert.equal(isEnvironmental(thrown), false);
  }
  db.close();
});

Deno.test("describeFailure() passes on what the store itself refused", () => {
  const error = new StoreError("store.locked", "Cannot open the store", { hint: "Stop the other" });
  assert.deepEqual(describeFailure(error), {
    code: "store.locked",
    message: "Cannot open the store",
    hint: "Stop the other",
  });
});
