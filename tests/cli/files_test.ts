import assert from "node:assert/strict";
import { validateStrict } from "../../src/hl7/validation/mod.ts";
import { offlineFlags, run, tempDir } from "./program.ts";

const withWrite = [...offlineFlags, "--allow-write"];

async function filesBelow(dir: string, base = dir): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    if (isDirectory) files.push(...await filesBelow(path, base));
    else files.push(path.slice(base.length + 1));
  }
  return files.sort();
}

Deno.test("generate writes conformant messages, the same for the same seed", async () => {
  await using dir = await tempDir();
  const args = ["generate", "--type", "adt", "--triggers", "A01, A08", "--count", "5", "--json"];
  const first = await run([...args, "--out", `${dir.path}/a`], { flags: withWrite });
  assert.equal(first.code, 0, first.err);
  assert.equal(first.err, "", "progress is for terminals");
  assert.deepEqual(JSON.parse(first.out), {
    type: "ADT",
    out: `${dir.path}/a`,
    total: 5,
    by_trigger: { A01: 3, A08: 2 },
  });
  const files = ["A01/0001.hl7", "A01/0002.hl7", "A01/0003.hl7", "A08/0001.hl7", "A08/0002.hl7"];
  assert.deepEqual(await filesBelow(`${dir.path}/a`), files);
  await run([...args, "--out", `${dir.path}/b`], { flags: withWrite });
  await run([...args, "--out", `${dir.path}/c`, "--seed", "other"], { flags: withWrite });
  for (const file of files) {
    const [a, b, c] = await Promise.all(
      ["a", "b", "c"].map((name) => Deno.readTextFile(`${dir.path}/${name}/${file}`)),
    );
    assert.equal(a, b);
    assert.notEqual(a, c);
    assert.equal(validateStrict(a ?? "").ok, true);
  }
});

Deno.test("generate --list names types and triggers; unknown ones are refused with 2", async () => {
  const { code, out } = await run(["generate", "--list", "--json"]);
  assert.equal(code, 0);
  const types = JSON.parse(out);
  assert.ok(types.ADT.includes("A01"));
  assert.deepEqual(Object.keys(types), Object.keys(types).toSorted());
  const cases: readonly [readonly string[], RegExp][] = [
    [[], /Name a message type/],
    [["--type", "ADX"], /is ADT meant\?/],
    [["--type", "ADT", "--triggers", "Z99"], /Cannot generate "ADT\^Z99"/],
    [["--type", "ADT", "--count", "many"], /--count takes a whole number/],
    [["--type", "ADT", "--count", "0"], /--count takes a whole number/],
  ];
  for (const [args, expected] of cases) {
    const refused = await run(["generate", ...args]);
    assert.equal(refused.code, 2, args.join(" "));
    assert.match(refused.err, expected);
  }
});

// Goal: a new bundle is a working one: it passes the gate, its own unit tests, linter and formatter.
Deno.test("init lays out a bundle that passes check and its own tests at once", async () => {
  await using dir = await tempDir();
  const target = `${dir.path}/interfaces`;
  const made = await run(["init", target, "--json"], { flags: withWrite });
  assert.equal(made.code, 0, made.out);
  const { written } = JSON.parse(made.out);
  assert.deepEqual(await filesBelow(target), written.toSorted());
  for (const file of ["README.md", "messagefoundry.toml", ".gitignore", "deno.json"]) {
    assert.ok(written.includes(file), file);
  }
  const checked = await run(["check", "--messages", "messages/sets", "--json"], {
    cwd: target,
    flags: [...offlineFlags, `--allow-run=${Deno.execPath()}`],
  });
  assert.equal(checked.code, 0, checked.out);
  for (const { name, ok, skipped } of JSON.parse(checked.out).checks) {
    assert.deepEqual([name, ok, skipped], [name, true, false]);
  }
  for (const args of [["test", "--allow-read", "graph/"], ["fmt", "--check"], ["lint"]]) {
    const { success, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: target,
      env: { NO_COLOR: "1" },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout));
  }
});

Deno.test("init never overwrites", async () => {
  await using dir = await tempDir();
  await dir.write("README.md", "ours\n");
  const refused = await run(["init", dir.path], { flags: withWrite });
  assert.equal(refused.code, 1);
  assert.match(refused.out, /it is not empty/);
  const forced = await run(["init", dir.path, "--force", "--json"], { flags: withWrite });
  assert.equal(forced.code, 0);
  assert.ok(!JSON.parse(forced.out).written.includes("README.md"));
  assert.equal(await Deno.readTextFile(`${dir.path}/README.md`), "ours\n");
});
