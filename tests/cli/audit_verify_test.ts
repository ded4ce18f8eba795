// Goal: an auditor learns from one command whether the audit log is whole, and where it is not.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { readKeys } from "../../src/crypto/keys.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { damagePageWith } from "../store/sqlite/bench.ts";
import { run, tempDir } from "./program.ts";

const active = new Uint8Array(32).fill(7).toBase64();

async function logOf(path: string, rows: number, key?: string): Promise<void> {
  const keys = readKeys({ active: key, retired: undefined });
  await using store = await SqliteStore.open({ path, synchronous: "normal", now: () => 1, keys });
  for (let n = 0; n < rows; n++) {
    const row = {
      at: n,
      actor: "ann",
      action: "message_view",
      channel: null,
      detail: `{"n":${n}}`,
    };
    await store.submit({ kind: "register", changes: [], audit: [row] });
  }
}

Deno.test("audit-verify tells a whole log from a broken one, keyed or not", async () => {
  for (const key of [undefined, active]) {
    await using dir = await tempDir();
    const path = `${dir.path}/mf.db`;
    const env: Record<string, string> = key === undefined
      ? {}
      : { MEFOR_STORE_ENCRYPTION_KEY: key };
    const verify = (...more: string[]) => run(["audit-verify", "--db", path, ...more], { env });
    await logOf(path, 5, key);
    const whole = await verify();
    assert.equal(whole.code, 0, whole.err);
    assert.match(whole.out, /^OK: 5 rows, newest hash [0-9a-f]{64}\n$/);
    const { head } = JSON.parse((await verify("--json")).out) as { head: string };
    assert.ok(whole.out.includes(head));
    {
      using db = new DatabaseSync(path);
      db.exec("UPDATE audit_log SET actor = 'bob' WHERE id = 3");
    }
    const broken = await verify();
    assert.equal(broken.code, 1);
    assert.match(broken.out, /^FAIL: row 3: /);
    const json = JSON.parse((await verify("--json")).out) as Record<string, unknown>;
    assert.deepEqual([json.ok, json.row, json.rows], [false, 3, 2]);
  }
});

// Goal: a log with a page that cannot be read is not called whole up to there.
Deno.test("audit-verify ends at a damaged page, and says so", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  await logOf(path, 300);
  await damagePageWith('{"n":250}', path);
  const text = await run(["audit-verify", "--db", path]);
  assert.deepEqual([text.code, text.out], [2, ""]);
  assert.match(text.err, /the file is damaged: ".*mf\.db"\nhint: Restore the last backup/);
  await Deno.writeTextFile(path, "This is a note, and no database at all. ".repeat(99));
  const { code, out } = await run(["audit-verify", "--db", path, "--json"]);
  assert.deepEqual([code, JSON.parse(out).error], [
    2,
    `Cannot use the store: the file is not a SQLite database: "${path}"`,
  ]);
  const folder = await run(["audit-verify", "--db", dir.path]);
  assert.deepEqual([folder.code, folder.err.split("\n")[0]], [2, `error: No store "${dir.path}"`]);
});

Deno.test("audit-verify says what it cannot read, and makes no file", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/mf.db`;
  const missing = await run(["audit-verify", "--db", path]);
  assert.equal(missing.code, 2);
  assert.match(missing.err, /No store/);
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  await logOf(path, 0);
  const empty = await run(["audit-verify", "--db", path]);
  assert.deepEqual([empty.code, empty.out], [0, "OK: 0 rows, newest hash none\n"]);
  assert.match(empty.err, /^warning: the audit log is empty/);
  await dir.write("other.db", "not a database");
  const foreign = await run(["audit-verify", "--db", `${dir.path}/other.db`, "--json"]);
  assert.equal(foreign.code, 2);
  assert.equal(typeof (JSON.parse(foreign.out) as { error: unknown }).error, "string");
  await dir.write("messagefoundry.toml", "[store]\nnope = 1\n");
  const settings = await run(["audit-verify", "--project-root", dir.path]);
  assert.equal(settings.code, 2);
  assert.match(settings.err, /nope/);
});
