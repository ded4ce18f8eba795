import assert from "node:assert/strict";
import { readBundle } from "../../src/graph/mod.ts";
import { distrust, isWithin } from "../../src/graph/source_trust.ts";
import { openBundle } from "./bench.ts";

const messagesOf = (problems: readonly { message: string }[]) =>
  problems.map(({ message }) => message);

Deno.test("readBundle() finds modules, helpers, code sets and connections, in order", async () => {
  await using bundle = await openBundle({
    "graph/b.ts": "b",
    "graph/a.mts": "a",
    "graph/c.js": "c",
    "graph/_shared.ts": "shared",
    "graph/a_test.ts": "test",
    "graph/types.d.ts": "types",
    "graph/.hidden.ts": "hidden",
    "graph/notes.md": "notes",
    "graph/deep/d.ts": "deep",
    "codesets/x.csv": "k,v\n",
    "codesets/readme.txt": "no",
    "connections.toml": "",
  });
  const { bundle: read, problems } = await readBundle(bundle.dir);
  assert.deepEqual(problems, []);
  assert.deepEqual(read?.modules.map(({ path }) => path), [
    "graph/a.mts",
    "graph/b.ts",
    "graph/c.js",
  ]);
  assert.deepEqual(read?.helpers.map(({ path }) => path), ["graph/_shared.ts"]);
  assert.deepEqual(read?.codeSets.map(({ path }) => path), ["codesets/x.csv"]);
  assert.equal(read?.connections?.text, "");
});

Deno.test("readBundle() needs the directory and its graph folder", async () => {
  const missing = await readBundle("/nowhere/at/all");
  assert.equal(missing.bundle, undefined);
  assert.match(missing.problems[0]?.message ?? "", /No directory "\/nowhere\/at\/all"/);
  await using bundle = await openBundle({ "codesets/x.csv": "k,v\n" });
  const { problems } = await readBundle(bundle.dir);
  assert.deepEqual(messagesOf(problems), ['The bundle has no directory "graph"']);
});

for (
  const [path, mode, who] of [
    ["graph/a.ts", 0o666, "everyone"],
    ["graph/_help.ts", 0o664, "its group"],
    ["graph", 0o777, "everyone"],
    [".", 0o775, "its group"],
    ["connections.toml", 0o646, "everyone"],
    ["codesets/x.csv", 0o664, "its group"],
  ] as const
) {
  Deno.test(`readBundle() refuses ${path} when ${who} may write it`, async () => {
    await using bundle = await openBundle({
      "graph/a.ts": "",
      "graph/_help.ts": "",
      "connections.toml": "",
      "codesets/x.csv": "k,v\n",
    });
    await Deno.chmod(`${bundle.dir}/${path}`, mode);
    const { problems } = await readBundle(bundle.dir);
    assert.equal(problems.length, 1);
    assert.equal(problems[0]?.severity, "error");
    assert.equal(problems[0]?.file, path);
    assert.match(problems[0]?.message ?? "", new RegExp(`writable by ${who}`));
    const allowed = await readBundle(bundle.dir, { allowInsecureSource: true });
    assert.deepEqual(allowed.problems.map(({ severity }) => severity), ["warning"]);
  });
}

Deno.test("readBundle() refuses files of another user", async () => {
  await using bundle = await openBundle({ "graph/a.ts": "" });
  const owner = (await Deno.stat(bundle.dir)).uid;
  if (owner === null) return;
  const { problems } = await readBundle(bundle.dir, { uid: owner === 0 ? 1000 : owner + 1 });
  // Root's files are believed: root could change ours just as well.
  assert.equal(problems.length, owner === 0 ? 0 : 3);
});

Deno.test("distrust() compares owners", () => {
  const file = { isDirectory: false, mode: 0o644, uid: 1001 } as Deno.FileInfo;
  assert.match(distrust(file, { uid: 1000 }) ?? "", /belongs to another user/);
  assert.equal(distrust(file, { uid: 1001 }), undefined);
  assert.equal(distrust({ ...file, uid: 0 }, { uid: 1001 }), undefined);
  assert.equal(distrust({ ...file, uid: null, mode: null }, { uid: 1001 }), undefined);
});

Deno.test("readBundle() follows no link out of the bundle", async () => {
  await using outside = await openBundle({ "evil.ts": "evil", "sets/x.csv": "k,v\n" });
  await using bundle = await openBundle({ "graph/a.ts": "", "real/b.ts": "b" });
  await Deno.symlink(`${outside.dir}/evil.ts`, `${bundle.dir}/graph/evil.ts`);
  await Deno.symlink(`${outside.dir}/sets`, `${bundle.dir}/codesets`);
  await Deno.symlink(`${bundle.dir}/real/b.ts`, `${bundle.dir}/graph/b.ts`);
  await Deno.symlink(`${bundle.dir}/nothing.ts`, `${bundle.dir}/graph/dangling.ts`);
  const { bundle: read, problems } = await readBundle(bundle.dir);
  assert.deepEqual(read?.modules.map(({ path }) => path), ["graph/a.ts", "graph/b.ts"]);
  assert.deepEqual(read?.codeSets, []);
  assert.deepEqual(problems.map(({ file, message }) => [file, message]), [
    ["graph/evil.ts", "The link leads outside the bundle"],
    ["codesets", "The link leads outside the bundle"],
  ]);
});

Deno.test("readBundle() takes a bundle that is itself a link", async () => {
  await using bundle = await openBundle({ "graph/a.ts": "a" });
  await using elsewhere = await openBundle({});
  await Deno.symlink(bundle.dir, `${elsewhere.dir}/link`);
  const { bundle: read, problems } = await readBundle(`${elsewhere.dir}/link`);
  assert.deepEqual(problems, []);
  assert.equal(read?.dir, `${elsewhere.dir}/link`);
  assert.equal(read?.realDir, bundle.dir);
});

// Goal: a file that the operating system does not let us read is named, beside whatever else is wrong.
// Method: links that lead to themselves, for nothing is hidden from whoever may read everything.
Deno.test("readBundle() names what cannot be read, and reads the rest", async () => {
  await using bundle = await openBundle({ "graph/a.ts": "a", "graph/z.ts": "z" });
  for (const path of ["graph/b.ts", "connections.toml", "codesets"]) {
    await Deno.symlink(path.split("/").at(-1)!, `${bundle.dir}/${path}`);
  }
  const { bundle: read, problems } = await readBundle(bundle.dir);
  assert.deepEqual(read?.modules.map(({ path }) => path), ["graph/a.ts", "graph/z.ts"]);
  assert.deepEqual(problems.map(({ file, message }) => `${file}: ${message}`), [
    "graph/b.ts: Cannot read it: ELOOP",
    "connections.toml: Cannot read it: ELOOP",
    "codesets: Cannot read it: ELOOP",
  ]);
  await Deno.symlink("loop", `${bundle.dir}/loop`);
  const { problems: [none] } = await readBundle(`${bundle.dir}/loop`);
  assert.equal(none?.message, `Cannot read directory "${bundle.dir}/loop": ELOOP`);
});

Deno.test("readBundle() refuses text that is not UTF-8", async () => {
  await using bundle = await openBundle({ "graph/a.ts": "" });
  await bundle.write("graph/b.ts", new Uint8Array([0x61, 0xff]));
  const { problems } = await readBundle(bundle.dir);
  assert.deepEqual(messagesOf(problems), ["The file is not UTF-8 text"]);
});

Deno.test("isWithin() takes the root and what is below, nothing else", () => {
  for (const inside of ["/a", "/a/b", "/a/..b", "/a/b/../c"]) {
    assert.ok(isWithin("/a", inside), inside);
  }
  for (const outside of ["/", "/ab", "/a/../b", "/b/a"]) {
    assert.ok(!isWithin("/a", outside), outside);
  }
});
